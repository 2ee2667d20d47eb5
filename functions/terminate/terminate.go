package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// Action is what terminate does with a Task.
type Action string

// Actions.
const (
	// Nothing: the Task is not to be stopped, or all of it is done.
	Nothing Action = "nothing"
	// Leave it to another instance that is at it now.
	Leave Action = "leave"
	// Wait for the PipelineRun of a deleted Task of the same name to go.
	Wait Action = "wait"
	// Bury the Task that has no PipelineRun: a cancelled one takes the name, so that nothing can be started under it.
	Bury Action = "bury"
	// Settle what needs no log to be handed on, with the Decision's Log and Message.
	Settle Action = "settle"
	// Deliver the log and cancel the PipelineRun, in the order that loses nothing.
	Deliver Action = "deliver"
)

// Reasons of the condition LogDelivered.
const (
	ReasonDelivering    = "Delivering"
	ReasonDelivered     = "Delivered"
	ReasonIncomplete    = "Incomplete"
	ReasonNothingToHand = "NothingToHandOn"
)

// claimTime is how long an instance that does not renew its claim on a Task is believed to live. It renews three times
// within it.
const claimTime = 15 * time.Second

// Decision is the Action, and with Settle what to record.
type Decision struct {
	Action  Action
	Log     v1alpha1.LogDelivery
	Message string
}

// Decide says what is to be done with a Task, given the PipelineRun of its name (nil if there is none). me is the
// instance that asks.
func Decide(task *v1alpha1.Task, run *tekton.PipelineRun, me string, now time.Time) Decision {
	t := task.Status.Termination
	begun := t != nil && t.Log == v1alpha1.LogDelivering
	switch {
	case !task.Spec.Terminated || Settled(task):
		return Decision{Action: Nothing}
	case task.DeletionTimestamp != nil:
		return Decision{Action: Nothing, Message: "the Task is being deleted"}
	case begun && !Mine(t, me, now):
		return Decision{Action: Leave, Message: t.Deliverer + " is handing the log on"}
	case run == nil && begun:
		return Decision{Action: Settle, Log: v1alpha1.LogIncomplete, Message: "the PipelineRun was deleted while the Task was being stopped: " + missingAfter(t)}
	case run == nil && task.Final():
		return Decision{Action: Settle, Log: v1alpha1.LogNone, Message: "the Task had ended before it was asked to stop"}
	case run == nil:
		return Decision{Action: Bury}
	case !pipelinerun.Owned(run, task) && ofATask(run):
		return Decision{Action: Wait, Message: "the PipelineRun of an earlier Task of this name is still there"}
	case !pipelinerun.Owned(run, task):
		return Decision{Action: Settle, Log: v1alpha1.LogNone, Message: "the Task had not started: a PipelineRun that is not its own has its name"}
	case bornCancelled(run):
		return Decision{Action: Settle, Log: v1alpha1.LogNone, Message: "the Task had not started, and will not"}
	case run.IsDone() && !begun && !cancelled(run):
		return Decision{Action: Settle, Log: v1alpha1.LogNone, Message: fmt.Sprintf(
			"the Task had ended by itself (%s) before it was asked to stop: its Pod and its log stay", outcome(run))}
	}
	return Decision{Action: Deliver}
}

// Settled says that a Task was asked to stop and that there is nothing left to do about it.
func Settled(task *v1alpha1.Task) bool {
	t := task.Status.Termination
	return t != nil && t.Log != v1alpha1.LogDelivering && t.Log != ""
}

// Mine says whether an instance may hand a Task's log on: no other does. An instance is POD/START: another start of the
// same Pod is dead for sure.
func Mine(t *v1alpha1.Termination, me string, now time.Time) bool {
	if t == nil || t.Log != v1alpha1.LogDelivering || t.Deliverer == me {
		return true
	}
	if t.RenewedAt == nil || now.Sub(t.RenewedAt.Time) > claimTime {
		return true
	}
	his, _, _ := strings.Cut(t.Deliverer, "/")
	mine, _, _ := strings.Cut(me, "/")
	return his == mine
}

// bornCancelled says that the PipelineRun was created as cancelled: Tekton never made anything of it.
func bornCancelled(run *tekton.PipelineRun) bool {
	return run.IsCancelled() && run.Generation == 1 && len(run.Status.ChildReferences) == 0
}

