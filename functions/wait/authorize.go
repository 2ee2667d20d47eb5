package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	authz "k8s.io/api/authorization/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// caller says whose token it is. Nobody waits without one, also where a Space takes commands of anyone: answers are for somebody.
func (h *Handler) caller(ctx context.Context) (token string, id identity.Identity, err error) {
	token, err = receiver.BearerToken(ctx)
	if err == nil && token == "" {
		err = receiver.Unauthenticated(errors.New(
			"send a bearer token, of kubectl -n NAMESPACE create token ACCOUNT --audience kf-tasks-command"))
	}
	if err != nil {
		return "", id, err
	}
	id, err = h.Identities.Authenticate(ctx, token)
	if errors.Is(err, identity.ErrUnknown) {
		err = receiver.Unauthenticated(err)
	}
	return token, id, err
}

// read reads a Task for who asked for it, or may get it. All others are told the same, whether it is there or not.
func (h *Handler) read(ctx context.Context, q Request, caller identity.Identity) (*v1alpha1.Task, error) {
	task, err := client.Find(ctx, h.Kf.Tasks(q.Namespace), q.Namespace, q.Task)
	if err != nil {
		return nil, err
	}
	if task != nil && task.Spec.RequestedBy == caller.Username && caller.Username != "" {
		return task, nil
	}
	allowed, _, err := h.Identities.Authorize(ctx, caller, authz.ResourceAttributes{
		Verb: "get", Namespace: q.Namespace, Name: q.Task, Resource: "tasks",
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
	})
	switch {
	case err != nil:
		return nil, err
	case !allowed:
		return nil, receiver.Forbidden(fmt.Errorf("%s may not get task %s in namespace %s, and has not asked for it",
			caller.Username, q.Task, q.Namespace))
	case task == nil:
		return nil, receiver.WithStatus(http.StatusNotFound, fmt.Errorf("there is no Task %s/%s", q.Namespace, q.Task))
	}
	return task, nil
}

// mayReadLogs says why not, if the caller may not read the logs of the namespace's Pods.
func (h *Handler) mayReadLogs(ctx context.Context, q Request, caller identity.Identity) error {
	allowed, _, err := h.Identities.Authorize(ctx, caller, authz.ResourceAttributes{
		Namespace: q.Namespace, Verb: "get", Resource: "pods", Subresource: "log",
	})
	if err == nil && !allowed {
		err = fmt.Errorf("%s may not read the Pod logs of namespace %s", caller.Username, q.Namespace)
	}
	return err
}
