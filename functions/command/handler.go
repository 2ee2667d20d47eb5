package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler carries out commands. It is the only one that does: what an event asks for happens here or not at all.
type Handler struct {
	Kf         *client.Client
	Kube       kubernetes.Interface
	Identities *identity.Reviewer
	Now        func() time.Time
	// Emit posts a fact that can't leave as the reply: that a command was refused.
	Emit func(context.Context, cloudevents.Event) error
	// Reported are refusals: of a flood of them the API server and the Broker get one.
	Reported *kubeevent.Reported
}

// Handle carries out one command, and reports what became of it: by its reply that it was accepted, and besides its answer, which
// a Broker shows to nobody, that it was refused.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	if e.Type() == events.CommandAccepted || e.Type() == events.CommandRefused {
		return nil, nil // our own, come back by a Trigger of somebody's that filters nothing: they never run anything
	}
	var fact events.CommandFact
	err := h.carryOut(ctx, e, &fact)
	if err == nil {
		return events.NewCommandFact(events.CommandAccepted, "command", e, fact), nil
	}
	fact.Status, fact.Reason = receiver.Status(err), inert.Fit(err.Error(), 1024)
	if !receiver.IsPermanent(err) || !h.told(fact) {
		return nil, err // it may pass; or one like it has been told
	}
	if err := h.Emit(ctx, *events.NewCommandFact(events.CommandRefused, "command", e, fact)); err != nil {
		logging.FromContext(ctx).Warnw("the refusal is not reported", zap.Error(err))
	}
	return nil, err
}

// told says whether a refusal is told. What anybody can send without end, because he need not be known, or need not have a right, is
// told once a minute for each Space and sender.
func (h *Handler) told(fact events.CommandFact) bool {
	admitted := fact.Namespace != "" && fact.Status != http.StatusUnauthorized && fact.Status != http.StatusForbidden
	return admitted || h.Reported.First(fmt.Sprintf("%d %s %s", fact.Status, fact.Namespace, identity.Sender(fact.RequestedBy)))
}

// carryOut carries out one command, for who may do the same by kubectl. Nothing is read before that is known, so that a
// refusal tells nothing of what there is. Delivered again, it finds the command done.
func (h *Handler) carryOut(ctx context.Context, e cloudevents.Event, fact *events.CommandFact) error {
	target, err := events.TargetAt(receiver.Path(ctx), e)
	if err != nil {
		return receiver.Permanent(err)
	}
	fact.Namespace, fact.Reaction = target.Namespace, target.Reaction()
	for _, act := range target.Acts(e.Type()) {
		if fact.RequestedBy, err = h.admit(ctx, e, act); err != nil {
			return err
		}
	}
	cmd, err := events.ReadAt(target, e)
	if err != nil {
		return receiver.Permanent(err)
	}
	switch cmd := cmd.(type) {
	case events.RunTask:
		err = h.runTask(ctx, e, cmd, fact)
	case events.RunJob:
		err = h.runJob(ctx, e, cmd, fact)
	case events.TerminateTask:
		err = h.terminateTask(ctx, e, cmd, fact)
	case events.SuspendJob:
		err = h.switchJob(ctx, e, cmd.Namespace, cmd.Job, true, fact)
	case events.ResumeJob:
		err = h.switchJob(ctx, e, cmd.Namespace, cmd.Job, false, fact)
	}
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) { // the API server says that it can never be
		err = receiver.Permanent(err)
	}
	if err != nil {
		fact.Task, fact.Job = "", "" // a refusal tells nothing of what there is
	}
	return err
}

// app and job read what a command is about. One that is not there may come yet: the sender tries again.
func (h *Handler) app(ctx context.Context, namespace, name string) (*v1alpha1.App, error) {
	app, err := client.Find(ctx, h.Kf.Apps(namespace), namespace, name)
	if err == nil && app == nil {
		err = fmt.Errorf("there is no App %s/%s", namespace, name)
	}
	return app, err
}

func (h *Handler) job(ctx context.Context, namespace, name string) (*v1alpha1.TaskSchedule, error) {
	job, err := client.Find(ctx, h.Kf.TaskSchedules(namespace), namespace, name)
	if err == nil && job == nil {
		err = fmt.Errorf("there is no Job %s/%s", namespace, name)
	}
	return job, err
}
