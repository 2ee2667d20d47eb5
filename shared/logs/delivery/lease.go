package delivery

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// LeaseDuration is how long a holder that does not renew is believed to live.
const LeaseDuration = 15 * time.Second

// Lease is an instance's hold on a Task: while it lasts, no other delivers the Task's log. It is what a Lease of
// coordination.k8s.io is, but in the Task's own status (deliverer is the holder, renewedAt the renewTime), so that one write
// renews it and records how far the delivery has come.
type Lease struct {
	// Task as it was acquired, and what the instance that held it before had recorded.
	Task   *v1alpha1.Task
	Before *v1alpha1.Termination

	tasks   *client.Tasks
	holder  string
	now     func() time.Time
	renewed atomic.Pointer[time.Time]
	ended   atomic.Bool
}

// Instance is a name for an instance on a host, HOST/START: each start has one of its own. Without a host, it is this machine.
func Instance(host string) (string, error) {
	if host == "" {
		var err error
		host, err = os.Hostname()
		if err != nil {
			return "", fmt.Errorf("name this instance: %w", err)
		}
	}
	return host + "/" + rand.Text()[:8], nil
}

// AcquireLease acquires the lease on a Task for an instance. It fails when another was first.
func AcquireLease(ctx context.Context, tasks *client.Tasks, task *v1alpha1.Task, me string, now func() time.Time) (*Lease, error) {
	l := &Lease{tasks: tasks, holder: me, now: now}
	at := now()
	l.renewed.Store(&at)
	task, err := client.PatchStatus(ctx, tasks, task, func(t *v1alpha1.Task) {
		l.Before = t.Status.Termination.DeepCopy()
		acquire(t, me, at)
	})
	if err != nil {
		return nil, err
	}
	if !holds(task, me) {
		return nil, fmt.Errorf("Task %s/%s: another instance was first", task.Namespace, task.Name)
	}
	l.Task = task
	return l, nil
}

// Keep renews the lease, three times in its duration, while ctx lasts, and gives up the work when another has it.
func (l *Lease) Keep(ctx context.Context, progress func() Progress, giveUp func()) {
	log := logging.FromContext(ctx).With("task", l.Task.Namespace+"/"+l.Task.Name)
	tick := time.NewTicker(LeaseDuration / 3)
	defer tick.Stop()
	for task := l.Task; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at := l.now()
		limited, cancel := context.WithTimeout(ctx, LeaseDuration/3) // one that hangs must not outlast the lease
		got, err := client.PatchStatus(limited, l.tasks, task, func(t *v1alpha1.Task) { renew(t, l.holder, progress(), at) })
		cancel()
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warnw("lease not renewed, will retry", "error", err)
		case err == nil && !holds(got, l.holder):
			if !l.ended.Load() {
				log.Warnw("another instance has acquired the lease")
				giveUp()
			}
			return
		case err == nil:
			task = got
			l.renewed.Store(&at)
		}
	}
}

// Expired says that another may have the lease by now. The work goes on until that is known: what is read twice is worth less
// than what may be read by nobody.
func (l *Lease) Expired() bool { return l.now().Sub(*l.renewed.Load()) > LeaseDuration }

// Finish records the verdict, which ends the lease.
func (l *Lease) Finish(ctx context.Context, p Progress, log v1alpha1.LogDelivery, message string) error {
	l.ended.Store(true)
	_, err := client.PatchStatus(ctx, l.tasks, l.Task, func(t *v1alpha1.Task) { Finish(t, p, log, message, l.now()) })
	return err
}

// Held says that some instance has the lease. The event that it works on has not been acknowledged yet, so nothing is lost by
// whoever leaves the Task to it, and takes an event of its status writes as read.
func Held(task *v1alpha1.Task, now time.Time) bool {
	t := task.Status.Termination
	return t != nil && t.Log == v1alpha1.LogDelivering && t.RenewedAt != nil && now.Sub(t.RenewedAt.Time) <= LeaseDuration
}

// Acquirable says whether an instance may acquire the lease, or has it. Another start on the same host is dead for sure.
func Acquirable(task *v1alpha1.Task, me string, now time.Time) bool {
	t := task.Status.Termination
	if !Held(task, now) {
		return !t.Finished()
	}
	his, _, _ := strings.Cut(t.Deliverer, "/")
	mine, _, _ := strings.Cut(me, "/")
	return his == mine
}

func holds(task *v1alpha1.Task, me string) bool {
	t := task.Status.Termination
	return t != nil && t.Log == v1alpha1.LogDelivering && t.Deliverer == me
}

// acquire records that the Task is to be stopped and that me delivers its log. It does nothing to a Task that is finished
// or another's.
func acquire(task *v1alpha1.Task, me string, now time.Time) {
	if !Acquirable(task, me, now) {
		return
	}
	t := terminationOf(task, now)
	t.Log, t.Deliverer, t.RenewedAt = v1alpha1.LogDelivering, me, microTime(now)
	message := "the Task's log is being delivered to the logging stream"
	setLogDelivered(task, metav1.ConditionUnknown, v1alpha1.ReasonDelivering, message, now)
}

// renew records how far me has come. It does nothing to a Task that is not me's any more.
func renew(task *v1alpha1.Task, me string, p Progress, now time.Time) {
	if !holds(task, me) {
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
