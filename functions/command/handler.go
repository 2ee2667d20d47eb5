package main

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler carries out commands. It is the only one that does: what an event asks for happens here or not at all.
type Handler struct {
	Kf *client.Client
}

// Handle carries out one command. Delivered again, it finds that done.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	cmd, err := Read(e)
	if err != nil {
		return nil, receiver.Permanent(err)
	}
	switch cmd := cmd.(type) {
	case events.RunTask:
		err = h.runTask(ctx, e, cmd)
	case events.RunJob:
		err = h.runJob(ctx, e, cmd)
	case events.TerminateTask:
		err = h.terminateTask(ctx, e, cmd)
	}
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) { // the API server says that it can never be
		err = receiver.Permanent(err)
	}
	return nil, err
}
