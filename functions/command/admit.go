package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	shellquote "github.com/kballard/go-shellquote"
	"go.uber.org/zap"
	authz "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Audience is what a token is for that a command is sent with.
const Audience = "kf-tasks-command"

// admit says who commands, "" where the Space asks nobody, or refuses: a token that is not valid, a right that is not
// there. Credentials that are shown must be valid, even where none are asked for.
func (h *Handler) admit(ctx context.Context, e cloudevents.Event, act authz.ResourceAttributes) (by string, err error) {
	token, err := receiver.BearerToken(ctx)
	if err != nil {
		return "", h.refuse(ctx, e, act, "", err)
	}
	var id identity.Identity
	if token != "" {
		id, err = h.Identities.Authenticate(ctx, token)
		if errors.Is(err, identity.ErrUnknown) {
			return "", h.refuse(ctx, e, act, "", receiver.Unauthenticated(err))
		}
		if err != nil {
			return "", err
		}
		allowed, _, err := h.Identities.Authorize(ctx, id, act)
		if err != nil {
			return "", err
		}
		if allowed {
			return id.Username, nil
		}
	}
	space, err := h.Kube.CoreV1().Namespaces().Get(ctx, act.Namespace, metav1.GetOptions{})
	switch {
	case err == nil && space.Annotations[v1alpha1.CommandsFrom] == v1alpha1.CommandsFromAnyone:
		return "", nil
	case err != nil && !apierrors.IsNotFound(err):
		return "", fmt.Errorf("read namespace %s: %w", act.Namespace, err)
	}
	return "", h.refuse(ctx, e, act, id.Username, Refusal(id.Username, act))
}

// Refusal says who may not do what, and how an administrator of the Space could allow it: 401 for who did not say who he
// is, else 403.
func Refusal(user string, act authz.ResourceAttributes) error {
	if user == "" {
		return receiver.Unauthenticated(fmt.Errorf("to %s tasks in namespace %s by an event, send it with a bearer token: "+
			"kubectl -n %[2]s create token ACCOUNT --audience %[3]s", act.Verb, act.Namespace, Audience))
	}
	what := "tasks"
	if act.Name != "" {
		what = "task " + act.Name
	}
	refused := fmt.Sprintf("%s may not %s %s in namespace %s", user, act.Verb, what, act.Namespace)
	namespace, account, isAccount := serviceAccount(user)
	subject := shellquote.Join("--user=" + user)
	switch {
	case isAccount && namespace == ownNamespace: // to allow it would allow whoever may post to the Broker
		return receiver.Forbidden(fmt.Errorf("%s: the Broker of %s does not say who posted; post to the function itself with a token, "+
			"or by a Trigger of your own", refused, ownNamespace))
	case isAccount:
		subject = "--serviceaccount=" + namespace + ":" + account
	}
	return receiver.Forbidden(fmt.Errorf(
		"%s: its administrator may allow that: kubectl -n %s create rolebinding commanders --clusterrole=kf-tasks-commander %s",
		refused, act.Namespace, subject))
}

// ownNamespace is where this project's Broker and Triggers are.
const ownNamespace = "kf-tasks"

// serviceAccount takes the user name of a service account apart (k8s.io/apiserver pkg/authentication/serviceaccount).
func serviceAccount(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// refuse shows a refusal in the Space, where its administrator looks, and returns it for the sender. To show it is no
// condition for refusing.
func (h *Handler) refuse(ctx context.Context, e cloudevents.Event, act authz.ResourceAttributes, user string, why error) error {
	w := Shown(e, act, user, why)
	if now := h.Now(); h.told.first(w.About.Namespace+"\x00"+w.Once, now) {
		if err := kubeevent.Warn(ctx, h.Kube.EventsV1(), w, now); err != nil {
			logging.FromContext(ctx).Warnw("the refusal is not shown in the Space", zap.Error(err))
		}
	}
	return why
}

// Shown is a refusal as the Space shows it: one for each act and sender, where all service accounts of a namespace are
// one sender, and all that show no valid token. Whoever can make accounts or ids without end can't fill a Space with them.
func Shown(e cloudevents.Event, act authz.ResourceAttributes, user string, why error) kubeevent.Warning {
	sender := user
	if namespace, _, ok := serviceAccount(user); ok {
		sender = "system:serviceaccounts:" + namespace
	}
	return kubeevent.Warning{
		About:  corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: act.Namespace, Namespace: act.Namespace},
		Reason: "CommandRefused", Action: "Command", By: "command", Once: act.Verb + "\x00" + sender,
		Note: fmt.Sprintf("%s from %.60q was refused: %.600s", e.Type(), e.Source(), why),
	}
}

// told remembers what was shown lately: of a flood of refusals the API server gets none.
type told struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// first says whether this was not shown within the last minute.
func (t *told) first(what string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.last[what]) < time.Minute {
		return false
	}
	if t.last == nil || len(t.last) >= 1024 {
		t.last = map[string]time.Time{}
	}
	t.last[what] = now
	return true
}
