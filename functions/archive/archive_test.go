package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// ended is a Task that ended so long ago, and that is to be archived.
func ended(ago time.Duration, change func(*v1alpha1.Task)) *v1alpha1.Task {
	at := metav1.NewTime(now.Add(-ago))
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "shop-1", Labels: map[string]string{v1alpha1.ArchiveLabel: v1alpha1.ArchiveWanted}}}
	t.Status.CompletionTime = &at
	t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded", LastTransitionTime: at}}
	change(t)
	return t
}

func TestDecide(t *testing.T) {
	stopping := func(log v1alpha1.LogDelivery) func(*v1alpha1.Task) {
		return func(t *v1alpha1.Task) { t.Status.Termination = &v1alpha1.Termination{Log: log} }
	}
	state := func(s v1alpha1.ArchiveState) func(*v1alpha1.Task) {
		return func(t *v1alpha1.Task) { t.Status.Log = &v1alpha1.TaskLog{State: s} }
	}
	same := func(*v1alpha1.Task) {}
	for name, c := range map[string]struct {
		task *v1alpha1.Task
		off  bool
		want Action
	}{
		"has ended":                    {task: ended(time.Minute, same), want: Keep},
		"long ago":                     {task: ended(48*time.Hour, same), want: Keep}, // it is tried once
		"waits for the registry":       {task: ended(time.Hour, state(v1alpha1.ArchiveWaiting)), want: Keep},
		"is archived":                  {task: ended(time.Hour, state(v1alpha1.ArchiveComplete)), want: Nothing},
		"is archived in part":          {task: ended(time.Hour, state(v1alpha1.ArchiveIncomplete)), want: Nothing},
		"was given up":                 {task: ended(time.Hour, state(v1alpha1.ArchiveNone)), want: Nothing},
		"runs":                         {task: ended(time.Hour, func(t *v1alpha1.Task) { t.Status.Conditions = nil }), want: Nothing},
		"is not marked":                {task: ended(time.Hour, func(t *v1alpha1.Task) { t.Labels = nil }), want: Nothing},
		"is marked otherwise":          {task: ended(time.Hour, func(t *v1alpha1.Task) { t.Labels[v1alpha1.ArchiveLabel] = "no" }), want: Nothing},
		"is being deleted":             {task: ended(time.Hour, func(t *v1alpha1.Task) { t.DeletionTimestamp = &metav1.Time{Time: now} }), want: Nothing},
		"its Space archives no more":   {task: ended(time.Hour, same), off: true, want: Settle},
		"is archived, and no more":     {task: ended(time.Hour, state(v1alpha1.ArchiveComplete)), off: true, want: Nothing},
		"is being delivered":           {task: ended(time.Minute, stopping(v1alpha1.LogDelivering)), want: Leave},
		"was stopped":                  {task: ended(time.Minute, stopping(v1alpha1.LogComplete)), want: Leave},
		"was stopped, with a gap":      {task: ended(time.Minute, stopping(v1alpha1.LogIncomplete)), want: Leave},
		"ended before it was stopped":  {task: ended(time.Minute, stopping(v1alpha1.LogNone)), want: Keep}, // its Pod stays
		"was stopped a day ago":        {task: ended(24*time.Hour, stopping(v1alpha1.LogComplete)), want: Settle},
		"was stopped nearly a day ago": {task: ended(24*time.Hour-time.Second, stopping(v1alpha1.LogComplete)), want: Leave},
	} {
		if d := Decide(Facts{Task: c.task, Place: !c.off, Now: now}); d.Action != c.want || d.Message == "" {
			t.Errorf("%s: %+v, want %s", name, d, c.want)
		}
	}
}

// TestWhatALogThatIsNotSettledHoldsBack: the Task and its Pod, for a day and no longer, and of nobody who does not ask for it.
func TestWhatALogThatIsNotSettledHoldsBack(t *testing.T) {
	same := func(*v1alpha1.Task) {}
	for name, c := range map[string]struct {
		task *v1alpha1.Task
		want bool
	}{
		"has ended":     {ended(time.Hour, same), true},
		"waits":         {ended(23*time.Hour, func(t *v1alpha1.Task) { t.NoteLog(v1alpha1.TaskLog{State: v1alpha1.ArchiveWaiting}, now) }), true},
		"waited a day":  {ended(24*time.Hour, func(t *v1alpha1.Task) { t.NoteLog(v1alpha1.TaskLog{State: v1alpha1.ArchiveWaiting}, now) }), false},
		"is archived":   {ended(time.Hour, func(t *v1alpha1.Task) { t.NoteLog(v1alpha1.TaskLog{State: v1alpha1.ArchiveComplete}, now) }), false},
		"is not marked": {ended(time.Hour, func(t *v1alpha1.Task) { t.Labels = nil }), false},
		"has not ended": {ended(time.Hour, func(t *v1alpha1.Task) { t.Status.Conditions = nil }), false},
	} {
		if got := c.task.AwaitsArchive(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhatIsSettledStays, whoever comes late.
func TestWhatIsSettledStays(t *testing.T) {
	task := ended(time.Hour, func(*v1alpha1.Task) {})
	for _, s := range []v1alpha1.ArchiveState{v1alpha1.ArchiveWaiting, v1alpha1.ArchiveComplete, v1alpha1.ArchiveNone} {
		task.NoteLog(v1alpha1.TaskLog{State: s, Message: "message of " + string(s)}, now)
	}
	c := task.Status.Conditions[len(task.Status.Conditions)-1]
	if task.Status.Log.State != v1alpha1.ArchiveComplete || c.Type != v1alpha1.ConditionLogArchived || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, "Complete") {
		t.Errorf("%+v, %+v", task.Status.Log, c)
	}
}
