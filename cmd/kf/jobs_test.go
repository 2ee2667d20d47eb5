package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

func job(zone string, schedules ...string) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "space"}}
	j.Spec.TimeZone = zone
	if len(schedules) > 0 {
		j.Spec.Schedule, j.Spec.Schedules = schedules[0], schedules[1:]
	}
	return j
}

// TestNextInstantsAreShownInTheirZone: around a change of daylight saving time too.
func TestNextInstantsAreShownInTheirZone(t *testing.T) {
	at := time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		job  *v1alpha1.TaskSchedule
		want string
		err  string
	}{
		{job("", "30 2 * * *"), "(UTC): Sun 2026-10-25 02:30 UTC", ""},
		{job("Europe/Berlin", "30 2 * * *"), "(Europe/Berlin): Sun 2026-10-25 02:30 CEST Mon 2026-10-26 02:30 CET", ""},
		{job("", "30 2 * * 7", "0 12 24 10 *"), "(UTC): Sun 2026-10-25 02:30 UTC Sun 2026-11-01 02:30 UTC", ""},
		{job("", v1alpha1.NeverSchedule), "", ""},
		{job(""), "", ""},
		{job("Mars/Olympus", "30 2 * * *"), "", "Mars/Olympus"},
		{job("", "0 0 31 2 *"), "", "never"},
		{job("", "30 2 * * *", "@reboot"), "", "@reboot"},
	} {
		var out bytes.Buffer
		err := printNext(&out, c.job, at)
		got := strings.Join(strings.Fields(out.String()), " ")
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) || !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v %s: %q %v, want %q %q", c.job.Expressions(), c.job.Spec.TimeZone, got, err, c.want, c.err)
		}
	}
}

func TestHistoryHasTheLedgerAndRunsByHand(t *testing.T) {
	at := func(minute int) metav1.Time { return metav1.Date(2026, 11, 23, 12, minute, 0, 0, time.UTC) }
	j := job("", "* * * * *")
	j.Status.History = []v1alpha1.Decision{
		{Instant: at(5), Outcome: v1alpha1.OutcomeSkipped, Task: "nightly-4", Message: "nightly-4 still runs"},
		{Instant: at(4), Outcome: v1alpha1.OutcomeRan, Task: "nightly-4"},
		{Instant: at(3), Outcome: v1alpha1.OutcomeMissed, Count: 3, Message: "a later instant had passed"},
		{Instant: at(0), Outcome: v1alpha1.OutcomeRan, Task: "nightly-0", Result: "Succeeded"}, // pruned since
	}
	task := func(name, generate string, minute int, reason string) v1alpha1.Task {
		return v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, GenerateName: generate, CreationTimestamp: at(minute)},
			Status: v1alpha1.TaskStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: reason}}}}
	}
	var out bytes.Buffer
	printHistory(&out, history(j, []v1alpha1.Task{task("nightly-4", "", 4, "Running"), task("nightly-x", "nightly-", 2, "Failed")}))
	want := []string{"Time Outcome Task Result Message",
		"2026-11-23T12:05:00Z Skipped nightly-4 nightly-4 still runs",
		"2026-11-23T12:04:00Z Ran nightly-4 Running",
		"2026-11-23T12:03:00Z Missed (3) a later instant had passed",
		"2026-11-23T12:02:00Z Ran nightly-x Failed run by hand",
		"2026-11-23T12:00:00Z Ran nightly-0 Succeeded"}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(want) {
		t.Fatal(out.String())
	}
	for i := range want {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want[i] {
			t.Errorf("line %d: %q, want %q", i, got, want[i])
		}
	}
}

func TestPushChangesWhatIsGiven(t *testing.T) {
	if _, err := pushed(resources{}, "", "", []string{"NOVALUE"}); err == nil {
		t.Error("a variable without a value is accepted")
	}
	app := &v1alpha1.App{}
	first, err := pushed(resources{memory: "256Mi"}, "i:1", "serve", []string{"A=1", "B=x=y"})
	if err != nil {
		t.Fatal(err)
	}
	first(app)
	second, err := pushed(resources{cpu: "500m"}, "", "", []string{"A=2"})
	if err != nil {
		t.Fatal(err)
	}
	second(app)
	c := app.Spec.Template.Spec.Containers[0]
	if *app.Spec.Build.Image != "i:1" || !app.Spec.Instances.Stopped || c.Args[0] != "serve" || len(c.Env) != 2 || c.Env[0].Value != "2" || c.Env[1].Value != "x=y" {
		t.Errorf("%+v %+v", app.Spec.Build, c)
	}
	if c.Resources.Requests.Memory().String() != "256Mi" || c.Resources.Requests.Cpu().String() != "500m" || app.Spec.Build.UpdateRequests != 2 {
		t.Errorf("%+v", c.Resources)
	}
}

func TestPruneShowsWhatWouldGo(t *testing.T) {
	function := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{
		map[string]any{"env": []any{map[string]any{"name": "RETAIN", "value": "2"}, map[string]any{"name": "LOG_LEVEL", "value": "info"}}}}}}}}}
	policy, err := retention.Default().With(settings(function))
	if err != nil || policy.Keep != 2 {
		t.Fatalf("%+v %v", policy, err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	whole := map[string]*v1alpha1.Task{}
	var tasks []retention.Task
	for i, name := range []string{"a", "b", "c", "delivering"} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(now.Add(-time.Duration(i) * time.Hour))}}
		task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue}}
		if name == "delivering" {
			task.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogDelivering}
		}
		whole[name] = task
		tasks = append(tasks, retention.Of(task))
	}
	var out bytes.Buffer
	printPlan(&out, policy, len(tasks), retention.Decide(policy, tasks, now), whole, now)
	if got := out.String(); !strings.Contains(got, "newest 2 Tasks. It has 4") || !strings.Contains(got, "1 would go") || !strings.Contains(got, "\nc ") || strings.Contains(got, "delivering ") {
		t.Error(got)
	}
}

func TestCommandsTeach(t *testing.T) {
	for _, c := range newRoot().Commands() {
		if c.Short == "" || c.Args == nil {
			t.Errorf("%s has no description, or takes any arguments", c.Name())
		}
	}
}

func TestQuantitiesOfCloudFoundry(t *testing.T) {
	for in, want := range map[string]string{"512M": "512Mi", "1G": "1Gi", "1gb": "1Gi", "512Mi": "512Mi", "0.5": "0.5", "": ""} {
		if got := fromCF(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if err := (&resources{memory: "lots"}).check(); err == nil || !strings.Contains(err.Error(), "--memory-limit") {
		t.Error(err)
	}
}
