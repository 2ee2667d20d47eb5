package main

import (
	"cmp"
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// terminateTask asks a Task to stop. The function terminate hears of that as it does of `kf terminate-task`.
func (h *Handler) terminateTask(ctx context.Context, e cloudevents.Event, by string, cmd events.TerminateTask) (string, error) {
	task, err := h.find(ctx, cmd)
	if err != nil {
		return "", err
	}

	may, why := task.MayStop()

	log := logging.FromContext(ctx).With("namespace", cmd.Namespace, "task", cmd.Task, "app", cmd.App, "taskID", cmd.ID)
	if !may {
		log.Infow("nothing to stop", "reason", why)
		if task == nil {
			return "", nil
		}
		return task.Name, nil
	}
	_, err = client.Merge(ctx, h.Kf.Tasks(task.Namespace), task, client.Change{
		Spec: map[string]any{"terminated": true}, Manager: cmp.Or(by, "event:"+e.Source()),
	})
	if err == nil {
		log.Infow("asked to stop")
	}
	return task.Name, client.IgnoreNotFound(err)
}

// find returns the Task that a command names, nil if there is none.
func (h *Handler) find(ctx context.Context, cmd events.TerminateTask) (*v1alpha1.Task, error) {
	if cmd.Task != "" {
		return client.Find(ctx, h.Kf.Tasks(cmd.Namespace), cmd.Namespace, cmd.Task)
	}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(cmd.Namespace), client.OfApp(cmd.App)))
	if err != nil {
		return nil, err
	}
	task, err := v1alpha1.ByID(tasks, cmd.ID)
	return task, receiver.Permanent(err)
}
