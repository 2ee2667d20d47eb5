package main

import (
	"context"
	"errors"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	authz "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// admit says who commands, "" where the Space asks nobody, or refuses: a token that is not valid, a right that is not
// there; then it says whom. Credentials that are shown must be valid, even where none are asked for.
func (h *Handler) admit(ctx context.Context, e cloudevents.Event, act authz.ResourceAttributes) (by string, err error) {
	token, err := receiver.BearerToken(ctx)
	if err != nil {
		return "", h.refuse(ctx, e, act, "", err)
	}
	allowed := false
	if token != "" {
		by, allowed, err = h.Identities.Admit(ctx, token, act)
	}
	switch {
	case errors.Is(err, identity.ErrUnknown):
		return "", h.refuse(ctx, e, act, "", receiver.Unauthenticated(err))
	case err != nil || allowed:
		return by, err
	}
	space, err := h.Kube.CoreV1().Namespaces().Get(ctx, act.Namespace, metav1.GetOptions{})
	switch {
	case err == nil && space.Annotations[v1alpha1.CommandsFrom] == v1alpha1.CommandsFromAnyone:
		return "", nil
	case err != nil && !apierrors.IsNotFound(err):
		return "", fmt.Errorf("read namespace %s: %w", act.Namespace, err)
	case by == "":
		return "", h.refuse(ctx, e, act, "", receiver.Unauthenticated(identity.Refusal(by, events.CommandAudience, act)))
	}
	return by, h.refuse(ctx, e, act, by, receiver.Forbidden(identity.Refusal(by, events.CommandAudience, act)))
}

// refuse shows a refusal in the Space, where its administrator looks, and returns it for the sender. To show it is no
// condition for refusing.
func (h *Handler) refuse(ctx context.Context, e cloudevents.Event, act authz.ResourceAttributes, user string, why error) error {
	w := Shown(e, act, user, why)
	if h.Reported.First(w.About.Namespace + "\x00" + w.Once) {
		if err := kubeevent.Warn(ctx, h.Kube.EventsV1(), w, h.Now()); err != nil {
			logging.FromContext(ctx).Warnw("the refusal is not shown in the Space", zap.Error(err))
		}
	}
	return why
}

// Shown is a refusal as the Space shows it: one for each act and sender, and all that show no valid token are one sender.
// Whoever can make accounts or ids without end can't fill a Space with them.
func Shown(e cloudevents.Event, act authz.ResourceAttributes, user string, why error) kubeevent.Warning {
	return kubeevent.Warning{
		About:  corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: act.Namespace, Namespace: act.Namespace},
		Reason: "CommandRefused", Action: "Command", By: "command", Once: act.Verb + "\x00" + identity.Sender(user),
		Note: fmt.Sprintf("%s from %.60q was refused: %.600s", e.Type(), e.Source(), why),
	}
}
