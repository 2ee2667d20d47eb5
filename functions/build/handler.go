package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler settles the image of Apps.
type Handler struct {
	Kf *client.Client
	// Look looks into an App's image.
	Look func(context.Context, *v1alpha1.App) Looked
	Now  func() time.Time
}

// Handle handles an App's event, or a ping to find Apps whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		var app v1alpha1.App
		if err := events.Object(e, &app); err != nil {
			return nil, receiver.Permanent(err)
		}
		return nil, h.settle(ctx, &app)
	case events.Ping:
		apps, err := h.Kf.Apps("").List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return nil, fmt.Errorf("list Apps: %w", err)
		}
		var failed error
		for i := range apps.Items {
			failed = errors.Join(failed, h.settle(ctx, &apps.Items[i]))
		}
		return nil, failed
	}
	return nil, receiver.Permanent(fmt.Errorf("build does not handle events of type %q", e.Type()))
}

func (h *Handler) settle(ctx context.Context, app *v1alpha1.App) error {
	if Settled(app) {
		return nil
	}
	var looked *Looked
	if NeedsLook(app) {
		l := h.Look(ctx, app)
		looked = &l
	}
	image := Image(app)
	app, err := client.PatchStatus(ctx, h.Kf.Apps(app.Namespace), app, func(a *v1alpha1.App) {
		if Image(a) == image { // else it was changed meanwhile, and an event of that comes
			Settle(a, looked, h.Now())
		}
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		logging.FromContext(ctx).Infow("settled", "app", app.Namespace+"/"+app.Name, "image", app.Status.Image,
			"shell", app.Status.StartCommands.Shell, "error", app.Status.StartCommands.Error)
	}
	return err
}
