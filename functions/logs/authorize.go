package main

import (
	"context"
	"fmt"
	"net/http"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

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
	review, err := h.Reviews.Create(ctx, &authn.TokenReview{Spec: authn.TokenReviewSpec{Token: q.Token}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("review the token: %w", err)
	}
	if !review.Status.Authenticated {
		return nil, refusal{http.StatusUnauthorized, "the bearer token is not valid"}
	}
	user := review.Status.User
	extra := map[string]authz.ExtraValue{}
	for k, v := range user.Extra {
		extra[k] = authz.ExtraValue(v)
	}
	access, err := h.Access.Create(ctx, &authz.SubjectAccessReview{Spec: authz.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authz.ResourceAttributes{Namespace: q.Namespace, Verb: "get", Resource: "pods", Subresource: "log"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("review access: %w", err)
	}
	if !access.Status.Allowed {
		return nil, refusal{http.StatusForbidden, fmt.Sprintf("%s may not read the Pod logs of namespace %s", user.Username, q.Namespace)}
	}
	streams, err := h.Streams(q.Token)
	if err != nil {
		return nil, err
	}
	return &tasklog.Reader{Tasks: h.Kf.Tasks(q.Namespace), Pods: h.Pods.Pods(q.Namespace), Streams: streams.Pods(q.Namespace)}, nil
}
