package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler turns Tasks into PipelineRuns.
type Handler struct {
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Options pipelinerun.Options
	Emit    func(context.Context, cloudevents.Event) error
	Now     func() time.Time

	ids idAllocator
}

// Handle handles a Task's event, or a ping to look for Tasks whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		var t v1alpha1.Task
		if err := events.Object(e, &t); err != nil {
			return nil, receiver.Permanent(err)
		}
		if t.Labels[v1alpha1.VersionLabel] != "" {
			return nil, nil // done before: most updates are our own writes
		}
		return h.run(ctx, t.Namespace, t.Name)
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("runtask does not handle events of type %q", e.Type()))
}

// resync finds the Tasks that have not been handled, because their event was lost or their App was not ready.
func (h *Handler) resync(ctx context.Context) error {
	found, err := h.Kf.Tasks("").List(ctx, metav1.ListOptions{LabelSelector: "!" + v1alpha1.VersionLabel})
	if err != nil {
		return fmt.Errorf("list Tasks without an ID: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(16) // as many as the API server's write path takes from one client without queueing
	for _, t := range found.Items {
		group.Go(func() error {
			fact, err := h.run(ctx, t.Namespace, t.Name)
			if fact != nil {
				return h.Emit(ctx, *fact)
			}
			return err
		})
	}
	return group.Wait()
}

// run takes one Task as far as it can go. It reads the Task again: an event may be old, and a Task that has ended, or
// has been deleted, must not be started by it.
func (h *Handler) run(ctx context.Context, namespace, name string) (*cloudevents.Event, error) {
	task, err := h.Kf.Tasks(namespace).Get(ctx, name, metav1.GetOptions{})
	if errors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Task %s/%s: %w", namespace, name, err)
	}
	app, err := h.Kf.Apps(namespace).Get(ctx, task.Spec.AppRef.Name, metav1.GetOptions{})
	if errors.IsNotFound(err) {
		app = nil
	} else if err != nil {
		return nil, fmt.Errorf("get App %s/%s: %w", namespace, task.Spec.AppRef.Name, err)
	}

	d := Decide(task, app, h.Options)

	log := logging.FromContext(ctx).With("task", namespace+"/"+name)
	log.Infow("decided", "action", d.Action, "reason", d.Reason)
	switch d.Action {
	case Wait:
		_, err := client.PatchStatus(ctx, h.Kf.Tasks(namespace), task, func(t *v1alpha1.Task) { d.Record(t, 0, h.Now()) })
		return nil, ignoreGone(err)
	case Fail:
		return h.fail(ctx, task, app, d)
	case Create:
		return h.start(ctx, task, app, d.Run)
	}
	return nil, nil
}

// start creates the PipelineRun, whose name is the lock, and then marks the Task as handled. Killed in between, the
// next delivery or the resync finds the PipelineRun there and marks the Task.
func (h *Handler) start(ctx context.Context, task *v1alpha1.Task, app *v1alpha1.App, run *tekton.PipelineRun) (*cloudevents.Event, error) {
	id := 0
	if app != nil {
		var err error
		if id, err = h.ids.next(ctx, app); err != nil {
			return nil, fmt.Errorf("ID for Task %s/%s: %w", task.Namespace, task.Name, err)
		}
	}
	run.Labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	runs := h.Tekton.PipelineRuns(task.Namespace)
	_, err := runs.Create(ctx, run, metav1.CreateOptions{})
	switch {
	case err == nil:
	case errors.IsAlreadyExists(err):
		there, err := runs.Get(ctx, run.Name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("get PipelineRun %s/%s: %w", task.Namespace, run.Name, err)
		}
		if !pipelinerun.Owned(there, task) {
			if leavesSoon(there) {
				return nil, fmt.Errorf("PipelineRun %s/%s of an earlier Task is still there", task.Namespace, run.Name)
			}
			return h.fail(ctx, task, app, Decision{Action: Fail, Reason: "NameTaken", Message: fmt.Sprintf(
				"a PipelineRun %q that is not this Task's is in the way: delete it, or run the Task under another name", run.Name)})
		}
		// The PipelineRun has kept the ID that a killed predecessor had given it.
		if was, err := strconv.Atoi(there.Labels[v1alpha1.VersionLabel]); err == nil {
			id = was
		}
	case errors.IsBadRequest(err) || errors.IsInvalid(err): // refused by the API server or by Tekton's admission
		return h.fail(ctx, task, app, Decision{Action: Fail, Reason: "PipelineRunRefused", Message: err.Error()})
	default:
		// A quota or a right may yet be granted: the Task waits, and says why.
		wait := Decision{Action: Wait, Reason: "PipelineRunNotCreated", Message: err.Error()}
		if errors.IsForbidden(err) {
			if _, perr := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { wait.Record(t, 0, h.Now()) }); perr != nil {
				logging.FromContext(ctx).Warnw("could not say why the Task waits", "error", perr)
			}
		}
		return nil, fmt.Errorf("create PipelineRun %s/%s: %w", task.Namespace, run.Name, err)
	}
	if err := h.mark(ctx, task, id); err != nil {
		return nil, err
	}
	task.Status.ID = id
	return events.NewTaskFact(events.TaskCreated, "runtask", task), nil
}

// fail ends a Task that can't run. The label comes last: until then the resync finds the Task again.
func (h *Handler) fail(ctx context.Context, task *v1alpha1.Task, app *v1alpha1.App, d Decision) (*cloudevents.Event, error) {
	id := 0
	if app != nil {
		var err error
		if id, err = h.ids.next(ctx, app); err != nil {
			return nil, fmt.Errorf("ID for Task %s/%s: %w", task.Namespace, task.Name, err)
		}
	}
	ended, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { d.Record(t, id, h.Now()) })
	if err != nil {
		return nil, ignoreGone(err)
	}
	if err := h.mark(ctx, task, ended.Status.ID); err != nil {
		return nil, err
	}
	return events.NewTaskFact(events.TaskFailed, "runtask", ended), nil
}

// mark gives the Task the labels and the display name that Kf's webhook would have given it. The ID among them says
// that the Task has been handled.
func (h *Handler) mark(ctx context.Context, task *v1alpha1.Task, id int) error {
	labels := v1alpha1.TaskLabels(task.Spec.AppRef.Name)
	labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	patch := map[string]any{"metadata": map[string]any{"uid": task.UID, "labels": labels}}
	if task.Spec.DisplayName == "" {
		patch["spec"] = map[string]any{"displayName": task.Name}
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	if _, err := h.Kf.Tasks(task.Namespace).Patch(ctx, task.Name, types.MergePatchType, b, metav1.PatchOptions{}); err != nil {
		return ignoreGone(fmt.Errorf("label Task %s/%s: %w", task.Namespace, task.Name, err))
	}
	return nil
}

// leavesSoon says whether a PipelineRun is that of a deleted Task of the same name, which the garbage collector is
// about to remove.
func leavesSoon(run *tekton.PipelineRun) bool {
	owner := metav1.GetControllerOf(run)
	return run.DeletionTimestamp != nil || owner != nil && owner.Kind == "Task" && owner.APIVersion == v1alpha1.GroupVersion.String()
}

// ignoreGone: a Task that was deleted meanwhile needs nothing more.
func ignoreGone(err error) error {
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
