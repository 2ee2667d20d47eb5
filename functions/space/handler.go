package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

const (
	// atOnce is how many Spaces a resync deals with side by side.
	atOnce = 8
	// mostSteps is more than any Space takes. Two who undo each other's steps would else go on for ever.
	mostSteps = 16
)

// Handler makes of a Space what it asks for.
type Handler struct {
	Kf   *client.Client
	Kube kubernetes.Interface
	Now  func() time.Time
}

// Handle handles a Space's event, or a ping to find Spaces whose event was lost, and what somebody has taken from one.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		hint, stale, err := events.About(e, func(s *v1alpha1.Space) bool {
			return s.Status.ObservedGeneration != s.Generation || s.DeletionTimestamp != nil
		})
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !stale {
			return nil, nil // our own write
		}
		space, err := client.Find(ctx, h.Kf.Spaces(), "", hint.Name)
		if err != nil || space == nil || !hint.Is(space) {
			return nil, err
		}
		return nil, h.sync(ctx, space)
	case events.Ping:
		return nil, resync.Each(ctx, atOnce, h.notInSync(ctx), func(space *v1alpha1.Space) error {
			space, err := client.FindAgain(ctx, h.Kf.Spaces(), space) // the cache may not have our last step
			if err != nil || space == nil {
				return err
			}
			return h.sync(ctx, space)
		})
	}
	return nil, receiver.Permanent(fmt.Errorf("space does not handle events of type %q", e.Type()))
}

// sync takes a Space step by step to what it asks for, and says on it how it stands.
func (h *Handler) sync(ctx context.Context, space *v1alpha1.Space) error {
	for range mostSteps {
		now, err := h.advance(ctx, space)
		if apierrors.IsConflict(err) { // somebody has written meanwhile, another delivery maybe
			now, err = client.FindAgain(ctx, h.Kf.Spaces(), space)
		}
		if err != nil || now == nil {
			return err
		}
		space = now
	}
	return fmt.Errorf("space %s: not done after %d steps: does somebody undo them?", space.Name, mostSteps)
}

// advance takes the next step for a Space, and returns it as it then is; nil when there is none left to take.
func (h *Handler) advance(ctx context.Context, space *v1alpha1.Space) (*v1alpha1.Space, error) {
	found, err := h.gather(ctx, space)
	if err != nil {
		return nil, err
	}

	step := Next(space, found)

	switch step.Action {
	case Nothing:
		_, err = h.say(ctx, space, found)
		return nil, client.IgnoreNotFound(err)
	case DeleteNamespace: // which takes a while
		if space, err = h.say(ctx, space, found); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
	}
	logging.FromContext(ctx).Infow("step", "space", space.Name, "action", step.Action)
	return h.take(ctx, space, found, step)
}

// say writes into a Space's status how it stands, and returns it as it then is.
func (h *Handler) say(ctx context.Context, space *v1alpha1.Space, found Found) (*v1alpha1.Space, error) {
	return client.PatchStatusOnce(ctx, h.Kf.Spaces(), space, func(s *v1alpha1.Space) { Observe(s, found, h.Now()) })
}

// take takes one step, and returns the Space as it then is, nil if it is gone or there is no going on. What is there already, or gone
// already, is done.
func (h *Handler) take(ctx context.Context, space *v1alpha1.Space, found Found, step Step) (*v1alpha1.Space, error) {
	bindings := h.Kube.RbacV1().RoleBindings(space.Name)
	var err error
	switch step.Action {
	case AddFinalizer:
		return client.Finalize(ctx, h.Kf.Spaces(), space, v1alpha1.SpaceFinalizer, true)
	case RemoveFinalizer:
		return client.Finalize(ctx, h.Kf.Spaces(), space, v1alpha1.SpaceFinalizer, false)
	case MakeNamespace:
		_, err = client.CreateOnce(ctx, h.Kube.CoreV1().Namespaces(), namespaceOf(space)) // whose it is shows at the next look
	case DeleteNamespace:
		err = client.IgnoreNotFound(h.Kube.CoreV1().Namespaces().Delete(ctx, space.Name, client.Exactly(found.Namespace)))
	case Unbind:
		err = client.IgnoreNotFound(bindings.Delete(ctx, step.Binding.Name, client.Exactly(step.Binding)))
	case Bind:
		if step.Binding.ResourceVersion == "" {
			_, err = client.CreateOnce(ctx, bindings, step.Binding)
		} else {
			_, err = bindings.Update(ctx, step.Binding, metav1.UpdateOptions{})
		}
	}
	switch {
	case err == nil:
		return space, nil
	case client.RefusalOf(err) != client.NoRefusal: // by a policy, a quota: whoever looks at the Space is to see it; the resync tries again
		found.Refused = fmt.Sprintf("%s: %v", step.Action, err)
		_, err = h.say(ctx, space, found)
		return nil, client.IgnoreNotFound(err)
	}
	return nil, fmt.Errorf("%s for Space %s: %w", step.Action, space.Name, err)
}
