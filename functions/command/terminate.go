package main

import (
	"context"
	"fmt"
	"strconv"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// terminateTask asks a Task to stop. The function terminate hears of that as it does of `kf terminate-task`.
func (h *Handler) terminateTask(ctx context.Context, e cloudevents.Event, by string, cmd events.TerminateTask) error {
	task, err := h.find(ctx, cmd)
	if err != nil {
		return err
	}

	stop, reason := Stop(task)

	log := logging.FromContext(ctx).With("namespace", cmd.Namespace, "task", cmd.Task, "app", cmd.App, "taskID", cmd.ID)
	if !stop {
		log.Infow("nothing to stop", "reason", reason)
		return nil
	}
	_, err = client.Merge(ctx, h.Kf.Tasks(task.Namespace), task, client.Change{
		Spec: map[string]any{"terminated": true}, Manager: manager(by, e.Source()),
	})
	if err == nil {
		log.Infow("asked to stop")
	}
	return client.IgnoreNotFound(err)
}

// find returns the Task that a command names, nil if there is none.
func (h *Handler) find(ctx context.Context, cmd events.TerminateTask) (*v1alpha1.Task, error) {
	if cmd.Task != "" {
		return client.Find(ctx, h.Kf.Tasks(cmd.Namespace), cmd.Namespace, cmd.Task)
	}
	list, err := h.Kf.Tasks(cmd.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{
		v1alpha1.NameLabel: cmd.App, v1alpha1.VersionLabel: strconv.Itoa(cmd.ID),
	}).String()})
	if err != nil {
		return nil, fmt.Errorf("list Tasks of App %s/%s: %w", cmd.Namespace, cmd.App, err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}
