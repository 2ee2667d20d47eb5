package delivery

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// LeaseDuration is how long a holder that does not renew is believed to live.
const LeaseDuration = 15 * time.Second

// The lease on a Task is an instance's hold on it: while it lasts, no other delivers the Task's log. It is what a Lease of
// coordination.k8s.io is, but in the Task's own status (deliverer is the holder, renewedAt the renewTime), so that one write
// renews it and records how far the delivery has come.

// Acquirable says whether an instance may acquire the lease, or has it. An instance is HOST/START: another start on the same
// host is dead for sure.
func Acquirable(task *v1alpha1.Task, me string, now time.Time) bool {
	t := task.Status.Termination
	if t == nil || t.Log != v1alpha1.LogDelivering || t.RenewedAt == nil || now.Sub(t.RenewedAt.Time) > LeaseDuration {
		return !t.Finished()
	}
	his, _, _ := strings.Cut(t.Deliverer, "/")
	mine, _, _ := strings.Cut(me, "/")
	return his == mine
}

// Holds says whether me has the lease.
func Holds(task *v1alpha1.Task, me string) bool {
	t := task.Status.Termination
	return t != nil && t.Log == v1alpha1.LogDelivering && t.Deliverer == me
}

// Acquire records that the Task is to be stopped and that me delivers its log. It does nothing to a Task that is finished
// or another's.
func Acquire(task *v1alpha1.Task, me string, now time.Time) {
	if !Acquirable(task, me, now) {
		return
	}
	t := terminationOf(task, now)
	t.Log, t.Deliverer, t.RenewedAt = v1alpha1.LogDelivering, me, microTime(now)
	setLogDelivered(task, metav1.ConditionUnknown, v1alpha1.ReasonDelivering, "the Task's log is being delivered to the logging stream", now)
}

// Renew records how far me has come. It does nothing to a Task that is not me's any more.
func Renew(task *v1alpha1.Task, me string, p Progress, now time.Time) {
	if !Holds(task, me) {
		return
	}
	task.Status.Termination.RenewedAt = microTime(now)
	p.record(task.Status.Termination)
}

// Finish records the end. It does nothing to a Task that is finished.
func Finish(task *v1alpha1.Task, p Progress, log v1alpha1.LogDelivery, message string, now time.Time) {
	if task.Status.Termination.Finished() {
		return
	}
	t := terminationOf(task, now)
	p.record(t)
	t.Log, t.Message, t.Deliverer, t.RenewedAt = log, message, "", nil
	switch log {
	case v1alpha1.LogComplete:
		if message == "" {
			message = "every line was delivered to the logging stream"
		}
		setLogDelivered(task, metav1.ConditionTrue, v1alpha1.ReasonDelivered, message, now)
	case v1alpha1.LogIncomplete:
		setLogDelivered(task, metav1.ConditionFalse, v1alpha1.ReasonIncomplete, message, now)
	default:
		setLogDelivered(task, metav1.ConditionTrue, v1alpha1.ReasonNothingToHandOn, message, now)
	}
}

func (p Progress) record(t *v1alpha1.Termination) {
	if !p.CancelledAt.IsZero() && t.CancelledAt == nil {
		at := metav1.NewTime(p.CancelledAt)
		t.CancelledAt = &at
	}
	if !p.DeliveredTo.IsZero() {
		t.DeliveredTo = microTime(p.DeliveredTo)
	}
	if p.Lines > 0 {
		t.Lines = p.Lines
	}
	if len(p.Gaps) > 0 {
		t.Message = strings.Join(p.Gaps, "; ")
	}
}

func terminationOf(task *v1alpha1.Task, now time.Time) *v1alpha1.Termination {
	if task.Status.Termination == nil {
		task.Status.Termination = &v1alpha1.Termination{RequestedAt: metav1.NewTime(now), RequestedBy: task.TerminatedBy()}
	}
	return task.Status.Termination
}

func setLogDelivered(task *v1alpha1.Task, status metav1.ConditionStatus, reason, message string, now time.Time) {
	v1alpha1.SetCondition(task, &task.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionLogDelivered, Status: status, Reason: reason, Message: message,
	}, now)
}

// microTime is what the API keeps of a time: no later than it is.
func microTime(t time.Time) *metav1.MicroTime {
	m := metav1.NewMicroTime(t.Truncate(time.Microsecond))
	return &m
}
