package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// Limits are how long terminate waits for what.
type Limits struct {
	// Attach: for a running container's log to be opened. After that the Task is stopped all the same: a node that does
	// not answer must not keep it running.
	Attach time.Duration
	// Checkpoint: between two notes of how far the log was handed on.
	Checkpoint time.Duration
	// Gone: for the Pod to go after its container has ended.
	Gone time.Duration
	// Whole: for everything. It is less than Knative's timeout of a request, so that the sender hears of it.
	Whole time.Duration
}

// DefaultLimits are what the function runs with.
var DefaultLimits = Limits{Attach: 20 * time.Second, Checkpoint: claimTime / 3, Gone: time.Minute, Whole: 590 * time.Second}

// delivery is one Task being stopped.
type delivery struct {
	h    *Handler
	task *v1alpha1.Task
	run  *tekton.PipelineRun
	pods *tasklog.Pods

	resumed bool      // another instance had begun
	from    Progress  // and had come so far
	began   time.Time // lines older than this may have been handed on by it

	mu       sync.Mutex
	readers  map[types.UID]*reader
	progress Progress
	missing  []string
	notes    []string
	ran      bool
}

// deliver stops a Task whose PipelineRun is there: it opens the log, cancels the run, so that the process gets its
// signal and its grace period, hands the log on to its end, and sees the Pod gone. The order is what loses nothing:
// Tekton's cancel deletes the Pod, and only a stream that was opened before receives what is written until the end.
func (h *Handler) deliver(ctx context.Context, task *v1alpha1.Task, run *tekton.PipelineRun) error {
	resumed := task.Status.Termination != nil
	task, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { Claim(t, h.Me, h.Now()) })
	if err != nil {
		return err
	}
	if t := task.Status.Termination; t == nil || t.Log != v1alpha1.LogDelivering || t.Deliverer != h.Me {
		return fmt.Errorf("Task %s/%s: another instance was first", task.Namespace, task.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &delivery{h: h, task: task, run: run, resumed: resumed, began: h.Now(), readers: map[types.UID]*reader{}}
	if t := task.Status.Termination; t.DeliveredTo != nil {
		d.from = Progress{DeliveredTo: t.DeliveredTo.Time, Lines: t.Lines}
		d.progress = d.from
	}
	d.pods = tasklog.WatchPods(ctx, h.Pods.Pods(task.Namespace), labels.Set{"tekton.dev/pipelineRun": run.Name}.String())
	go d.renew(ctx, cancel)

	if err := d.attach(ctx); err != nil {
		return err
	}
	if !run.IsCancelled() && !run.IsDone() {
		if err := h.cancel(ctx, run); err != nil {
			return err
		}
		d.mu.Lock()
		d.progress.CancelledAt = h.Now()
		d.mu.Unlock()
	}
	if err := d.readAll(ctx); err != nil {
		return err
	}
	if err := d.finish(ctx); err != nil {
		return err
	}
	return d.gone(ctx)
}

// current returns the Pods of this very run, oldest first, and has a reader on each.
func (d *delivery) current(ctx context.Context) (pods []tasklog.Pod, synced bool, changed <-chan struct{}, err error) {
	all, synced, changed, err := d.pods.Snapshot()
	for _, p := range all {
		if !p.Created.Before(d.run.CreationTimestamp.Time) {
			pods = append(pods, p)
		}
	}
	slices.SortFunc(pods, func(a, b tasklog.Pod) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, p := range pods {
		d.ran = d.ran || p.Ran
		if d.readers[p.UID] == nil {
			r := &reader{attached: make(chan struct{}), done: make(chan struct{})}
			d.readers[p.UID] = r
			go d.read(ctx, p, i == len(pods)-1, r)
		}
	}
	return pods, synced, changed, err
}

// attach returns when the log of every container that runs is being received.
func (d *delivery) attach(ctx context.Context) error {
	limit := time.NewTimer(d.h.Limits.Attach)
	defer limit.Stop()
	for {
		pods, synced, changed, err := d.current(ctx)
		if err != nil {
			return fmt.Errorf("watch Pods of PipelineRun %s/%s: %w", d.run.Namespace, d.run.Name, err)
		}
		var wait <-chan struct{}
		for _, p := range pods {
			if p.State != follow.Running && p.State != follow.Ended {
				continue
			}
			r := d.readers[p.UID]
			select {
			case <-r.attached:
			case <-r.done:
				if errors.IsForbidden(r.err) { // a right can be granted: better late than without its log
					return r.err
				}
			default:
				wait = r.attached
			}
		}
		if synced && wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-changed:
		case <-limit.C:
			if !synced {
				return fmt.Errorf("Pods of PipelineRun %s/%s could not be listed", d.run.Namespace, d.run.Name)
			}
			logging.FromContext(ctx).Warnw("stopping a Task whose log can't be opened", "task", d.task.Namespace+"/"+d.task.Name)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readAll returns when the run has ended and every Pod's log has been handed on.
func (d *delivery) readAll(ctx context.Context) error {
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for done := false; ; {
		if !done {
			var err error
			if done, err = d.ended(ctx); err != nil {
				logging.FromContext(ctx).Warnw("has the run ended?", "error", err)
			}
		}
		pods, _, changed, _ := d.current(ctx)
		if done {
			if err := d.sweep(ctx, pods); err != nil {
				return err
			}
		}
		var wait, attach <-chan struct{}
		for _, r := range d.readers {
			select {
			case <-r.done:
			default:
				wait = r.done
				select {
				case <-r.attached:
				default:
					attach = r.attached
				}
			}
		}
		if done && wait == nil {
			return ctx.Err()
		}
		tick := poll.C
		if done {
			tick = nil
		}
		select {
		case <-wait:
		case <-attach:
		case <-changed:
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended says whether the run and its TaskRuns have ended; then all Pods that it will ever have are known.
func (d *delivery) ended(ctx context.Context) (bool, error) {
	if !d.run.IsDone() {
		run, err := d.h.Tekton.PipelineRuns(d.run.Namespace).Get(ctx, d.run.Name, metav1.GetOptions{})
		switch {
		case errors.IsNotFound(err) || err == nil && run.UID != d.run.UID: // deleted: its Pods go too
			d.run = d.run.DeepCopy()
			d.run.Status.MarkFailed("PipelineRunDeleted", "it was deleted while the Task was being stopped")
			return true, nil
		case err != nil:
			return false, fmt.Errorf("get PipelineRun %s/%s: %w", d.run.Namespace, d.run.Name, err)
		}
		d.run = run
	}
	if !d.run.IsDone() {
		return false, nil
	}
	// A PipelineRun that is cancelled as soon as it is made can end without its TaskRun, of which its controller has not
	// heard yet: that goes on for itself, makes a Pod, and runs. It is cancelled here.
	taskRuns, err := d.taskRuns(ctx)
	if err != nil {
		return false, err
	}
	done := true
	for _, tr := range taskRuns {
		if tr.IsDone() {
			continue
		}
		done = false
		if cancelled(d.run) && !tr.IsCancelled() {
			if err := d.cancelTaskRun(ctx, tr); err != nil {
				return false, err
			}
		}
	}
	if !done {
		return false, nil
	}
	return true, d.pods.Refresh(ctx)
}

func (d *delivery) cancelTaskRun(ctx context.Context, tr tekton.TaskRun) error {
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q},"spec":{"status":%q}}`, tr.UID, tekton.TaskRunSpecStatusCancelled)
	_, err := d.h.Tekton.TaskRuns(tr.Namespace).Patch(ctx, tr.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !errors.IsNotFound(err) {
		return fmt.Errorf("cancel TaskRun %s/%s: %w", tr.Namespace, tr.Name, err)
	}
	return nil
}

func (d *delivery) taskRuns(ctx context.Context) ([]tekton.TaskRun, error) {
	list, err := d.h.Tekton.TaskRuns(d.run.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"tekton.dev/pipelineRun": d.run.Name}.String()})
	if err != nil {
		return nil, fmt.Errorf("list TaskRuns of PipelineRun %s/%s: %w", d.run.Namespace, d.run.Name, err)
	}
	return list.Items, nil
}

// sweep deletes the Pods of a cancelled run that Tekton leaves: one that it was making at that moment, which would run
// on; those of earlier tries; and one that a cluster-wide setting of Tekton's keeps. None goes before its log is being
// received.
func (d *delivery) sweep(ctx context.Context, pods []tasklog.Pod) error {
	if !cancelled(d.run) {
		return nil
	}
	for _, p := range pods {
		r := d.readers[p.UID]
		ready := p.State == follow.Waiting || isClosed(r.done) || p.State == follow.Running && isClosed(r.attached)
		if p.State == follow.Gone || p.Deleting || !ready {
			continue
		}
		err := d.h.Pods.Pods(d.run.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}})
		if err != nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
			return fmt.Errorf("delete Pod %s/%s: %w", d.run.Namespace, p.Name, err)
		}
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// finish records what became of the log.
func (d *delivery) finish(ctx context.Context) error {
	pods, _, _, _ := d.current(ctx)
	d.mu.Lock()
	ran, missing, notes, lines := d.ran, d.missing, d.notes, d.progress.Lines
	d.mu.Unlock()
	log, message := v1alpha1.LogComplete, ""
	switch {
	case len(pods) == 0 && d.resumed:
		if lines > 0 || d.started(ctx) {
			log, message = v1alpha1.LogIncomplete, "the function ended while it handed the log on, and the Pod is gone: "+missingAfter(d.task.Status.Termination)
		} else {
			log, message = v1alpha1.LogNone, "the Task had not started"
		}
	case len(pods) == 0 && d.started(ctx):
		log, message = v1alpha1.LogIncomplete, "the Pod was gone before its log could be read"
	case !ran && lines == 0 && len(missing) == 0:
		log, message = v1alpha1.LogNone, "the Task had not started"
	case len(missing) > 0:
		log, message = v1alpha1.LogIncomplete, strings.Join(missing, "; ")
	}
	switch {
	case log == v1alpha1.LogNone && cancelled(d.run):
		message = "the Task was stopped before it started"
	case log == v1alpha1.LogComplete:
		if !cancelled(d.run) {
			notes = append(notes, fmt.Sprintf("the Task ended by itself (%s) before it could be stopped: its Pod and its log stay", outcome(d.run)))
		}
		if d.resumed {
			notes = append(notes, "an instance of the function ended in between: lines before "+stamp(d.began)+" that are marked so may have been handed on twice")
		}
		message = strings.Join(notes, "; ")
	}
	_, err := client.PatchStatus(ctx, d.h.Kf.Tasks(d.task.Namespace), d.task, func(t *v1alpha1.Task) {
		Finish(t, d.now(), log, message, d.h.Now())
	})
	logging.FromContext(ctx).Infow("stopped", "task", d.task.Namespace+"/"+d.task.Name, "log", log, "lines", lines, "message", message)
	return err
}

// started says, of a run without Pods, whether its process had been started.
func (d *delivery) started(ctx context.Context) bool {
	taskRuns, err := d.taskRuns(ctx)
	if err != nil {
		return true // not known: then it does not say that nothing was lost
	}
	for _, tr := range taskRuns {
		for _, s := range tr.Status.Steps {
			if s.Running != nil || s.Terminated != nil && s.Terminated.StartedAt.Unix() > 0 {
				return true
			}
		}
	}
	return false
}

// gone sees the Pods of a stopped run gone.
func (d *delivery) gone(ctx context.Context) error {
	if !cancelled(d.run) {
		return nil
	}
	limit := time.NewTimer(d.h.Limits.Gone)
	defer limit.Stop()
	for {
		pods, _, changed, _ := d.current(ctx)
		if err := d.sweep(ctx, pods); err != nil {
			return err
		}
		if !slices.ContainsFunc(pods, func(p tasklog.Pod) bool { return p.State != follow.Gone }) {
			return nil
		}
		select {
		case <-changed:
		case <-limit.C:
			return fmt.Errorf("the Pod of Task %s/%s is still there", d.task.Namespace, d.task.Name)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
