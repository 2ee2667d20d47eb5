package main

import (
	cloudevents "github.com/cloudevents/sdk-go/v2"
	authz "k8s.io/api/authorization/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Act is what a command would need of Kubernetes, were the same done by kubectl. A command that can't be carried out as it
// stands has one too: whoever may not command a Space gets nothing shown in it, however wrong what he asks for is.
//
// A Task that is named by its App and ID has a name that is not known yet, and is not looked up for who may not have it:
// the right must be one to patch any Task there.
func Act(eventType string, t events.Target) authz.ResourceAttributes {
	act := authz.ResourceAttributes{
		Verb: "create", Namespace: t.Namespace, Resource: "tasks",
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
	}
	if eventType == events.TaskTerminate {
		act.Verb, act.Name = "patch", t.Task
	}
	return act
}

// madeFrom keeps the source and id of the event that a Task was made from: by it a redelivery knows its own.
const madeFrom = "tasks.kf.dev/event"

// TaskOfApp is the Task that somebody asks for by dev.kf.task.run.v1.
func TaskOfApp(e cloudevents.Event, by string, cmd events.RunTask, app *v1alpha1.App) *v1alpha1.Task {
	return named(e, app.Name, app.NewTask(v1alpha1.TaskSpec{
		DisplayName: cmd.Name, Command: cmd.Command, CPU: cmd.CPU, Memory: cmd.Memory, Disk: cmd.Disk,
		Timeout: cmd.Timeout, Retries: cmd.Retries, Env: cmd.Env, RequestedBy: by,
	}))
}

// TaskOfJob is the Task that somebody asks for by dev.kf.job.run.v1: the Job's own, with what the command overrides.
func TaskOfJob(e cloudevents.Event, by string, cmd events.RunJob, job *v1alpha1.TaskSchedule) *v1alpha1.Task {
	task := named(e, job.Name, job.NewTask())
	task.Spec.RequestedBy = by
	for field, override := range map[*string]string{
		&task.Spec.Command: cmd.Command, &task.Spec.CPU: cmd.CPU, &task.Spec.Memory: cmd.Memory, &task.Spec.Disk: cmd.Disk,
	} {
		if override != "" {
			*field = override
		}
	}
	task.Spec.Env = v1alpha1.OverrideEnv(task.Spec.Env, cmd.Env)
	return task
}

func named(e cloudevents.Event, of string, task *v1alpha1.Task) *v1alpha1.Task {
	task.Name = events.TaskName(of, e.Source(), e.ID())
	task.Annotations = map[string]string{madeFrom: e.Source() + " " + e.ID()}
	return task
}

// Stop says whether a Task is to be asked to stop, and why not. There being none is no error: it may have been pruned,
// and does not run in any case.
func Stop(task *v1alpha1.Task) (stop bool, reason string) {
	switch {
	case task == nil:
		return false, "there is no such Task"
	case task.Spec.Terminated:
		return false, "it was asked to stop before"
	case task.Final():
		return false, "it has ended"
	}
	return true, ""
}
