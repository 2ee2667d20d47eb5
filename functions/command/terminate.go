package main

import (
	"cmp"
	"context"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// terminateTask asks a Task to stop. The function terminate hears of that as it does of `kf terminate-task`.
func (h *Handler) terminateTask(ctx context.Context, e cloudevents.Event, cmd events.TerminateTask, fact *events.CommandFact) error {
	task, err := h.find(ctx, e, cmd, fact.RequestedBy)
	if err != nil {
		return err
	}

	may, why := task.MayStop()

	log := logging.FromContext(ctx).With("namespace", cmd.Namespace, "task", cmd.Task, "app", cmd.App, "taskID", cmd.ID)
	if task != nil {
		fact.Task = task.Name
	}
	if !may {
		fact.Reason = why
		log.Infow("nothing to stop", "reason", why)
		return nil
	}
	_, err = client.Merge(ctx, h.Kf.Tasks(task.Namespace), task, client.Change{
		Spec: map[string]any{"terminated": true}, Manager: manager(fact, e),
	})
	if err == nil {
		log.Infow("asked to stop")
	}
	return client.IgnoreNotFound(err)
}

// manager is who changes an object for a command, as the API server keeps it.
func manager(fact *events.CommandFact, e cloudevents.Event) string {
	return cmp.Or(fact.RequestedBy, "event:"+e.Source())
}

// find returns the Task that a command names, nil if there is none.
func (h *Handler) find(
	ctx context.Context, e cloudevents.Event, cmd events.TerminateTask, by string,
) (*v1alpha1.Task, error) {
	switch {
	case cmd.Run != nil:
		return h.findRun(ctx, e, cmd, by)
	case cmd.Task != "":
		return client.Find(ctx, h.Kf.Tasks(cmd.Namespace), cmd.Namespace, cmd.Task)
	}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(cmd.Namespace), client.OfApp(cmd.App)))
	if err != nil {
		return nil, err
	}
	task, err := v1alpha1.ByID(tasks, cmd.ID)
	return task, receiver.Permanent(err)
}

// findRun returns the Task of a run command. Is that yet to come, it makes the Task in its place, as one that never starts: the name
// is the lock, so whichever of the two is first, there is one Task, and it is asked to stop.
func (h *Handler) findRun(
	ctx context.Context, e cloudevents.Event, cmd events.TerminateTask, by string,
) (there *v1alpha1.Task, err error) {
	tasks, name := h.Kf.Tasks(cmd.Namespace), events.TaskName(cmp.Or(cmd.Job, cmd.App), cmd.Run.Source, cmd.Run.ID)
	if there, err = client.Find(ctx, tasks, cmd.Namespace, name); err == nil && there == nil {
		there, err = h.stopFirst(ctx, e, cmd, by)
	}
	if err == nil && !cmd.Run.Ran(cmd.App, cmd.Job, there) {
		err = receiver.Permanent(fmt.Errorf("Task %s/%s is there and is not of that run", cmd.Namespace, name))
	}
	return there, err
}

// stopFirst makes the Task of a run that is to come, or finds that it has just come.
func (h *Handler) stopFirst(ctx context.Context, e cloudevents.Event, cmd events.TerminateTask, by string) (*v1alpha1.Task, error) {
	var app *v1alpha1.App
	var job *v1alpha1.TaskSchedule
	var err error
	if cmd.Job != "" {
		job, err = h.job(ctx, cmd.Namespace, cmd.Job)
	} else {
		app, err = h.app(ctx, cmd.Namespace, cmd.App)
	}
	if err != nil {
		return nil, err
	}
	stopped := cmd.Stopped(app, job, e, by)
	there, err := client.CreateOnce(ctx, h.Kf.Tasks(cmd.Namespace), stopped)
	if err != nil {
		return nil, fmt.Errorf("create Task %s/%s: %w", stopped.Namespace, stopped.Name, err)
	}
	return cmp.Or(there, stopped), nil
}
