package task

import (
	"context"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// MaxTail is how many last lines can be asked for of all Tasks of an App: they are sorted in memory.
const MaxTail = 10000

// App delivers what all Tasks of an App write. Of what is past, the last lines of all come in order of time, or, without
// a tail, the Tasks one after the other. Following, each Task that runs is read at the same time, those that start later
// too, and it ends only with ctx.
func (r *Reader) App(ctx context.Context, app string, o follow.Options, out Output) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	locked := Output{
		Entry: func(e text.Entry) error { mu.Lock(); defer mu.Unlock(); return out.Entry(e) },
		Idle:  func(pod string) { mu.Lock(); defer mu.Unlock(); out.idle(pod) },
	}
	pods := WatchPods(ctx, r.Pods, labels.Set{
		v1alpha1.NameLabel: app, v1alpha1.ComponentLabel: v1alpha1.TaskComponent, v1alpha1.PipelineTaskLabel: v1alpha1.UserContainer,
	}.String())
	found, err := listed(ctx, pods)
	if err != nil {
		return err
	}
	locked.idle("")
	sortPods(found)
	begun := map[types.UID]bool{}
	var past []Pod
	for _, p := range found {
		if p.State == follow.Ended || !o.Follow && p.State == follow.Running {
			past = append(past, p)
			begun[p.UID] = true
		}
	}
	if err := r.past(ctx, pods, past, o, locked); err != nil || !o.Follow {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil) // before the readers are waited for
	for {
		found, _, changed, err := pods.Snapshot()
		if err != nil {
			return err
		}
		sortPods(found)
		for _, p := range found {
			if p.State == follow.Gone || begun[p.UID] {
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

// listed waits for the first list of the Pods, and returns it.
func listed(ctx context.Context, pods *Pods) ([]Pod, error) {
	for {
		found, synced, changed, err := pods.Snapshot()
		if err != nil || synced {
			return found, err
		}
		if err := follow.Wait(ctx, changed, time.Second); err != nil {
			return nil, err
		}
	}
}

// past delivers the logs of Pods that have ended.
func (r *Reader) past(ctx context.Context, pods *Pods, past []Pod, o follow.Options, out Output) error {
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
	var last []text.Entry
	slices.SortFunc(past, func(a, b Pod) int { return end(b).Compare(end(a)) })
	for _, p := range past {
		if int64(len(last)) == *o.Tail && (*o.Tail == 0 || last[0].Time.After(end(p).Add(time.Second))) {
			break
		}
		_, err := r.pod(ctx, pods, p, o, Output{Entry: func(e text.Entry) error {
			if e.Note == "" {
				e.Text = slices.Clone(e.Text)
				last = append(last, e)
			}
			return nil
		}})
		if err != nil && ctx.Err() != nil {
			return err
		}
		slices.SortStableFunc(last, func(a, b text.Entry) int { return a.Time.Compare(b.Time) })
		if over := int64(len(last)) - *o.Tail; over > 0 {
			last = slices.Delete(last, 0, int(over))
		}
	}
	for _, e := range last {
		if err := out.Entry(e); err != nil {
			return err
		}
	}
	out.idle("")
	return nil
}

// end is when a Pod ended, far off if it has not.
func end(p Pod) time.Time {
	if p.State != follow.Ended {
		return time.Now().Add(time.Hour)
	}
	if p.FinishedAt.IsZero() {
		return p.Created
	}
	return p.FinishedAt
}

// settle is how long after the end of its Pod a Task may take to say how it ended.
const settle = 30 * time.Second

// ended reports how the Task of a Pod ended, once it says so.
func (r *Reader) ended(ctx context.Context, p Pod, out Output) error {
	for until := time.Now().Add(settle); time.Now().Before(until); {
		task, err := r.Tasks.Get(ctx, p.Task, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil && task.Final() {
			if err := out.Entry(text.Entry{Task: p.Task, ID: p.ID, Status: StatusOf(task)}); err != nil {
				return err
			}
			out.idle("")
			return nil
		}
		if err := follow.Wait(ctx, nil, time.Second); err != nil {
			return err
		}
	}
	return nil
}
