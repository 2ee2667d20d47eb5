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
