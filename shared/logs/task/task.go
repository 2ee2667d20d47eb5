// Package task reads what Tasks write: the logs of all Pods of a Task, or of an App's Tasks, as one stream, which ends
// when the Task has ended. Its importers call it tasklog, as "task" is mostly a Task.
package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
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
	Pods, Streams corev1client.PodInterface
	// Archive, if there is one, is read where the Pods, or the Task itself, are gone.
	Archive Archive
	// UID is which Task of its name is meant; the one that is there, or else was last, if it is "".
	UID types.UID
}

// StatusOf reads how a Task stands.
func StatusOf(t *v1alpha1.Task) *text.Status {
	s := &text.Status{Ended: t.Final(), Reason: "Pending", ExitCode: t.Status.ExitCode}
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		s.Reason, s.Message = c.Reason, c.Message
	}
	if d := t.Status.Duration; d != nil {
		s.Duration = d.Duration
	}
	return s
}

// Output takes entries, one at a time.
type Output struct {
	Entry func(text.Entry) error
	// Idle is called when the Pod has no more entries for now; "" is all Pods.
	Idle func(pod string)
}

func (o Output) idle(pod string) {
	if o.Idle != nil {
		o.Idle(pod)
	}
}

// end says what became of a Task, and first, if it had no Pod, why there is no log.
func (o Output) end(task *v1alpha1.Task, podless bool) error {
	if note := absent(task); podless && note != "" {
		if err := o.Entry(text.Entry{Task: task.Name, Note: note}); err != nil {
			return err
		}
	}
	err := o.Entry(text.Entry{Task: task.Name, ID: task.Labels[v1alpha1.VersionLabel], Status: StatusOf(task)})
	o.idle("")
	return err
}

// Task delivers what a Task writes: all its Pods, if it was tried again, one after the other, and at last its outcome.
// Following, it waits for a Task that has not started, and ends when the Task has ended.
func (r *Reader) Task(ctx context.Context, name string, o follow.Options, out Output) error {
	task, err := r.Tasks.Get(ctx, name, metav1.GetOptions{})
	if err == nil && r.UID != "" && task.UID != r.UID {
		err = apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("tasks").GroupResource(), name)
	}
	if err == nil {
		return r.task(ctx, task, o, out)
	}
	err = fmt.Errorf("get Task %s: %w", name, err)
	if apierrors.IsNotFound(err) && r.Archive != nil {
		return r.archived(ctx, &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, UID: r.UID}}, o, out, err)
	}
	return err
}

// task delivers what a Task that is there writes.
func (r *Reader) task(ctx context.Context, task *v1alpha1.Task, o follow.Options, out Output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out.idle("") // it is there, and there may be nothing to show for long
	pods := WatchPods(ctx, r.Pods, labels.Set{v1alpha1.TaskLabel: task.Name}.String())
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
			if err := r.lost(ctx, task, p); lines == 0 && err != nil {
				return r.archived(ctx, task, o, out, err)
			}
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
			if err := follow.Wait(ctx, changed, time.Second); err != nil {
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
	if len(read) == 0 && r.Archive != nil && InArchive(task) {
		return r.archived(ctx, task, o, out, fmt.Errorf("%w: it has no %s any more", ErrArchive, task.Status.Log.Archive))
	}
	return out.end(task, len(read) == 0)
}

// absent says why there is no log to read.
func absent(t *v1alpha1.Task) string {
	s := t.Status.Termination
	switch {
	case t.Spec.Count > 0:
		return fmt.Sprintf("an array runs nothing itself: each of its %d Tasks has a log of its own", t.Spec.Count)
	case InArchive(t):
		return "its log is in the archive, as " + t.Status.Log.Archive
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
	if apierrors.IsNotFound(err) || err == nil && now.UID != task.UID {
		return nil, fmt.Errorf("Task %s was deleted", task.Name)
	}
	if err != nil && ctx.Err() == nil && !follow.Denied(err) {
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
		return follow.Wait(ctx, pods, retryMax)
	}
	defer w.Stop()
	select {
	case <-w.ResultChan():
	case <-pods:
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return follow.Wait(ctx, nil, retryMin) // changes come in flocks
	}
	return ctx.Err()
}

// lost says that the log of a Pod that is there is not, as after an eviction, where the archive has it.
func (r *Reader) lost(ctx context.Context, task *v1alpha1.Task, p Pod) error {
	if r.Archive == nil || !InArchive(task) {
		return nil
	}
	one := int64(1)
	body, err := podLog{client: r.Streams, pod: p}.Open(ctx, follow.Query{Tail: &one})
	if follow.Denied(err) {
		return nil // who may not read it is told so
	}
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = follow.Read(body, follow.Options{}, func(follow.Line) error { return nil })
	return err
}

// pod delivers one Pod's log.
func (r *Reader) pod(ctx context.Context, pods *Pods, p Pod, o follow.Options, out Output) (int64, error) {
	o.Idle = func() { out.idle(p.Name) }
	o.Gap = func(after, before time.Time) {
		_ = out.Entry(text.Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Note: Rotated(after, before)})
	}
	res, err := follow.Log(ctx, pods.Log(r.Streams, p), o, func(l follow.Line) error {
		return out.Entry(text.Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Line: text.Line{
			Time: l.Time, Container: Container, Text: l.Text, More: l.More, Continued: l.Continued,
		}})
	})
	last, _ := pods.Pod(p.UID)
	if err == nil && o.Follow {
		if gap := Gap(res, last, nil); gap != "" {
			err = out.Entry(text.Entry{Task: p.Task, ID: p.ID, Pod: p.Name, Note: gap})
		}
	}
	return res.Lines, err
}

func sortPods(pods []Pod) { slices.SortFunc(pods, byAge) }

func byAge(a, b Pod) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
}
