package main

import (
	"context"
	"errors"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// switchJob suspends or resumes a Job, unless a later command has switched it. The Job keeps which command was the last, and is
// written only as it was read, so that of two at once the later wins.
func (h *Handler) switchJob(
	ctx context.Context, e cloudevents.Event, namespace, name string, suspend bool, fact *events.CommandFact,
) error {
	for range 10 { // what else writes Jobs does so once a minute
		job, err := h.job(ctx, namespace, name)
		if err != nil {
			return err
		}
		fact.Job = job.Name

		stamp, later, err := events.Switch(e, job.Annotations[v1alpha1.SwitchedAnnotation], h.Now())

		if err != nil {
			return receiver.Permanent(err)
		}
		log := logging.FromContext(ctx).With("job", namespace+"/"+name, "suspend", suspend)
		if !later {
			fact.Reason = "it was carried out before, or a later one was"
			log.Infow("not switched", "reason", fact.Reason)
			return nil
		}
		_, err = client.Merge(ctx, h.Kf.TaskSchedules(namespace), job, client.Change{
			Spec: map[string]any{"suspend": suspend}, Annotations: map[string]string{v1alpha1.SwitchedAnnotation: stamp},
			IfUnchanged: true, Manager: manager(fact, e),
		})
		if !apierrors.IsConflict(err) {
			log.Infow("switched", "error", err)
			return err
		}
	}
	return errors.New("the Job changes all the time")
}
