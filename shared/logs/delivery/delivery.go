// Package delivery delivers the log of a Task that is being stopped to a sink: every Pod's, from where an earlier delivery
// had come to, with an account of what was delivered and of what may be missing, and a record of both, and of who is at it,
// in the Task's status.
package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// Settings say what to deliver where.
type Settings struct {
	Pods    *tasklog.Pods
	Of      func(tasklog.Pod) bool    // which of the Pods
	Streams corev1client.PodInterface // to read their logs with
	Sink    sink.Sink
	Now     func() time.Time
}

// checkpointEvery is the time from one to the next moment at which all that was read has been delivered: less than that
// between two renewals of the lease, so that each has one to record.
const checkpointEvery = LeaseDuration / 6

// Delivery is one under way.
type Delivery struct {
	*tasklog.Readers
	s     Settings
	lease *Lease
	from  Progress // where an earlier delivery had come to
	// resumed is when this one went on with it, if there was one: older lines may have been delivered by that.
	resumed time.Time

	mu      sync.Mutex
	account Account
}

// Start delivers the log of the lease's Task until ctx ends, from where who held the lease before has come to.
func Start(ctx context.Context, lease *Lease, s Settings) *Delivery {
	d := &Delivery{s: s, lease: lease, from: ProgressOf(lease.Before)}
	if lease.Before != nil {
		d.resumed = s.Now()
	}
	d.account = Account{Progress: d.from, Resumed: d.resumed}
	d.Readers = tasklog.ReadEach(ctx, s.Pods, s.Of, d.pod)
	return d
}

// Account is what is known so far.
func (d *Delivery) Account() Account {
	d.mu.Lock()
	a := d.account
	a.Gaps, a.Notes = slices.Clone(a.Gaps), slices.Clone(a.Notes)
	d.mu.Unlock()
	for _, p := range d.Now() {
		a.PodSeen, a.Ran = true, a.Ran || p.Ran
	}
	return a
}

// Progress is how far it has come: the part of the account that is recorded.
func (d *Delivery) Progress() Progress { return d.Account().Progress }

// Note adds to the account.
func (d *Delivery) Note(change func(*Account)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.account)
}

func (d *Delivery) gap(what string) {
	if what != "" {
		d.Note(func(a *Account) { a.Gaps = append(a.Gaps, what) })
	}
}

// pod delivers one Pod's log. Only the newest Pod's lines move the position that is recorded: when it comes, those before
// it have ended.
func (d *Delivery) pod(ctx context.Context, pod tasklog.Pod, newest bool, opened func()) error {
	stream := d.s.Sink.Open(origin(d.lease.Task, pod))
	defer stream.Close()

	options := follow.Options{Follow: true, Attached: opened}
	var seq int64
	if newest && !d.from.DeliveredTo.IsZero() && !pod.Created.After(d.from.DeliveredTo) {
		options.From = follow.Cursor{Time: d.from.DeliveredTo, Same: 1, Resolution: time.Microsecond}
		seq = d.from.Lines
	}
	var lines int64    // since the last checkpoint
	var last time.Time // of them
	flushed := d.s.Now()
	checkpoint := func() {
		undelivered := stream.Flush(ctx)
		if ctx.Err() != nil {
			return // cut short: whoever comes next goes on from the last checkpoint
		}
		d.gap(sink.Report(undelivered)) // before the position that is past it
		d.Note(func(a *Account) {
			a.Lines += lines
			if newest && !last.IsZero() {
				a.DeliveredTo = last
			}
		})
		lines, flushed = 0, d.s.Now()
	}
	due := func() bool { return d.s.Now().Sub(flushed) >= checkpointEvery }
	options.Idle = func() {
		stream.Push()
		if due() {
			checkpoint()
		}
	}
	options.Gap = func(after, before time.Time) { d.gap(tasklog.Rotated(after, before)) }
	res, err := follow.Log(ctx, d.s.Pods.Log(d.s.Streams, pod), options, func(l follow.Line) error {
		seq++
		double := l.Time.Before(d.resumed) || d.lease.Expired()
		if err := stream.Write(ctx, sink.Record{Time: l.Time, Text: l.Text, Seq: seq, More: l.More, MaybeDouble: double}); err != nil {
			return err
		}
		if !l.More {
			last = l.Time
			if lines++; lines%1024 == 0 && due() {
				checkpoint()
			}
		}
		return nil
	})
	checkpoint()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	seen, _ := d.s.Pods.Pod(pod.UID)
	if options.From.IsZero() && !seen.StartedAt.IsZero() && res.First.Sub(seen.StartedAt) > rotation {
		d.Note(func(a *Account) {
			a.Notes = append(a.Notes, "the first line that the node had is of "+tasklog.Stamp(res.First))
		})
	}
	d.gap(tasklog.Gap(res, seen, err))
	return err
}

func origin(task *v1alpha1.Task, pod tasklog.Pod) sink.Origin {
	return sink.Origin{
		Space: task.Namespace, App: task.Spec.AppRef.Name, Task: task.Name, ID: task.ID(),
		Pod: pod.Name, PodUID: string(pod.UID), Container: tasklog.Container,
	}
}

// rotation is the least time in which a node looks whether a log is to be rotated. Of a log that begins later than that
// after its container, the beginning may have been rotated away: nothing in the API tells that from a quiet start.
const rotation = 10 * time.Second