// cancelled says that the PipelineRun ended because it was cancelled, and not by itself just before.
func cancelled(run *tekton.PipelineRun) bool {
	return run.IsDone() && run.IsCancelled() && outcome(run) == tekton.PipelineRunReasonCancelled.String()
}

func ofATask(run *tekton.PipelineRun) bool {
	owner := metav1.GetControllerOf(run)
	return owner != nil && owner.Kind == "Task" && owner.APIVersion == v1alpha1.GroupVersion.String()
}

func outcome(run *tekton.PipelineRun) string {
	if c := run.Status.GetCondition(apis.ConditionSucceeded); c != nil {
		return c.Reason
	}
	return "unknown"
}

func missingAfter(t *v1alpha1.Termination) string {
	if t == nil || t.DeliveredTo == nil {
		return "its log could not be handed on"
	}
	return fmt.Sprintf("lines after %s may be missing", t.DeliveredTo.UTC().Format(time.RFC3339Nano))
}

// Claim records on the Task that it is to be stopped and that me hands its log on. It does nothing to a Task that is
// settled or another's.
func Claim(t *v1alpha1.Task, me string, now time.Time) {
	if Settled(t) || !Mine(t.Status.Termination, me, now) {
		return
	}
	request(t, now)
	renewed := metav1.NewMicroTime(now)
	s := t.Status.Termination
	s.Log, s.Deliverer, s.RenewedAt = v1alpha1.LogDelivering, me, &renewed
	setCondition(t, metav1.ConditionUnknown, ReasonDelivering, "the Task's log is being handed to the logging stream", now)
}

// Renew records how far me has come. It returns false when the Task is not me's any more.
func Renew(t *v1alpha1.Task, me string, p Progress, now time.Time) bool {
	s := t.Status.Termination
	if s == nil || s.Log != v1alpha1.LogDelivering || s.Deliverer != me {
		return false
	}
	renewed := metav1.NewMicroTime(now)
	s.RenewedAt = &renewed
	p.record(s)
	return true
}

// Progress is how far the handing over has come.
type Progress struct {
	CancelledAt time.Time
	DeliveredTo time.Time
	Lines       int64
}

func (p Progress) record(s *v1alpha1.Termination) {
	if !p.CancelledAt.IsZero() && s.CancelledAt == nil {
		at := metav1.NewTime(p.CancelledAt)
		s.CancelledAt = &at
	}
	if !p.DeliveredTo.IsZero() {
		to := metav1.NewMicroTime(p.DeliveredTo.Truncate(time.Microsecond))
		s.DeliveredTo = &to
	}
	if p.Lines > 0 {
		s.Lines = p.Lines
	}
}

// Finish records the end. It does nothing to a Task that is settled.
func Finish(t *v1alpha1.Task, p Progress, log v1alpha1.LogDelivery, message string, now time.Time) {
	if Settled(t) {
		return
	}
	request(t, now)
	s := t.Status.Termination
	s.Log, s.Message, s.Deliverer, s.RenewedAt = log, message, "", nil
	p.record(s)
	switch log {
	case v1alpha1.LogComplete:
		if message == "" {
			message = "every line was handed to the logging stream"
		}
		setCondition(t, metav1.ConditionTrue, ReasonDelivered, message, now)
	case v1alpha1.LogIncomplete:
		setCondition(t, metav1.ConditionFalse, ReasonIncomplete, message, now)
	default:
		setCondition(t, metav1.ConditionTrue, ReasonNothingToHand, message, now)
	}
}

func request(t *v1alpha1.Task, now time.Time) {
	if t.Status.Termination == nil {
		t.Status.Termination = &v1alpha1.Termination{RequestedAt: metav1.NewTime(now), RequestedBy: RequestedBy(t)}
	}
}

func setCondition(t *v1alpha1.Task, s metav1.ConditionStatus, reason, message string, now time.Time) {
	meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionLogDelivered, Status: s, Reason: reason, Message: message,
		ObservedGeneration: t.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}

// RequestedBy is the field manager that set spec.terminated, as the API server recorded it; "" if it did not.
func RequestedBy(t *v1alpha1.Task) string {
	for _, m := range t.ManagedFields {
		var set struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if m.FieldsV1 == nil || m.Subresource != "" || json.Unmarshal(m.FieldsV1.Raw, &set) != nil {
			continue
		}
		if _, ok := set.Spec["f:terminated"]; ok {
			return m.Manager
		}
	}
	return ""
}
