package podlogs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TaskGetter is what is needed of the client of a namespace's Tasks.
type TaskGetter interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*v1alpha1.Task, error)
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

// Reader reads what the Tasks of one namespace write.
type Reader struct {
	Tasks TaskGetter
	// Pods is used to watch, Streams to read; Streams should have connections of its own (see the function Streams).
	Pods, Streams v1.PodInterface
}

// Entry is something to show: a line, a note about the lines, or how a Task ended.
type Entry struct {
	Task string
	ID   string
	Pod  string
	Line
	// Note, when set, is said by the reader and not by the Task; there is no Line then.
	Note string
	// Outcome, when set, is the last of its Task.
	Outcome *Outcome
}

// Outcome is how a Task ended, or how it stands.
type Outcome struct {
	Ended    bool
	Reason   string
	Message  string
	ExitCode *int32
	Duration time.Duration
}

// OutcomeOf reads a Task's status.
func OutcomeOf(t *v1alpha1.Task) *Outcome {
	o := &Outcome{Ended: t.Final(), Reason: "Pending", ExitCode: t.Status.ExitCode}
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		o.Reason, o.Message = c.Reason, c.Message
	}
	if d := t.Status.Duration; d != nil {
		o.Duration = d.Duration
	}
	return o
}

// Output takes entries, one at a time. Idle is called when there are no more for now.
type Output struct {
	Entry func(Entry) error
	Idle  func()
}

func (o Output) idle() {
	if o.Idle != nil {
		o.Idle()
	}
}

// settle is how long after the end of its Pod a Task may take to say how it ended.
const settle = 30 * time.Second

// Task hands on what a Task writes: all its Pods, if it was tried again, one after the other, and at last its outcome.
// Following, it waits for a Task that has not started, and ends when the Task has ended.
func (r *Reader) Task(ctx context.Context, name string, o Options, out Output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	task, err := r.Tasks.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get Task %s: %w", name, err)
	}
	out.idle() // it is there, and there may be nothing to show for long
	pods := WatchPods(ctx, r.Pods, labels.Set{v1alpha1.TaskLabel: name}.String())
	read := map[types.UID]bool{}
	var lines int64
	for {
		found, synced, changed, err := pods.Snapshot()
		if err != nil {
			return err
		}
		mine := slices.DeleteFunc(found, func(p Pod) bool { return p.Created.Before(task.CreationTimestamp.Time) })
		sortPods(mine)
		if o.Tail != nil && len(mine) > 1 && len(read) == 0 { // the last lines are those of the last try
			for _, p := range mine[:len(mine)-1] {
				read[p.UID] = true
			}
		}
		for _, p := range mine {
			if read[p.UID] {
				continue
			}
			read[p.UID] = true
			n, err := r.pod(ctx, pods, p, o, out)
			lines += n
			if err != nil {
				return err
			}
			o.Tail = nil
			changed = nil
			break
		}
		if !synced {
			if err := wait(ctx, changed, time.Second); err != nil {
				return err
			}
			continue
		}
		if changed == nil {
			continue // look again: a Pod has been read
		}
		if task, err = r.current(ctx, task); err != nil || task == nil {
			return err
		}
		if task.Final() || !o.Follow {
			break
		}
		if err := r.changed(ctx, task, changed); err != nil {
			return err
		}
	}
	if len(read) == 0 {
		if note := absent(task); note != "" {
			if err := out.Entry(Entry{Task: name, Note: note}); err != nil {
				return err
			}
		}
	}
	err = out.Entry(Entry{Task: name, ID: task.Labels[v1alpha1.VersionLabel], Outcome: OutcomeOf(task)})
	out.idle()
	return err
}

// absent says why there is no log to read.
func absent(t *v1alpha1.Task) string {
	s := t.Status.Termination
	switch {
	case s != nil && s.Log == v1alpha1.LogComplete:
		return "the Task was terminated: its log was handed to the cluster's logging stream"
	case s != nil && s.Log == v1alpha1.LogIncomplete:
		return "the Task was terminated: its log was handed to the cluster's logging stream, but " + s.Message
	case s != nil && s.Log == v1alpha1.LogDelivering:
		return "the Task is being terminated: its log is being handed to the cluster's logging stream"
	case t.Final():
		return "the Task has no Pod any more, or never had one"
	}
	return "the Task has not started"
}

// current reads the Task again; nil if it is gone.
func (r *Reader) current(ctx context.Context, task *v1alpha1.Task) (*v1alpha1.Task, error) {
	now, err := r.Tasks.Get(ctx, task.Name, metav1.GetOptions{})
	if errors.IsNotFound(err) || err == nil && now.UID != task.UID {
		return nil, fmt.Errorf("Task %s was deleted", task.Name)
	}
	if err != nil && ctx.Err() == nil && !isDenied(err) {
		return task, nil // passing: what is known stays true, and it is asked again
	}
	return now, err
}

// changed returns when the Task, or its Pods, have changed.
func (r *Reader) changed(ctx context.Context, task *v1alpha1.Task, pods <-chan struct{}) error {
	w, err := r.Tasks.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + task.Name, ResourceVersion: task.ResourceVersion,
	})
	if err != nil {
		return wait(ctx, pods, retryMax)
	}
	defer w.Stop()
	select {
	case <-w.ResultChan():
	case <-pods:
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return wait(ctx, nil, retryMin) // changes come in flocks
	}
	return ctx.Err()
}

