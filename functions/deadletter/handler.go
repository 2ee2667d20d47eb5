package main

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/metadata"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// Handler makes lost events visible.
type Handler struct {
	Metadata metadata.Interface
	Events   eventsv1client.EventsV1Interface
	Now      func() time.Time
}

// Handle shows an event that nobody could handle: as a log line, and as a Kubernetes Event on what it is about.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	l := Read(e)
	telemetry.DeadLetter(ctx, l.Type)
	logging.FromContext(ctx).Errorw("event not delivered",
		"type", l.Type, "lost", l.ID, "source", l.Source, "reason", l.Reason, "about", l.About)
	if l.About == nil {
		return nil, nil
	}
	there, err := client.FindMetadata(ctx, h.Metadata, resources[l.About.Kind], l.About.Namespace, l.About.Name)
	if err != nil {
		return nil, err
	}
	if there != nil {
		l.About.UID = there.UID
	} else if !l.Command { // then nothing was lost
		return nil, nil
	}
	return nil, kubeevent.Warn(ctx, h.Events, l.Warning(), h.Now())
}
