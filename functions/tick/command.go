package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// eventAnnotation keeps the source and id of the event that a Task was made from: by it a redelivery knows its own.
const eventAnnotation = "tasks.kf.dev/event"

// run creates the Task that a dev.kf.job.run.v1 event asks for: one run of the Job now, apart from its schedule.
func (h *Handler) run(ctx context.Context, e cloudevents.Event) error {
	var cmd events.RunJob
	if err := events.Command(e, &cmd); err != nil {
		return receiver.Permanent(err)
	}
	if cmd.Namespace == "" || cmd.Job == "" {
		return receiver.Permanent(fmt.Errorf("%s needs namespace and job in its data", e.Type()))
	}
	job, err := h.Kf.TaskSchedules(cmd.Namespace).Get(ctx, cmd.Job, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get Job %s/%s: %w", cmd.Namespace, cmd.Job, err)
	}
	task := TaskFor(e, cmd, job)
	_, err = h.Kf.Tasks(cmd.Namespace).Create(ctx, task, metav1.CreateOptions{})
	switch {
	case errors.IsAlreadyExists(err):
		there, err := h.Kf.Tasks(cmd.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("get Task %s/%s: %w", cmd.Namespace, task.Name, err)
		}
		if there.Annotations[eventAnnotation] != task.Annotations[eventAnnotation] {
			return receiver.Permanent(fmt.Errorf("Task %s/%s is there and is not from this event", cmd.Namespace, task.Name))
		}
		return nil
	case errors.IsInvalid(err) || errors.IsBadRequest(err):
		return receiver.Permanent(fmt.Errorf("create Task %s/%s: %w", cmd.Namespace, task.Name, err))
	case err != nil:
		return fmt.Errorf("create Task %s/%s: %w", cmd.Namespace, task.Name, err)
	}
	logging.FromContext(ctx).Infow("run", "job", cmd.Namespace+"/"+cmd.Job, "task", task.Name)
	return nil
}

// TaskFor is the Task that a command event asks for. Its name is that of the Job, cut to fit, and 20 hexadecimal digits
// of a hash of source and id; the zero byte between them keeps ("a","bc") and ("ab","c") apart.
func TaskFor(e cloudevents.Event, cmd events.RunJob, job *v1alpha1.TaskSchedule) *v1alpha1.Task {
	sum := sha256.Sum256([]byte(e.Source() + "\x00" + e.ID()))
	const room = 63 - 1 - 20
	prefix := strings.TrimRight(job.Name[:min(len(job.Name), room)], ".-")
	task := job.NewTask()
	task.Name = prefix + "-" + hex.EncodeToString(sum[:10])
	task.Annotations = map[string]string{eventAnnotation: e.Source() + " " + e.ID()}
	for field, override := range map[*string]string{
		&task.Spec.Command: cmd.Command, &task.Spec.CPU: cmd.CPU, &task.Spec.Memory: cmd.Memory, &task.Spec.Disk: cmd.Disk,
	} {
		if override != "" {
			*field = override
		}
	}
	return task
}
