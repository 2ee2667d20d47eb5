package main

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler carries out commands. It is the only one that does: what an event asks for happens here or not at all.
type Handler struct {
	Kf         *client.Client
	Kube       kubernetes.Interface
	Identities *identity.Reviewer
	Now        func() time.Time

	told told
}

// Handle carries out one command, for who may do the same by kubectl. Nothing is read before that is known, so that a
// refusal tells nothing of what there is. Delivered again, it finds the command done.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	target, err := events.TargetOf(e)
	if err != nil {
		return nil, receiver.Permanent(err)
	}
	by, err := h.admit(ctx, e, Act(e.Type(), target))
	if err != nil {
		return nil, err
	}
	cmd, err := Read(e)
	if err != nil {
		return nil, receiver.Permanent(err)
	}
	switch cmd := cmd.(type) {
	case events.RunTask:
		err = h.runTask(ctx, e, by, cmd)
	case events.RunJob:
		err = h.runJob(ctx, e, by, cmd)
	case events.TerminateTask:
		err = h.terminateTask(ctx, e, by, cmd)
	}
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) { // the API server says that it can never be
		err = receiver.Permanent(err)
	}
	return nil, err
}