// pod hands on one Pod's log.
func (r *Reader) pod(ctx context.Context, pods *Pods, p Pod, o Options, out Output) (int64, error) {
	o.Idle = out.Idle
	o.Lost = func(after, before time.Time) {
		_ = out.Entry(Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Note: fmt.Sprintf(
			"lines between %s and %s may be missing: the node rotated them away while they were not being read",
			after.Format(time.RFC3339Nano), before.Format(time.RFC3339Nano))})
	}
	res, err := Follow(ctx, pods.Log(r.Streams, p), o, func(l Line) error {
		return out.Entry(Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Line: l})
	})
	last, _ := pods.Pod(p.UID)
	if err == nil && o.Follow && !res.Whole && last.Ran && !(!res.EndedAt.IsZero() && last.FinishedAt.Unix() > 0) {
		err = out.Entry(Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Note: "the Pod was deleted before its log was read to the end: lines may be missing"})
	}
	return res.Lines, err
}

func sortPods(pods []Pod) {
	slices.SortFunc(pods, func(a, b Pod) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
}

// MaxTail is how many last lines can be asked for of all Tasks of an App: they are sorted in memory.
const MaxTail = 10000

// App hands on what all Tasks of an App write. Of what is past, the last lines of all come in order of time, or, without
// a tail, the Tasks one after the other. Following, each Task that runs is read at the same time, those that start later
// too, and it ends only with ctx.
func (r *Reader) App(ctx context.Context, app string, o Options, out Output) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	locked := Output{
		Entry: func(e Entry) error { mu.Lock(); defer mu.Unlock(); return out.Entry(e) },
		Idle:  func() { mu.Lock(); defer mu.Unlock(); out.idle() },
	}
	pods := WatchPods(ctx, r.Pods, labels.Set{
		v1alpha1.NameLabel: app, v1alpha1.ComponentLabel: v1alpha1.TaskComponent, v1alpha1.PipelineTaskLabel: v1alpha1.UserContainer,
	}.String())
	for {
		_, synced, changed, err := pods.Snapshot()
		if err != nil {
			return err
		}
		if synced {
			break
		}
		if err := wait(ctx, changed, time.Second); err != nil {
			return err
		}
	}
	locked.Idle()
	found, _, _, _ := pods.Snapshot()
	sortPods(found)
	begun := map[types.UID]bool{}
	var past []Pod
	for _, p := range found {
		if p.State == Ended || !o.Follow && p.State == Running {
			past = append(past, p)
			begun[p.UID] = true
		}
	}
	if err := r.past(ctx, pods, past, o, locked); err != nil || !o.Follow {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	for {
		found, _, changed, err := pods.Snapshot()
		if err != nil {
			return err
		}
		sortPods(found)
		for _, p := range found {
			if p.State == Gone || begun[p.UID] {
				continue
			}
			begun[p.UID] = true
			group.Go(func() {
				if _, err := r.pod(ctx, pods, p, o, locked); err != nil {
					cancel(err)
					return
				}
				if err := r.ended(ctx, p, locked); err != nil {
					cancel(err)
				}
			})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// past hands on the logs of Pods that have ended.
func (r *Reader) past(ctx context.Context, pods *Pods, past []Pod, o Options, out Output) error {
	o.Follow = false
	if o.Tail == nil {
		for _, p := range past {
			if _, err := r.pod(ctx, pods, p, o, out); err != nil && ctx.Err() != nil {
				return err
			}
		}
		return nil
	}
	// The youngest first: once as many lines are younger than the end of what is left, the rest need not be read.
	var last []Entry
	slices.SortFunc(past, func(a, b Pod) int { return end(b).Compare(end(a)) })
	for _, p := range past {
		if int64(len(last)) == *o.Tail && (*o.Tail == 0 || last[0].Time.After(end(p).Add(time.Second))) {
			break
		}
		_, err := r.pod(ctx, pods, p, o, Output{Entry: func(e Entry) error {
			if e.Note == "" {
				e.Text = slices.Clone(e.Text)
				last = append(last, e)
			}
			return nil
		}})
		if err != nil && ctx.Err() != nil {
			return err
		}
		slices.SortStableFunc(last, func(a, b Entry) int { return a.Time.Compare(b.Time) })
		if over := int64(len(last)) - *o.Tail; over > 0 {
			last = slices.Delete(last, 0, int(over))
		}
	}
	for _, e := range last {
		if err := out.Entry(e); err != nil {
			return err
		}
	}
	out.idle()
	return nil
}

// end is when a Pod ended, far off if it has not.
func end(p Pod) time.Time {
	if p.State != Ended {
		return time.Now().Add(time.Hour)
	}
	if p.FinishedAt.IsZero() {
		return p.Created
	}
	return p.FinishedAt
}

// ended tells how the Task of a Pod ended, once it says so.
func (r *Reader) ended(ctx context.Context, p Pod, out Output) error {
	for until := time.Now().Add(settle); time.Now().Before(until); {
		task, err := r.Tasks.Get(ctx, p.Task, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			return nil
		}
		if err == nil && task.Final() {
			if err := out.Entry(Entry{Task: p.Task, ID: p.ID, Outcome: OutcomeOf(task)}); err != nil {
				return err
			}
			out.idle()
			return nil
		}
		if err := wait(ctx, nil, time.Second); err != nil {
			return err
		}
	}
	return nil
}
