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
)

// Outcome reads what became of the Task from its condition Succeeded.
func (t *Task) Outcome() TaskOutcome {
	c := meta.FindStatusCondition(t.Status.Conditions, ConditionSucceeded)
	switch {
	case c == nil || c.Status == metav1.ConditionUnknown:
		return TaskUnended
	case c.Status == metav1.ConditionTrue:
		return TaskSucceeded
	case c.Reason == ReasonCancelled:
		return TaskTerminated
	}
	return TaskFailed
}

// Final says whether the Task has ended: a final Task is never run again, and its outcome never changes.
func (t *Task) Final() bool { return t.Outcome() != TaskUnended }
