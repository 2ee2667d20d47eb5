package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// sourceAnnotation keeps the source and id of the event that a Task was made from: by it a redelivery knows its own.
const sourceAnnotation = "tasks.kf.dev/event"

// create makes the Task that a dev.kf.task.run.v1 event asks for. Its name is a hash of the event's source and id, so
// that a second delivery finds it there.
func (h *Handler) create(ctx context.Context, e cloudevents.Event) error {
	var cmd events.RunTask
	if err := events.Command(e, &cmd); err != nil {
		return receiver.Permanent(err)
	}
	if cmd.Namespace == "" || cmd.App == "" {
		return receiver.Permanent(fmt.Errorf("%s needs namespace and app in its data", e.Type()))
	}
	app, err := h.Kf.Apps(cmd.Namespace).Get(ctx, cmd.App, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get App %s/%s: %w", cmd.Namespace, cmd.App, err)
	}
	task := TaskFor(e, cmd, app)
	_, err = h.Kf.Tasks(cmd.Namespace).Create(ctx, task, metav1.CreateOptions{})
	switch {
	case errors.IsAlreadyExists(err):
		there, err := h.Kf.Tasks(cmd.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get Task %s/%s: %w", cmd.Namespace, task.Name, err)
		}
		if there.Annotations[sourceAnnotation] != task.Annotations[sourceAnnotation] {
			return receiver.Permanent(fmt.Errorf("Task %s/%s is there and is not from this event", cmd.Namespace, task.Name))
		}
		return nil
	case errors.IsInvalid(err) || errors.IsBadRequest(err):
		return receiver.Permanent(fmt.Errorf("create Task %s/%s: %w", cmd.Namespace, task.Name, err))
	case err != nil:
		return fmt.Errorf("create Task %s/%s: %w", cmd.Namespace, task.Name, err)
	}
	return nil
}

// TaskFor is the Task that a command event asks for.
func TaskFor(e cloudevents.Event, cmd events.RunTask, app *v1alpha1.App) *v1alpha1.Task {
	return &v1alpha1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name:        TaskName(app.Name, e.Source(), e.ID()),
			Namespace:   app.Namespace,
			Labels:      v1alpha1.TaskLabels(app.Name),
			Annotations: map[string]string{sourceAnnotation: e.Source() + " " + e.ID()},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App")),
			},
		},
		Spec: v1alpha1.TaskSpec{
			AppRef:      corev1.LocalObjectReference{Name: app.Name},
			DisplayName: cmd.Name,
			Command:     cmd.Command,
			CPU:         cmd.CPU,
			Memory:      cmd.Memory,
			Disk:        cmd.Disk,
			Timeout:     cmd.Timeout,
			Retries:     cmd.Retries,
		},
	}
}

// TaskName is the name of the Task of one event: the App's name, cut to fit, and 20 hexadecimal digits of a hash of
// source and id. The zero byte between them keeps ("a","bc") and ("ab","c") apart.
func TaskName(app, source, id string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + id))
	const room = 63 - 1 - 20
	if len(app) > room {
		app = app[:room]
	}
	return app + "-" + hex.EncodeToString(sum[:10])
}
