package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// atOnce is how many Tasks a resync handles side by side: as many as the API server's write path takes from one client
// without queueing.
const atOnce = 16

// Handler turns Tasks into PipelineRuns.
type Handler struct {
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Options pipelinerun.Options
	Emit    func(context.Context, cloudevents.Event) error
	Now     func() time.Time
	IDs     *idAllocator
}

// Handle handles a Task's event, or a ping to look for Tasks whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		hint, unhandled, err := events.About(e, func(t *v1alpha1.Task) bool { return t.Labels[v1alpha1.VersionLabel] == "" })
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !unhandled {
			return nil, nil
		}
		return h.run(ctx, hint)
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("runtask does not handle events of type %q", e.Type()))
}

// resync finds the Tasks that have not been handled, because their event was lost or their App was not ready.
func (h *Handler) resync(ctx context.Context) error {
	unhandled := client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(""), metav1.ListOptions{LabelSelector: "!" + v1alpha1.VersionLabel})
	return resync.Each(ctx, atOnce, unhandled, func(t *v1alpha1.Task) error {
		fact, err := h.run(ctx, events.Hint{Namespace: t.Namespace, Name: t.Name, UID: t.UID})
		if fact != nil {
			return h.Emit(ctx, *fact)
		}
		return err
	})
}

// run takes one Task as far as it can go. It reads the Task, again if it was listed: one that has ended meanwhile, or has been
// deleted, must not be started.
func (h *Handler) run(ctx context.Context, hint events.Hint) (*cloudevents.Event, error) {
	task, err := client.Find(ctx, h.Kf.Tasks(hint.Namespace), hint.Namespace, hint.Name)
	if err != nil || task == nil || !hint.Is(task) {
		return nil, err
	}
	app, err := client.Find(ctx, h.Kf.Apps(task.Namespace), task.Namespace, task.Spec.AppRef.Name)
	if err != nil {
		return nil, err
	}

	d := Decide(task, app, h.Options)

	logging.FromContext(ctx).Infow("decided", "task", task.Namespace+"/"+task.Name, "action", d.Action, "reason", d.Reason)
	switch d.Action {
	case Finish:
		return h.finish(ctx, task)
	case Wait:
		return nil, h.wait(ctx, task, d)
	case Fail:
		return h.fail(ctx, task, app, d)
	case Create, CreateCancelled:
		return h.start(ctx, task, app, d.Run)
	}
	return nil, nil
}

// start creates the PipelineRun, whose name is the lock, and then marks the Task as handled. Killed in between, the
// next delivery or the resync finds the PipelineRun there and marks the Task.
func (h *Handler) start(ctx context.Context, task *v1alpha1.Task, app *v1alpha1.App, run *tekton.PipelineRun) (*cloudevents.Event, error) {
	id, err := h.newID(ctx, task, app)
	if err != nil {
		return nil, err
	}
	run.Labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	there, err := client.CreateOnce(ctx, h.Tekton.PipelineRuns(task.Namespace), run)
	switch {
	case there != nil && pipelinerun.Owned(there, task):
		// It has kept the ID that a killed predecessor had given it.
		if was, err := strconv.Atoi(there.Labels[v1alpha1.VersionLabel]); err == nil {
			id = was
		}
	case there != nil && (there.DeletionTimestamp != nil || pipelinerun.TaskOf(there) != ""):
		// The garbage collector is about to remove that of a deleted Task.
		return nil, fmt.Errorf("PipelineRun %s/%s of an earlier Task is still there", task.Namespace, run.Name)
	case there != nil:
		return h.fail(ctx, task, app, Decision{Action: Fail, Reason: v1alpha1.ReasonNameTaken, Message: fmt.Sprintf(
			"a PipelineRun %q that is not this Task's is in the way: delete it, or run the Task under another name", run.Name)})
	case apierrors.IsBadRequest(err) || apierrors.IsInvalid(err): // refused by the API server or by Tekton's admission
		return h.fail(ctx, task, app, Decision{Action: Fail, Reason: v1alpha1.ReasonPipelineRunRefused, Message: err.Error()})
	case apierrors.IsForbidden(err): // a quota or a right may yet be granted: the Task says what it waits for
		d := Decision{Action: Wait, Reason: v1alpha1.ReasonPipelineRunNotCreated, Message: err.Error()}
		if werr := h.wait(ctx, task, d); werr != nil {
			logging.FromContext(ctx).Warnw("could not say why the Task waits", "error", werr)
		}
		fallthrough
	case err != nil:
		return nil, fmt.Errorf("create PipelineRun %s/%s: %w", task.Namespace, run.Name, err)
	}
	if err := h.mark(ctx, task, id); err != nil {
		return nil, err
	}
	task.Status.ID = id
	return events.NewTaskFact(events.TaskCreated, "runtask", task), nil
}

// wait says on the Task what it waits for.
func (h *Handler) wait(ctx context.Context, task *v1alpha1.Task, d Decision) error {
	_, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { d.Record(t, 0, h.Now()) })
	return client.IgnoreNotFound(err)
}

// fail ends a Task that can't run.
func (h *Handler) fail(ctx context.Context, task *v1alpha1.Task, app *v1alpha1.App, d Decision) (*cloudevents.Event, error) {
	id, err := h.newID(ctx, task, app)
	if err != nil {
		return nil, err
	}
	task, err = client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { d.Record(t, id, h.Now()) })
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return h.finish(ctx, task)
}

// finish marks a Task that has ended. The label comes last: until then the resync finds the Task again.
func (h *Handler) finish(ctx context.Context, task *v1alpha1.Task) (*cloudevents.Event, error) {
	if err := h.mark(ctx, task, task.Status.ID); err != nil {
		return nil, err
	}
	return events.NewTaskFact(EndFact(task), "runtask", task), nil
}

// newID is the next ID of the App; 0 for a Task that ends without one ever having been there.
func (h *Handler) newID(ctx context.Context, task *v1alpha1.Task, app *v1alpha1.App) (int, error) {
	if app == nil {
		return 0, nil
	}
	id, err := h.IDs.next(ctx, app)
	if err != nil {
		return 0, fmt.Errorf("ID for Task %s/%s: %w", task.Namespace, task.Name, err)
	}
	return id, nil
}

// mark gives the Task the labels and the display name that Kf's webhook would have given it. The ID among them says
// that the Task has been handled.
func (h *Handler) mark(ctx context.Context, task *v1alpha1.Task, id int) error {
	change := client.Change{Labels: v1alpha1.TaskLabels(task.Spec.AppRef.Name)}
	change.Labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	if task.Spec.DisplayName == "" {
		change.Spec = map[string]any{"displayName": task.Name}
	}
	_, err := client.Merge(ctx, h.Kf.Tasks(task.Namespace), task, change)
	return client.IgnoreNotFound(err)
}
