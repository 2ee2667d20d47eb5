package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/image"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// atOnce is how many Apps a resync deals with side by side. They wait for registries, some of which may never answer.
const atOnce = 32

// Handler keeps the status of Apps in step with their images.
type Handler struct {
	Kf   *client.Client
	Runs *Runs
	// Inspect inspects an App's image. Its error says nothing about the image.
	Inspect func(context.Context, *v1alpha1.App) (image.Inspection, error)
	// Inspections has one inspection of an image at a time, and says how long it may take.
	Inspections coalesce.Calls[image.Inspection]
	Now         func() time.Time
}

// Handle handles an App's event, that of a build's run, or a ping to find Apps whose event was lost or whose image could not be read.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	if e.Extensions()["kind"] == "PipelineRun" {
		return nil, h.ofRun(ctx, e)
	}
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		hint, stale, err := events.About(e, func(app *v1alpha1.App) bool { return !InSync(app, time.Time{}) })
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !stale {
			return nil, nil // most updates are our own writes, or of the counter of IDs
		}
		app, err := client.Find(ctx, h.Kf.Apps(hint.Namespace), hint.Namespace, hint.Name)
		if err != nil || app == nil || !hint.Is(app) {
			return nil, err
		}
		return nil, h.sync(ctx, app, time.Time{})
	case events.Ping:
		return nil, resync.Each(ctx, atOnce, h.notInSync(ctx), func(app *v1alpha1.App) error {
			app, err := client.FindAgain(ctx, h.Kf.Apps(app.Namespace), app) // the cache may not have the note of the last inspection
			if err != nil || app == nil {
				return err
			}
			return h.sync(ctx, app, h.Now())
		})
	}
	return nil, receiver.Permanent(fmt.Errorf("build does not handle events of type %q", e.Type()))
}

// ofRun handles an event about a run: most are of Tasks, or of builds on their way.
func (h *Handler) ofRun(ctx context.Context, e cloudevents.Event) error {
	name := ""
	hint, ended, err := events.About(e, func(run *tekton.PipelineRun) bool {
		name = build.AppOf(run)
		return name != "" && (run.IsDone() || e.Type() == events.ResourceDeleted)
	})
	if err != nil {
		return receiver.Permanent(err)
	}
	if !ended {
		return nil
	}
	app, err := client.Find(ctx, h.Kf.Apps(hint.Namespace), hint.Namespace, name)
	if err != nil || app == nil {
		return err
	}
	return h.sync(ctx, app, time.Time{})
}

// notInSync ranges over the Apps that something is to be done about. The list is from the API server's cache: most of
// the time it finds none.
func (h *Handler) notInSync(ctx context.Context) iter.Seq2[*v1alpha1.App, error] {
	return func(yield func(*v1alpha1.App, error) bool) {
		spaces, err := h.spaces(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for app, err := range client.All[*v1alpha1.App](ctx, h.Kf.Apps(""), metav1.ListOptions{ResourceVersion: "0"}) {
			if (err != nil || !InSync(app, h.Now()) || !HeldToSpace(app, spaces[app.Namespace])) && !yield(app, err) {
				return
			}
		}
	}
}

// inspect inspects an App's image. Whoever asks for the same image with the same credentials meanwhile, be it for another delivery
// or another App, gets what it finds. To be cut off from outside is an error, for it says nothing about the image.
func (h *Handler) inspect(ctx context.Context, app *v1alpha1.App) (image.Inspection, error) {
	pod := app.Spec.Template.Spec
	same := fmt.Sprintf("%q %q %q %q", app.Namespace, Image(app), pod.ServiceAccountName, pod.ImagePullSecrets)
	return h.Inspections.Do(ctx, same, func(ctx context.Context) (image.Inspection, error) { return h.Inspect(ctx, app) })
}

// sync takes the App's build one step on if it is from source, inspects its image if that is new, and brings its status up to date.
func (h *Handler) sync(ctx context.Context, app *v1alpha1.App, retry time.Time) error {
	of, err := client.Find(ctx, h.Kf.Spaces(), "", app.Namespace)
	if err != nil || InSync(app, retry) && HeldToSpace(app, of) {
		return err
	}
	step := Next(app)
	news, err := h.Runs.Take(ctx, app, of, step)
	if err != nil {
		return err
	}
	note := func(a *v1alpha1.App) {
		news.Note(a, step, func(c metav1.Condition) { v1alpha1.SetCondition(a, &a.Status.Conditions, c, h.Now()) })
	}
	after := app.DeepCopy()
	note(after)
	var found *image.Inspection
	if NeedsInspection(after, retry) {
		inspection, err := h.inspect(ctx, after)
		if err != nil {
			return err
		}
		found = &inspection
	}
	if found != nil && found.Err != nil {
		logging.FromContext(ctx).Warnw("the image could not be read", "app", app.Namespace+"/"+app.Name, "error", found.Err)
	}
	app, err = client.PatchStatus(ctx, h.Kf.Apps(app.Namespace), app, func(a *v1alpha1.App) {
		note(a)
		if Image(a) == Image(after) && Next(a) == Next(after) { // else it was changed meanwhile, and an event of that comes
			SyncStatus(a, found, h.Now())
			HoldToSpace(a, of, h.Now())
			SayAwaited(a, h.Now())
		}
	})
	if err == nil {
		if news.Reason == v1alpha1.ReasonBuilt || news.Reason == v1alpha1.ReasonBuildFailed {
			telemetry.BuildEnded(ctx, news.Reason)
		}
		logging.FromContext(ctx).Infow("synced", "app", app.Namespace+"/"+app.Name, "image", app.Status.Image, "build", news.Reason,
			"shell", app.Status.StartCommands.Shell, "error", app.Status.StartCommands.Error)
	}
	return client.IgnoreNotFound(err)
}
