package v1alpha1

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Condition types.
const (
	// ConditionSucceeded is a Task's outcome: True, False, or Unknown while it has not ended.
	ConditionSucceeded = "Succeeded"
	// ConditionReady says whether an App or a Job is usable.
	ConditionReady = "Ready"
	// ConditionAppReady says on a Task whether its App was found and has what a Task needs.
	ConditionAppReady = "AppReady"
	// ConditionPipelineRunReady mirrors the PipelineRun's own Succeeded condition on the Task, as Kf does.
	ConditionPipelineRunReady = "PipelineRunReady"
	// ConditionLogDelivered says of a terminated Task whether its log was handed to the logging stream. Not in Kf.
	ConditionLogDelivered = "LogDelivered"
)

// maxMessage is how long a condition's message may be, in characters (metav1.Condition).
const maxMessage = 32768

// SetCondition writes a condition that was observed now on the object as it stands. The time of its last transition
// moves only with its status.
func SetCondition(of metav1.Object, conditions *[]metav1.Condition, c metav1.Condition, now time.Time) {
	c.ObservedGeneration = of.GetGeneration()
	c.LastTransitionTime = metav1.NewTime(now)
	if len(c.Message) > maxMessage { // the object would be refused for it, whatever else there is to say
		c.Message = strings.ToValidUTF8(c.Message[:maxMessage], "")
	}
	meta.SetStatusCondition(conditions, c)
}

// Reason is that of a condition, "" if there is none of the type yet.
func Reason(conditions []metav1.Condition, of string) string {
	if c := meta.FindStatusCondition(conditions, of); c != nil {
		return c.Reason
	}
	return ""
}
