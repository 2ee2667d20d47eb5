package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

const (
	// atOnce is how many services or bindings a resync deals with side by side.
	atOnce = 8
	// mostTries is how often one is looked at, when others write it too.
	mostTries = 8
	// Who makes a service, or a binding, makes its Secret next: it is looked for at once, else it would cost a resync.
	secretEvery, secretWithin = 100 * time.Millisecond, 3 * time.Second
)

// Handler keeps services and bindings, and what Apps have of them.
type Handler struct {
	Kf   *client.Client
	Core corev1client.SecretsGetter
	Now  func() time.Time
}

// Handle handles the event of a service or a binding, or a ping to find those whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch {
	case e.Type() == events.Ping:
		return nil, h.resync(ctx)
	case e.Type() != events.ResourceAdded && e.Type() != events.ResourceUpdated:
	case e.Extensions()["kind"] == "ServiceInstance":
		return nil, h.ofEvent(ctx, e, false)
	case e.Extensions()["kind"] == "ServiceInstanceBinding":
		return nil, h.ofEvent(ctx, e, true)
	}
	return nil, receiver.Permanent(fmt.Errorf("bind does not handle events of type %q and kind %q", e.Type(), e.Extensions()["kind"]))
}

// ofEvent looks at what an event is about, again for a moment while its Secret is missing.
func (h *Handler) ofEvent(ctx context.Context, e cloudevents.Event, binding bool) error {
	var hint events.Hint
	var look bool
	var err error
	if binding {
		hint, look, err = events.About(e, func(b *v1alpha1.ServiceInstanceBinding) bool {
			return !Settled(b, b.Status.ObservedGeneration, b.Status.Conditions, h.Now())
		})
	} else {
		hint, look, err = events.About(e, func(s *v1alpha1.ServiceInstance) bool {
			return !Settled(s, s.Status.ObservedGeneration, s.Status.Conditions, h.Now())
		})
	}
	if err != nil {
		return receiver.Permanent(err)
	}
	if !look {
		return nil // our own write
	}
	step := h.service
	if binding {
		step = h.binding
	}
	err = wait.PollUntilContextTimeout(ctx, secretEvery, secretWithin, true, func(context.Context) (bool, error) {
		reason, err := settle(func() (string, error) { return step(ctx, hint) })
		return reason != v1alpha1.ReasonSecretMissing || e.Type() != events.ResourceAdded, err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil // the resync looks again
	}
	return err
}

// resync deals with the services and bindings that are not settled. Both lists are from the API server's cache: most of the time they
// find none.
func (h *Handler) resync(ctx context.Context) error {
	cached, now := metav1.ListOptions{ResourceVersion: "0"}, h.Now()
	services := func(yield func(*v1alpha1.ServiceInstance, error) bool) {
		for s, err := range client.All[*v1alpha1.ServiceInstance](ctx, h.Kf.Services(""), cached) {
			if (err != nil || !Settled(s, s.Status.ObservedGeneration, s.Status.Conditions, now)) && !yield(s, err) {
				return
			}
		}
	}
	bindings := func(yield func(*v1alpha1.ServiceInstanceBinding, error) bool) {
		for b, err := range client.All[*v1alpha1.ServiceInstanceBinding](ctx, h.Kf.Bindings(""), cached) {
			if (err != nil || !Settled(b, b.Status.ObservedGeneration, b.Status.Conditions, now)) && !yield(b, err) {
				return
			}
		}
	}
	err := resync.Each(ctx, atOnce, bindings, func(b *v1alpha1.ServiceInstanceBinding) error {
		_, err := settle(func() (string, error) { return h.binding(ctx, events.HintAt(b)) })
		return err
	})
	if err != nil {
		return err
	}
	return resync.Each(ctx, atOnce, services, func(s *v1alpha1.ServiceInstance) error {
		_, err := settle(func() (string, error) { return h.service(ctx, events.HintAt(s)) })
		return err
	})
}

// service says on a service whether Apps can be bound to it, or lets it go. It returns the reason that it gave.
func (h *Handler) service(ctx context.Context, hint events.Hint) (string, error) {
	s, err := client.Find(ctx, h.Kf.Services(hint.Namespace), hint.Namespace, hint.Name)
	if err != nil || s == nil || !hint.Is(s) {
		return "", err
	}
	if s.DeletionTimestamp != nil {
		bound, err := h.isBound(ctx, s)
		if err != nil {
			return "", err
		}
		if !bound {
			_, err = client.Finalize(ctx, h.Kf.Services(s.Namespace), s, v1alpha1.ServiceFinalizer, false)
			return "", err
		}
	} else if s, err = client.Finalize(ctx, h.Kf.Services(s.Namespace), s, v1alpha1.ServiceFinalizer, true); err != nil || s == nil {
		return "", err
	}
	var found Found
	if s.DeletionTimestamp == nil {
		if found.Credentials, found.Refused, err = h.secret(ctx, s.Namespace, s.Spec.ParametersFrom.Name); err != nil {
			return "", err
		}
	}
	v := ofService(s, found)
	_, err = client.PatchStatus(ctx, h.Kf.Services(s.Namespace), s, func(s *v1alpha1.ServiceInstance) {
		status := &s.Status
		status.ObservedGeneration, status.DeleteRequests = s.Generation, s.Spec.DeleteRequests
		status.ServiceTypeDescription, status.ServiceFields = v1alpha1.UserProvidedClass, fields(s)
		if found.Credentials != nil {
			status.SecretName = found.Credentials.Name
		}
		say(s, &status.Conditions, v, "", h.Now(), conditionParamsSecret)
	})
	logging.FromContext(ctx).Infow("looked", "service", s.Namespace+"/"+s.Name, "reason", v.reason)
	return v.reason, client.IgnoreNotFound(err)
}

// isBound says whether there is a binding to a service.
func (h *Handler) isBound(ctx context.Context, s *v1alpha1.ServiceInstance) (bool, error) {
	for b, err := range client.All[*v1alpha1.ServiceInstanceBinding](ctx, h.Kf.Bindings(s.Namespace), metav1.ListOptions{}) {
		if err != nil || b.Spec.InstanceRef.Name == s.Name {
			return err == nil, err
		}
	}
	return false, nil
}

// binding gives an App what it is bound to, or takes it back. It returns the reason that it gave.
func (h *Handler) binding(ctx context.Context, hint events.Hint) (string, error) {
	b, err := client.Find(ctx, h.Kf.Bindings(hint.Namespace), hint.Namespace, hint.Name)
	if err != nil || b == nil || !hint.Is(b) || b.Spec.App == nil {
		return "", err
	}
	if b.DeletionTimestamp != nil {
		if err := h.unbind(ctx, b); err != nil {
			return "", err
		}
		_, err = client.Finalize(ctx, h.Kf.Bindings(b.Namespace), b, v1alpha1.ServiceFinalizer, false)
		return "", err
	}
	if b, err = client.Finalize(ctx, h.Kf.Bindings(b.Namespace), b, v1alpha1.ServiceFinalizer, true); err != nil || b == nil {
		return "", err
	}
	found, err := h.gather(ctx, b)
	if err != nil {
		return "", err
	}
	given, v := ofBinding(b, found)
	if v.status == "" {
		if v, err = h.give(ctx, b, found.App, given); err != nil {
			return "", err
		}
	}
	_, err = client.PatchStatus(ctx, h.Kf.Bindings(b.Namespace), b, func(b *v1alpha1.ServiceInstanceBinding) {
		status := &b.Status
		status.ObservedGeneration, status.UnbindRequests = b.Generation, b.Spec.UnbindRequests
		if v.status == "" {
			status.BindingName, status.ServiceFields = given.Entry.Name, fields(found.Service)
			status.CredentialsSecretRef.Name = v1alpha1.CredentialsSecret(b.Name)
			status.Binding.Name = v1alpha1.BindingFilesSecret(b.Name)
		}
		say(b, &status.Conditions, v, given.Note, h.Now(), conditionCredentialsSecret)
	})
	logging.FromContext(ctx).Infow("looked", "binding", b.Namespace+"/"+b.Name, "app", b.Spec.App.Name, "reason", v.reason)
	return v.reason, client.IgnoreNotFound(err)
}

// settle looks at a service or a binding, and again when somebody else has written meanwhile what was to be written: another delivery,
// maybe.
func settle(step func() (string, error)) (reason string, err error) {
	for range mostTries {
		reason, err = step()
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			break
		}
	}
	return reason, err
}

// gather reads what there is of a binding.
func (h *Handler) gather(ctx context.Context, b *v1alpha1.ServiceInstanceBinding) (f Found, err error) {
	if f.App, err = client.Find(ctx, h.Kf.Apps(b.Namespace), b.Namespace, b.Spec.App.Name); err != nil {
		return f, err
	}
	f.Service, err = client.Find(ctx, h.Kf.Services(b.Namespace), b.Namespace, b.Spec.InstanceRef.Name)
	if err != nil || f.Service == nil || f.App == nil {
		return f, err
	}
	if f.Credentials, f.Refused, err = h.secret(ctx, b.Namespace, f.Service.Spec.ParametersFrom.Name); err != nil || f.Refused != "" {
		return f, err
	}
	f.Params, f.Refused, err = h.secret(ctx, b.Namespace, b.Spec.ParametersFrom.Name)
	return f, err
}

// Conditions of Kf's beside Ready.
const (
	conditionParamsSecret      = "ParamsSecretReady"
	conditionCredentialsSecret = "CredentialsSecretReady"
)
