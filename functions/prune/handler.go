package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// sweepsAtOnce is how many Apps a resync sweeps side by side: enough not to wait for one that is swept again and again.
const sweepsAtOnce = 4

// Handler deletes the Tasks that an App keeps no longer.
type Handler struct {
	Kf       *client.Client
	Metadata metadata.Interface
	Pods     corev1client.PodsGetter
	Events   eventsv1client.EventsGetter
	Emit     func(context.Context, cloudevents.Event) error
	// Space finds the Space of a namespace, nil if there is no such object.
	Space func(ctx context.Context, namespace string) (*v1alpha1.Space, error)
	// Policy is the cluster's. Spaces and Apps override it.
	Policy retention.Policy
	// Deletions bounds those of all sweeps together, and Workers those of one sweep that are under way at once.
	Deletions *limiter
	Workers   int
	Now       func() time.Time

	sweeps coalesce.Group[types.NamespacedName]
}

// Handle handles the addition or the end of a Task, by looking at its App; or a ping, by looking at all.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.TaskSucceeded, events.TaskFailed, events.TaskTerminated:
		// A Task beyond the limit is kept until it has ended: then it can be deleted.
		app, err := events.AppOf(e)
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		h.Deletions.Busy()
		return nil, h.sweepSoon(ctx, app)
	case events.Ping:
		return nil, resync.Each(ctx, sweepsAtOnce, h.apps(ctx), func(app *metav1.ObjectMeta) error {
			return h.sweepSoon(ctx, types.NamespacedName{Namespace: app.Namespace, Name: app.Name})
		})
	}
	return nil, receiver.Permanent(fmt.Errorf("prune does not handle events of type %q", e.Type()))
}

// sweepSoon sweeps an App, once for all who ask at about the same time.
func (h *Handler) sweepSoon(ctx context.Context, app types.NamespacedName) error {
	return h.sweeps.Do(ctx, app, func(ctx context.Context) error { return h.sweep(ctx, app) })
}
