package main

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestTopShowsWhatIsKnown(t *testing.T) {
	task := func(name, reason string, age int, usage *v1alpha1.Usage) *v1alpha1.Task {
		is := metav1.ConditionTrue
		if reason == v1alpha1.ReasonRunning {
			is = metav1.ConditionUnknown
		}
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.Unix(int64(1000-age), 0)}}
		task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: is, Reason: reason}}
		task.Status.Usage = usage
		return task
	}
	used := func(cpu time.Duration, memory string) *v1alpha1.Usage {
		u := &v1alpha1.Usage{CPUTime: &metav1.Duration{Duration: cpu}}
		if memory != "" {
			q := resource.MustParse(memory)
			u.PeakMemory = &q
		}
		return u
	}
	cpu, memory := resource.MustParse("250m"), resource.MustParse("20Mi")
	live := map[string]taken{"runs": {cpu: &cpu, memory: &memory}, "ended": {cpu: &cpu, memory: &memory}}
	tasks := []*v1alpha1.Task{
		task("ended", "Succeeded", 5, nil), task("little", "Succeeded", 4, used(1500*time.Millisecond, "")), task("much", "Failed", 3, used(90*time.Second, "49156Ki")),
		task("runs", v1alpha1.ReasonRunning, 2, nil), task("also-runs", v1alpha1.ReasonRunning, 1, nil),
	}
	for sortBy, want := range map[string]string{
		"cpu":    "runs|Running||250m|20.0Mi; much|Failed|1m30s||48.0Mi; little|Succeeded|1.5s||; also-runs|Running|||; ended|Succeeded|||",
		"memory": "much|Failed|1m30s||48.0Mi; runs|Running||250m|20.0Mi; also-runs|Running|||; little|Succeeded|1.5s||; ended|Succeeded|||",
		"newest": "also-runs|Running|||; runs|Running||250m|20.0Mi; much|Failed|1m30s||48.0Mi; little|Succeeded|1.5s||; ended|Succeeded|||",
	} {
		var got []string
		for _, row := range usageTable(tasks, live, sortBy)[1:] {
			got = append(got, strings.Join([]string{row[0], row[3], row[5], row[6], row[7]}, "|"))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("by %s: %s\nwant %s", sortBy, strings.Join(got, "; "), want)
		}
	}
}
