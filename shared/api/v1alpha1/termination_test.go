package v1alpha1

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhoAskedToTerminateIsKnownFromManagedFields(t *testing.T) {
	task := &Task{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
		{Manager: "creator", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:command":{}}}`)},
		{Manager: "status", Subresource: "status", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:terminated":{}}}`)},
		{Manager: "kf", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:terminated":{}}}`)},
	}}}
	if got := task.TerminatedBy(); got != "kf" {
		t.Errorf("%q", got)
	}
	if got := (&Task{}).TerminatedBy(); got != "" {
		t.Errorf("nobody: %q", got)
	}
}

func TestATerminationIsFinishedOnceItsLogIsSettled(t *testing.T) {
	for log, want := range map[LogDelivery]bool{"": false, LogDelivering: false, LogNone: true, LogComplete: true, LogIncomplete: true} {
		if got := (&Termination{Log: log}).Finished(); got != want {
			t.Errorf("%q: %t", log, got)
		}
	}
	if (*Termination)(nil).Finished() {
		t.Error("finished though it was never begun")
	}
}

func TestOnlyATaskThatMayYetRunIsStopped(t *testing.T) {
	ended := TaskStatus{Conditions: []metav1.Condition{{Type: ConditionSucceeded, Status: metav1.ConditionTrue}}}
	for name, c := range map[string]struct {
		task *Task
		stop bool
	}{
		"none":             {nil, false},
		"new":              {&Task{}, true},
		"ended":            {&Task{Status: ended}, false},
		"terminated":       {&Task{Spec: TaskSpec{Terminated: true}}, false},
		"terminated, over": {&Task{Spec: TaskSpec{Terminated: true}, Status: ended}, false},
	} {
		if may, why := c.task.MayStop(); may != c.stop || may != (why == "") {
			t.Errorf("%s: %t %q", name, may, why)
		}
	}
}
