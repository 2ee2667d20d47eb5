package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestHistoryHasTheLedgerAndRunsByHand(t *testing.T) {
	at := func(minute int) metav1.Time { return metav1.Date(2026, 11, 23, 12, minute, 0, 0, time.UTC) }
	j := newJob("", "* * * * *")
	j.Status.History = []v1alpha1.Decision{
		{Instant: at(5), Outcome: v1alpha1.OutcomeSkipped, Task: "nightly-4", Message: "nightly-4 still runs"},
		{Instant: at(4), Outcome: v1alpha1.OutcomeRan, Task: "nightly-4"},
		{Instant: at(3), Outcome: v1alpha1.OutcomeMissed, Count: 3, Message: "a later instant had passed"},
		{Instant: at(0), Outcome: v1alpha1.OutcomeRan, Task: "nightly-0", Result: "Succeeded"}, // pruned since
	}
	j.Status.Watch = &v1alpha1.Watch{Notices: []v1alpha1.Notice{{At: at(1), What: v1alpha1.NoticeOverdue, Message: "no Task of it has succeeded"}}}
	task := func(name, generate string, minute int, reason string) *v1alpha1.Task {
		return &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, GenerateName: generate, CreationTimestamp: at(minute)},
			Status: v1alpha1.TaskStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: reason}}}}
	}
	var got []string
	for _, e := range history(j, []*v1alpha1.Task{task("nightly-4", "", 4, "Running"), task("nightly-x", "nightly-", 2, "Failed")}) {
		got = append(got, strings.Join([]string{e.at.Format("15:04"), e.outcome, e.task, e.result, e.message}, "|"))
	}
	want := []string{
		"12:05|Skipped|nightly-4||nightly-4 still runs",
		"12:04|Ran|nightly-4|Running|",
		"12:03|Missed (3)|||a later instant had passed",
		"12:02|Ran|nightly-x|Failed|run by hand",
		"12:01|Overdue|||no Task of it has succeeded",
		"12:00|Ran|nightly-0|Succeeded|"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
