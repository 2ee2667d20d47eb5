package v1alpha1

import (
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Condition types.
const (
	// ConditionSucceeded is a Task's outcome: True, False, or Unknown while it has not ended.
	ConditionSucceeded = "Succeeded"
	// ConditionReady says whether an App or a Job is usable.
	ConditionReady = "Ready"
	// ConditionBuildReady says on an App that is built from source what became of its newest build, or rebase; on one that names its
	// image, what ConditionReady says.
	ConditionBuildReady = "BuildReady"
	// ConditionDeploymentReady is Kf's, of what serves an App. Here nothing does, so it is True only of an App that is stopped.
	ConditionDeploymentReady = "DeploymentReady"
	// ConditionAppReady says on a Task whether its App was found and has what a Task needs.
	ConditionAppReady = "AppReady"
	// ConditionPipelineRunReady mirrors the PipelineRun's own Succeeded condition on the Task, as Kf does.
	ConditionPipelineRunReady = "PipelineRunReady"
	// ConditionNamespaceReady says on a Space whether its namespace is there. It is Kf's.
	ConditionNamespaceReady = "NamespaceReady"
	// ConditionLogDelivered says of a terminated Task whether its log was handed to the logging stream. Not in Kf.
	ConditionLogDelivered = "LogDelivered"
	// ConditionOverdue says of a Job with expectSuccessWithin whether it has not succeeded for longer. Not in Kf.
	ConditionOverdue = "Overdue"
	// ConditionLogArchived says of an ended Task, in a Space that archives logs, whether its log is in the archive. Not in Kf.
	ConditionLogArchived = "LogArchived"
)

// maxMessage is how long a condition's message may be, in characters (metav1.Condition).
const maxMessage = 32768

// reason is what the API server takes for a condition's (metav1.Condition).
var reason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// ReasonUnknown stands for a reason that somebody else gave and that is none.
const ReasonUnknown = "Unknown"

// SetCondition writes a condition that was observed now on the object as it stands. The time of its last transition
// moves only with its status. What others say in it is inert, for it is shown wherever the object is.
func SetCondition(of metav1.Object, conditions *[]metav1.Condition, c metav1.Condition, now time.Time) {
	c.ObservedGeneration = of.GetGeneration()
	c.LastTransitionTime = metav1.NewTime(now)
	if len(c.Reason) > 1024 || !reason.MatchString(c.Reason) {
		c.Reason = ReasonUnknown
	}
	c.Message = inert.Line(strings.ReplaceAll(strings.TrimSpace(c.Message), "\n", " "))
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
