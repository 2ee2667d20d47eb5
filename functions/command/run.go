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

// runTask makes a Task of an App.
func (h *Handler) runTask(ctx context.Context, e cloudevents.Event, cmd events.RunTask, fact *events.CommandFact) error {
	app, err := h.app(ctx, cmd.Namespace, cmd.App)
	if err != nil {
		return err
	}
	return h.create(ctx, e, cmd.Task(app, e, fact.RequestedBy), fact)
}

// runJob makes a Task of a Job, apart from its schedule: a Job that is suspended runs too.
func (h *Handler) runJob(ctx context.Context, e cloudevents.Event, cmd events.RunJob, fact *events.CommandFact) error {
	job, err := h.job(ctx, cmd.Namespace, cmd.Job)
	if err != nil {
		return err
	}
	return h.create(ctx, e, cmd.Task(job, e, fact.RequestedBy), fact)
}

// create creates a Task whose name is the lock: there already, it is success if it was made from the same event, for the
// same identity. Who else asks by that source and id is refused, and told nothing of whose the Task is. A command that comes too
// late, or too early, is refused unless it was carried out before.
func (h *Handler) create(ctx context.Context, e cloudevents.Event, task *v1alpha1.Task, fact *events.CommandFact) (err error) {
	log := logging.FromContext(ctx).With("task", task.Namespace+"/"+task.Name)
	fact.Task = task.Name
	made := events.EventRef{Source: e.Source(), ID: e.ID()}
	untimely := events.Timely(task, h.Now())
	var there *v1alpha1.Task
	if untimely == nil {
		there, err = client.CreateOnce(ctx, h.Kf.Tasks(task.Namespace), task)
	} else {
		there, err = client.Find(ctx, h.Kf.Tasks(task.Namespace), task.Namespace, task.Name)
	}
	switch {
	case err != nil:
		return fmt.Errorf("create Task %s/%s: %w", task.Namespace, task.Name, err)
	case there == nil && untimely != nil:
		return receiver.Permanent(untimely)
	case there == nil:
		log.Infow("created")
		return nil
	case !made.IsFrom(there):
		return receiver.Permanent(fmt.Errorf("Task %s/%s is there and is not from this event", task.Namespace, task.Name))
	case !made.Ran(task.Spec.AppRef.Name, task.Labels[v1alpha1.TaskScheduleLabel], there):
		return receiver.Permanent(fmt.Errorf("this event has run another App or Job, whose Task has the name of this one's (%s/%s): "+
			"give the two names that differ in their first 42 characters, or send events of two ids", task.Namespace, task.Name))
	case there.Annotations[v1alpha1.StoppedFirstAnnotation] != "" && there.Spec.Terminated:
		fact.Reason = "it was asked to stop before it came, and does not start"
	case there.Spec.RequestedBy != task.Spec.RequestedBy:
		return receiver.Forbidden(fmt.Errorf(
			"the source and id of this event are taken in namespace %s: send it with an id of your own", task.Namespace))
	}
	log.Infow("created before")
	return nil
}
