package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// reader hands one Pod's log on.
type reader struct {
	attached chan struct{} // the log is being received
	done     chan struct{}
	err      error
}

// read hands one Pod's log on.
func (d *delivery) read(ctx context.Context, pod tasklog.Pod, newest bool, r *reader) {
	defer close(r.done)
	id := d.task.ID()
	stream := d.h.Sink.Open(sink.Origin{
		Space: d.task.Namespace, App: d.task.Spec.AppRef.Name, Task: d.task.Name, ID: id,
		Pod: pod.Name, PodUID: string(pod.UID), Container: tasklog.Container,
	})
	defer stream.Close()

	var seq int64
	o := follow.Options{Follow: true}
	if newest && !d.from.DeliveredTo.IsZero() && !pod.Created.After(d.from.DeliveredTo) {
		o.From = follow.Cursor{Time: d.from.DeliveredTo, Same: 1, Resolution: time.Microsecond}
		seq = d.from.Lines
	}
	var attached sync.Once
	o.Attached = func() { attached.Do(func() { close(r.attached) }) }
	o.Gap = func(after, before time.Time) {
		d.miss(fmt.Sprintf("lines between %s and %s may be missing: the node rotated them away", stamp(after), stamp(before)))
	}
	var last time.Time // of the lines handed to the stream
	lines := seq
	flushed := d.h.Now()
	checkpoint := func() {
		if d.h.Now().Sub(flushed) < d.h.Limits.Checkpoint {
			return
		}
		d.lost(stream.Flush(ctx))
		flushed = d.h.Now()
		if newest {
			d.handedOn(last, lines)
		}
	}
	o.Idle = func() { stream.Push(); checkpoint() }
	res, err := follow.Log(ctx, d.pods.Log(d.h.Streams.Pods(d.task.Namespace), pod), o, func(l follow.Line) error {
		seq++
		if err := stream.Write(ctx, sink.Record{
			Time: l.Time, Text: l.Text, Seq: seq, More: l.More, MaybeDouble: d.resumed && l.Time.Before(d.began),
		}); err != nil {
			return err
		}
		if !l.More {
			last = l.Time
			if lines++; lines%1024 == 0 {
				checkpoint()
			}
		}
		return nil
	})
	r.err = err
	if ctx.Err() != nil {
		return // cut short: whoever comes next goes on from the last checkpoint
	}
	d.lost(stream.Flush(ctx))
	if newest {
		d.handedOn(last, lines)
	}
	seen, _ := d.pods.Pod(pod.UID)
	d.mu.Lock()
	if !newest {
		d.progress.Lines += lines
	}
	d.ran = d.ran || seen.Ran || lines > 0
	if o.From.IsZero() && !seen.StartedAt.IsZero() && res.First.Sub(seen.StartedAt) > rotation {
		d.notes = append(d.notes, "the first line that the node had is of "+stamp(res.First))
	}
	d.mu.Unlock()
	if why := Short(res, seen, err); why != "" {
		d.miss(why)
	}
}

// rotation is the least time in which a node looks whether a log is to be rotated. Of a log that begins later than that
// after its container, the beginning may have been rotated away: nothing in the API tells that from a quiet start.
const rotation = 10 * time.Second

// Short says what may be missing of a log that was read to res and err, given what is last known of its Pod; "" if
// nothing is.
func Short(res follow.Result, pod tasklog.Pod, err error) string {
	after := "the log could not be read"
	if !res.Cursor.IsZero() {
		after = "lines after " + stamp(res.Cursor.Time) + " may be missing"
	}
	switch {
	case res.Whole:
		return ""
	// The node removed the log before it could be read again. If the stream ended after the container had, it was whole.
	// Node and function keep different clocks, and the kubelet gives whole seconds.
	case !res.EndedAt.IsZero() && pod.FinishedAt.Unix() > 0 && res.EndedAt.Add(2*time.Second).After(pod.FinishedAt):
		return ""
	case err != nil:
		return fmt.Sprintf("%s: %v", after, err)
	case !pod.Ran:
		return ""
	}
	return after + ": the Pod was gone before its log was read to the end"
}

func (d *delivery) miss(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missing = append(d.missing, what)
}

func (d *delivery) lost(us []sink.Undelivered) {
	if m := sink.Report(us); m != "" {
		d.miss(m)
	}
}

func (d *delivery) handedOn(to time.Time, lines int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !to.IsZero() {
		d.progress.DeliveredTo, d.progress.Lines = to, lines
	}
}

func (d *delivery) now() Progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.progress
}

// renew keeps the claim on the Task while ctx lasts, and gives up the work when another has taken it.
func (d *delivery) renew(ctx context.Context, giveUp func()) {
	tick := time.NewTicker(claimTime / 3)
	defer tick.Stop()
	task := d.task
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		mine := true
		got, err := client.PatchStatus(ctx, d.h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) {
			mine = Renew(t, d.h.Me, d.now(), d.h.Now())
		})
		switch {
		case !mine && !Settled(got):
			logging.FromContext(ctx).Warnw("another instance has taken over", "task", task.Namespace+"/"+task.Name)
			giveUp()
			return
		case err == nil:
			task = got
		case ctx.Err() == nil:
			logging.FromContext(ctx).Warnw("claim not renewed", "error", err)
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
