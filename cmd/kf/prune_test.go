package main

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

func TestPruneShowsWhatWouldGo(t *testing.T) {
	function := &unstructured.Unstructured{Object: object(t, `
spec: {template: {spec: {containers: [{env: [{name: RETAIN, value: "2"}, {name: LOG_LEVEL, value: info}]}]}}}`)}
	policy, err := retention.Default().With(settings(function))
	if err != nil || policy.Keep != 2 {
		t.Fatalf("%+v %v", policy, err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	whole := map[string]*v1alpha1.Task{}
	var tasks []retention.Task
	for i, name := range []string{"a", "b", "c", "delivering"} {
		created := metav1.NewTime(now.Add(-time.Duration(i) * time.Hour))
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: created}}
		task.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue}}
		if name == "delivering" {
			task.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogDelivering}
		}
		whole[name] = task
		tasks = append(tasks, retention.Of(task))
	}
	var out bytes.Buffer
	o := &prune{target: &target{screen: screen{out: &out}}}
	if err := o.show(policy, len(tasks), retention.Decide(policy, tasks, now), whole, now); err != nil {
		t.Fatal(err)
	}
	want := "The App keeps its newest 2 Tasks. It has 4, of which 0 run and 0 are pinned; 1 would go.\n\n" +
		"Name   ID   Created                Why\n" +
		"c      0    2026-11-23T10:00:00Z   not among the newest 2 Tasks of its App\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}
