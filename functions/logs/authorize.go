package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	authz "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/identity"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// authorize returns a reader for a caller who may read the Pod logs of the namespace.
func (h *Handler) authorize(ctx context.Context, q Request) (*tasklog.Reader, error) {
	if q.Token == "" {
		return nil, refusal{http.StatusUnauthorized, "a bearer token is needed"}
	}
	if len(validation.IsDNS1123Label(q.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(q.Task+q.App)) > 0 {
		return nil, refusal{http.StatusBadRequest, "these are no names of Kubernetes objects"}
	}
	read := authz.ResourceAttributes{Namespace: q.Namespace, Verb: "get", Resource: "pods", Subresource: "log"}
	user, allowed, err := h.Identities.Admit(ctx, q.Token, read)
	switch {
	case errors.Is(err, identity.ErrUnknown):
		return nil, refusal{http.StatusUnauthorized, "the bearer token is not valid"}
	case err != nil:
		return nil, err
	case !allowed:
		return nil, refusal{http.StatusForbidden, fmt.Sprintf("%s may not read the Pod logs of namespace %s", user, q.Namespace)}
	}
	streams, err := h.Streams(q.Token)
	if err != nil {
		return nil, err
	}
	return &tasklog.Reader{
		Tasks: h.Kf.Tasks(q.Namespace), Pods: h.Pods.Pods(q.Namespace), Streams: streams.Pods(q.Namespace),
		Archive: h.Archive(q.Namespace), UID: q.UID,
	}, nil
}
