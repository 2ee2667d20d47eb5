package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaskOutcome is what became of a Task.
type TaskOutcome string

// What can become of a Task. All but TaskUnended are for ever.
const (
	TaskUnended    TaskOutcome = "" // it waits or runs
	TaskSucceeded  TaskOutcome = "Succeeded"
	TaskFailed     TaskOutcome = "Failed"
	TaskTerminated TaskOutcome = "Terminated" // somebody asked for it, and it had not ended by itself
	TaskForgotten  TaskOutcome = "Forgotten"  // it is a copy of a Task, and nobody here knows what became of that
)

// reasonCancelledBefore stands in Tasks that were terminated before ReasonCancelled was Kf's word.
const reasonCancelledBefore = "Cancelled"

// Outcome reads what became of the Task from its condition Succeeded.
func (t *Task) Outcome() TaskOutcome {
	c := meta.FindStatusCondition(t.Status.Conditions, ConditionSucceeded)
	switch {
	case c != nil && c.Reason == ReasonRestored:
		return TaskForgotten
	case c == nil || c.Status == metav1.ConditionUnknown:
		return TaskUnended
	case c.Status == metav1.ConditionTrue:
		return TaskSucceeded
	case c.Reason == ReasonCancelled || c.Reason == reasonCancelledBefore:
		return TaskTerminated
	}
	return TaskFailed
}

// HandledBefore says whether runtask was done with this very Task. Labels can be taken off; a status is nobody else's.
func (t *Task) HandledBefore() bool {
	s := t.Status
	return t.Labels[HandledLabel] == string(t.UID) || len(s.Starts) > 0 ||
		meta.FindStatusCondition(s.Conditions, ConditionPipelineRunReady) != nil
}

// Restored says whether the Task is a copy of another, which was handled: from a backup, or of its YAML. What became of that
// is not known here, so it is not run again.
func (t *Task) Restored() bool {
	of := t.Labels[HandledLabel]
	return of != "" && of != string(t.UID) && !t.HandledBefore()
}

// Final says whether the Task has ended: a final Task is never run again, and its outcome never changes.
func (t *Task) Final() bool { return t.Outcome() != TaskUnended }
