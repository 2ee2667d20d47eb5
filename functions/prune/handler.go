package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

// sweepsAtOnce is how many Apps a resync sweeps side by side: enough not to wait for one that is swept again and again.
const sweepsAtOnce = 4

// Handler deletes the Tasks that an App keeps no longer.
type Handler struct {
	Kf       *client.Client
	Metadata metadata.Interface
	Core     typedcorev1.CoreV1Interface
	// Policy is the cluster's. Spaces and Apps override it by annotation.
	Policy retention.Policy
	// Pace bounds the deletions of all sweeps together, and Workers those of one that are under way at once.
	Pace    *pace
	Workers int
	Emit    func(context.Context, cloudevents.Event) error
	Metrics *metrics
	Now     func() time.Time

	turns turns[types.NamespacedName]
}

// Handle handles the addition or the end of a Task, by looking at its App; or a ping, by looking at all.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded:
		var t v1alpha1.Task
		if err := events.Object(e, &t); err != nil {
			return nil, receiver.Permanent(err)
		}
		h.Pace.Note()
		return nil, h.look(ctx, types.NamespacedName{Namespace: t.Namespace, Name: t.Spec.AppRef.Name})
	case events.TaskSucceeded, events.TaskFailed, events.TaskTerminated:
		// One that could not go when the limit was passed, because it had not ended, can go now.
		var t events.TaskFact
		if err := e.DataAs(&t); err != nil {
			return nil, receiver.Permanent(fmt.Errorf("the data of %s is not what its schema says: %w", e.Type(), err))
		}
		h.Pace.Note()
		return nil, h.look(ctx, types.NamespacedName{Namespace: t.Namespace, Name: t.App})
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("prune does not handle events of type %q", e.Type()))
}

// look sweeps an App, once for all who ask at about the same time.
func (h *Handler) look(ctx context.Context, app types.NamespacedName) error {
	if app.Namespace == "" || app.Name == "" {
		return receiver.Permanent(fmt.Errorf("no namespace or no App in the event: %q", app))
	}
	return h.turns.Take(ctx, app, func(ctx context.Context) error { return h.sweep(ctx, app) })
}

// resync sweeps every App that has Tasks. One that fails does not keep the others from it.
func (h *Handler) resync(ctx context.Context) error {
	found := map[types.NamespacedName]int{}
	err := h.each(ctx, taskKind, "", metav1.ListOptions{}, func(m *metav1.PartialObjectMetadata) {
		if app := m.Labels[v1alpha1.NameLabel]; app != "" { // else runtask has yet to handle it: it has not ended
			found[types.NamespacedName{Namespace: m.Namespace, Name: app}]++
		}
	})
	if err != nil {
		return err
	}
	log := logging.FromContext(ctx)
	var failed atomic.Int32
	var group errgroup.Group
	group.SetLimit(sweepsAtOnce)
	for app := range found {
		group.Go(func() error {
			err := h.look(ctx, app)
			if err != nil {
				failed.Add(1)
				log.Warnw("not swept; to be tried again", "app", app.String(), "error", err)
			}
			return err
		})
	}
	err = group.Wait()
	log.Infow("swept", "apps", len(found), "failed", failed.Load())
	return err
}

// refuse says on the App that its policy can't be read, and that nothing is deleted until it can. The Event is named by
// what it says, so that it stands there once until Kubernetes forgets it.
func (h *Handler) refuse(ctx context.Context, app types.NamespacedName, uid types.UID, why error) error {
	logging.FromContext(ctx).Warnw("policy refused: all Tasks are kept", "app", app.String(), "error", why)
	now := metav1.NewTime(h.Now())
	message := fmt.Sprintf("All Tasks are kept until this is mended: %v", why)
	_, err := h.Core.Events(app.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace,
			Name:      fmt.Sprintf("%s.%x", app.Name, sha256.Sum256([]byte(string(uid)+"\x00"+message)))[:len(app.Name)+1+20],
		},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: "App", Namespace: app.Namespace, Name: app.Name, UID: uid,
		},
		Type: corev1.EventTypeWarning, Reason: "RetentionRefused", Message: message,
		Source: corev1.EventSource{Component: "prune"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	if err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("say on App %s that its policy is refused: %w", app, err)
	}
	return nil
}
