package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventsv1client "k8s.io/client-go/kubernetes/typed/events/v1"
	"knative.dev/pkg/logging"
)

// Handler makes lost events visible.
type Handler struct {
	Events eventsv1client.EventsV1Interface
	Now    func() time.Time
}

// Handle shows an event that nobody could handle: as a log line, and as a Kubernetes Event on what it is about.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	l := Read(e)
	logging.FromContext(ctx).Errorw("event not delivered", "type", l.Type, "lost", l.ID, "source", e.Source(), "reason", l.Reason, "about", l.About)
	if l.About == nil {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(e.Source() + "\x00" + e.ID()))
	w := l.Warning("kf-tasks-"+hex.EncodeToString(sum[:10]), h.Now())
	_, err := h.Events.Events(w.Namespace).Create(ctx, w, metav1.CreateOptions{})
	if err != nil && !errors.IsAlreadyExists(err) && !errors.IsNotFound(err) { // NotFound: the namespace is gone
		return nil, fmt.Errorf("show the loss of event %s on %s/%s: %w", l.ID, w.Namespace, l.About.Name, err)
	}
	return nil, nil
}
