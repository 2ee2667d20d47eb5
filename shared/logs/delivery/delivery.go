// Package delivery delivers the log of a Task that is being stopped to a sink: every Pod's, from where an earlier delivery
// had come to, with an account of what was delivered and of what may be missing, and a record of both, and of who is at it,
// in the Task's status.
package delivery

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

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
	Origin  sink.Origin // of all Pods
	// From is where an earlier delivery had come to, and Resumed, if there was one, when this one went on with it: older
	// lines may have been delivered by that.
	From    Progress
	Resumed time.Time
	// Checkpoint is the time from one to the next moment at which all that was read has been delivered.
	Checkpoint time.Duration
	Now        func() time.Time
}

// Delivery is one under way.
type Delivery struct {
	*tasklog.Readers
	s Settings

	mu      sync.Mutex
	account Account
}

// Start delivers until ctx ends.
func Start(ctx context.Context, s Settings) *Delivery {
	d := &Delivery{s: s, account: Account{Progress: s.From, Resumed: s.Resumed}}
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
	origin := d.s.Origin
	origin.Pod, origin.PodUID, origin.Container = pod.Name, string(pod.UID), tasklog.Container
	stream := d.s.Sink.Open(origin)
	defer stream.Close()

	options := follow.Options{Follow: true, Attached: opened}
	var seq int64
	if newest && !d.s.From.DeliveredTo.IsZero() && !pod.Created.After(d.s.From.DeliveredTo) {
		options.From = follow.Cursor{Time: d.s.From.DeliveredTo, Same: 1, Resolution: time.Microsecond}
		seq = d.s.From.Lines
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
	checkpointIfDue := func() {
		if d.s.Now().Sub(flushed) >= d.s.Checkpoint {
			checkpoint()
		}
	}
	options.Idle = func() { stream.Push(); checkpointIfDue() }
	options.Gap = func(after, before time.Time) {
		d.gap(fmt.Sprintf("lines between %s and %s may be missing: the node rotated them away", stamp(after), stamp(before)))
	}
	res, err := follow.Log(ctx, d.s.Pods.Log(d.s.Streams, pod), options, func(l follow.Line) error {
		seq++
		double := l.Time.Before(d.s.Resumed)
		if err := stream.Write(ctx, sink.Record{Time: l.Time, Text: l.Text, Seq: seq, More: l.More, MaybeDouble: double}); err != nil {
			return err
		}
		if !l.More {
			last = l.Time
			if lines++; lines%1024 == 0 {
				checkpointIfDue()
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
			a.Notes = append(a.Notes, "the first line that the node had is of "+stamp(res.First))
		})
	}
	d.gap(tasklog.Gap(res, seen, err))
	return err
}

// rotation is the least time in which a node looks whether a log is to be rotated. Of a log that begins later than that
// after its container, the beginning may have been rotated away: nothing in the API tells that from a quiet start.
const rotation = 10 * time.Second

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
