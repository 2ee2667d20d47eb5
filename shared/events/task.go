package events

import (
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Task is the Task of an App that the command asks for in an event; by is who asks.
func (c RunTask) Task(app *v1alpha1.App, e cloudevents.Event, by string) *v1alpha1.Task {
	return named(e, app.Name, app.NewTask(v1alpha1.TaskSpec{
		DisplayName: c.Name, Command: c.Command, CPU: c.CPU, Memory: c.Memory, Disk: c.Disk,
		Timeout: c.Timeout, Retries: c.Retries, Env: c.Env, RequestedBy: by,
	}))
}

// Task is the Task that the command asks for in an event: the Job's own, with what the command overrides; by is who asks.
func (c RunJob) Task(job *v1alpha1.TaskSchedule, e cloudevents.Event, by string) *v1alpha1.Task {
	task := named(e, job.Name, job.NewTask())
	task.Spec.RequestedBy = by
	for field, override := range map[*string]string{
		&task.Spec.Command: c.Command, &task.Spec.CPU: c.CPU, &task.Spec.Memory: c.Memory, &task.Spec.Disk: c.Disk,
	} {
		if override != "" {
			*field = override
		}
	}
	task.Spec.Env = v1alpha1.OverrideEnv(task.Spec.Env, c.Env)
	return task
}

// named gives a Task the one name that an event's can have, and says of which it is: by that a redelivery knows its own.
func named(e cloudevents.Event, of string, task *v1alpha1.Task) *v1alpha1.Task {
	task.Name = TaskName(of, e.Source(), e.ID())
	task.Annotations = map[string]string{v1alpha1.EventAnnotation: e.Source() + " " + e.ID()}
	return task
}
