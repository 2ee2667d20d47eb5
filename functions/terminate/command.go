package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// command sets spec.terminated on the Task that a dev.kf.task.terminate.v1 event names, and then does what the update
// asks for. Delivered twice, the second finds it set.
func (h *Handler) command(ctx context.Context, e cloudevents.Event) error {
	var cmd events.TerminateTask
	if err := events.Command(e, &cmd); err != nil {
		return receiver.Permanent(err)
	}
	if cmd.Namespace == "" || cmd.Task == "" && (cmd.App == "" || cmd.ID == 0) {
		return receiver.Permanent(fmt.Errorf("%s needs a namespace and a task, or an app and an id, in its data", e.Type()))
	}
	task, err := h.find(ctx, cmd)
	if err != nil {
		return err
	}
	log := logging.FromContext(ctx).With("task", cmd.Namespace+"/"+cmd.Task, "app", cmd.App, "taskID", cmd.ID)
	switch {
	case task == nil:
		log.Infow("decided", "action", Nothing, "reason", "there is no such Task")
		return nil
	case task.Final() && !task.Spec.Terminated:
		log.Infow("decided", "action", Nothing, "reason", "the Task has ended")
		return nil
	}
	if !task.Spec.Terminated {
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"uid": task.UID},
			"spec":     map[string]any{"terminated": true},
		})
		if err != nil {
			return err
		}
		by := "event:" + e.Source() // the API server keeps it as who asked
		if len(by) > 128 {
			by = by[:128]
		}
		task, err = h.Kf.Tasks(task.Namespace).Patch(ctx, task.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: by})
		if errors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("set spec.terminated of Task %s/%s: %w", cmd.Namespace, cmd.Task, err)
		}
	}
	if task.Status.Termination.Finished() || h.isOwnWrite(task) {
		log.Infow("decided", "action", Nothing, "reason", "the Task is terminated already")
		return nil
	}
	return h.terminate(ctx, task)
}

// find returns the Task that the command names, nil if there is none.
func (h *Handler) find(ctx context.Context, cmd events.TerminateTask) (*v1alpha1.Task, error) {
	if cmd.Task != "" {
		t, err := h.Kf.Tasks(cmd.Namespace).Get(ctx, cmd.Task, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("get Task %s/%s: %w", cmd.Namespace, cmd.Task, err)
		}
		return t, nil
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
