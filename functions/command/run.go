package main

import (
	"context"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// runTask makes a Task of an App. An App that is not there may be pushed yet: the sender tries again.
func (h *Handler) runTask(ctx context.Context, e cloudevents.Event, by string, cmd events.RunTask) (string, error) {
	app, err := client.Find(ctx, h.Kf.Apps(cmd.Namespace), cmd.Namespace, cmd.App)
	if err != nil {
		return "", err
	}
	if app == nil {
		return "", fmt.Errorf("there is no App %s/%s", cmd.Namespace, cmd.App)
	}
	task := cmd.Task(app, e, by)
	return task.Name, h.create(ctx, task)
}

// runJob makes a Task of a Job, apart from its schedule: a Job that is suspended runs too.
func (h *Handler) runJob(ctx context.Context, e cloudevents.Event, by string, cmd events.RunJob) (string, error) {
	job, err := client.Find(ctx, h.Kf.TaskSchedules(cmd.Namespace), cmd.Namespace, cmd.Job)
	if err != nil {
		return "", err
	}
	if job == nil {
		return "", fmt.Errorf("there is no Job %s/%s", cmd.Namespace, cmd.Job)
	}
	task := cmd.Task(job, e, by)
	return task.Name, h.create(ctx, task)
}

// create creates a Task whose name is the lock: there already, it is success if it was made from the same event, for the
// same identity. Who else asks by that source and id is refused, and told nothing of whose the Task is.
func (h *Handler) create(ctx context.Context, task *v1alpha1.Task) error {
	log := logging.FromContext(ctx).With("task", task.Namespace+"/"+task.Name)
	there, err := client.CreateOnce(ctx, h.Kf.Tasks(task.Namespace), task)
	switch {
	case err != nil:
		return fmt.Errorf("create Task %s/%s: %w", task.Namespace, task.Name, err)
	case there == nil:
		log.Infow("created")
		return nil
	case there.Annotations[v1alpha1.EventAnnotation] != task.Annotations[v1alpha1.EventAnnotation]:
		return receiver.Permanent(fmt.Errorf("Task %s/%s is there and is not from this event", task.Namespace, task.Name))
	case there.Spec.RequestedBy != task.Spec.RequestedBy:
		return receiver.Forbidden(fmt.Errorf(
			"the source and id of this event are taken in namespace %s: send it with an id of your own", task.Namespace))
	}
	log.Infow("created before")
	return nil
}
