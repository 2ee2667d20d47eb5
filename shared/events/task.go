package events

import (
	"maps"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Task is the Task of an App that the command asks for in an event; by is who asks.
func (c RunTask) Task(app *v1alpha1.App, e cloudevents.Event, by string) *v1alpha1.Task {
	task := named(e, app.Name, app.NewTask(v1alpha1.TaskSpec{
		DisplayName: c.Name, Command: c.Command, Args: c.Args, Process: c.Process, CPU: c.CPU, Memory: c.Memory, Disk: c.Disk,
		Timeout: c.Timeout, Retries: c.Retries, Env: c.Env,
		Count: c.Count, Parallelism: c.Parallelism, NotBefore: c.NotBefore, Expires: c.Expires, RequestedBy: by,
	}), c.Labels)
	if c.after != "" {
		task.Annotations[v1alpha1.ChainAnnotation] = c.after
	}
	return task
}

// Task is the Task that the command asks for in an event: the Job's own, with what the command overrides; by is who asks.
func (c RunJob) Task(job *v1alpha1.TaskSchedule, e cloudevents.Event, by string) *v1alpha1.Task {
	task := named(e, job.Name, job.NewTask(), c.Labels)
	task.Spec.RequestedBy, task.Spec.NotBefore, task.Spec.Expires = by, c.NotBefore, c.Expires
	if c.Command != "" || len(c.Args) > 0 || c.Process != "" { // each says what is to be run, and another way is the template's
		task.Spec.Command, task.Spec.Args, task.Spec.Process, task.Spec.Call = "", c.Args, c.Process, nil
	}
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
func named(e cloudevents.Event, of string, task *v1alpha1.Task, labels map[string]string) *v1alpha1.Task {
	task.Name = TaskName(of, e.Source(), e.ID())
	task.Annotations = causeIn(e).annotations()
	task.Annotations[v1alpha1.EventAnnotation] = e.Source() + " " + e.ID()
	maps.Copy(task.Labels, labels)
	return task
}

// madeFrom is the event that a Task was made from, nil if from none.
func madeFrom(t *v1alpha1.Task) *EventRef {
	source, id, ok := strings.Cut(t.Annotations[v1alpha1.EventAnnotation], " ")
	if !ok {
		return nil
	}
	return &EventRef{Source: source, ID: id}
}

// IsFrom says whether a Task was made from the event.
func (r EventRef) IsFrom(t *v1alpha1.Task) bool {
	return t.Annotations[v1alpha1.EventAnnotation] == r.Source+" "+r.ID
}

// Ran says whether a Task is what the event has run of a Job or, if job is "", of an App. Its name alone does not say so: of a long name
// the first characters are in it, and an App and a Job may have one name.
func (r EventRef) Ran(app, job string, t *v1alpha1.Task) bool {
	return r.IsFrom(t) && t.Labels[v1alpha1.TaskScheduleLabel] == job && (job != "" || t.Spec.AppRef.Name == app)
}

// Stopped is the Task of the run command that a termination names, which has come before it: with the name that the run's would
// have, so that the run finds it, and as one that never starts. by is who asks for its end.
func (c TerminateTask) Stopped(app *v1alpha1.App, job *v1alpha1.TaskSchedule, e cloudevents.Event, by string) *v1alpha1.Task {
	run := e.Clone()
	run.SetSource(c.Run.Source)
	run.SetID(c.Run.ID)
	var task *v1alpha1.Task
	if job != nil {
		task = RunJob{}.Task(job, run, by)
	} else {
		task = RunTask{}.Task(app, run, by)
	}
	task.Spec.Terminated = true
	task.Annotations[v1alpha1.StoppedFirstAnnotation] = e.Source() + " " + e.ID()
	return task
}
