package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	authz "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Read is what an event commands: an events.RunTask, events.RunJob or events.TerminateTask with all that it needs.
func Read(e cloudevents.Event) (any, error) {
	switch e.Type() {
	case events.TaskRun:
		return read(e, "namespace and app", func(c events.RunTask) bool { return c.Namespace != "" && c.App != "" })
	case events.JobRun:
		return read(e, "namespace and job", func(c events.RunJob) bool { return c.Namespace != "" && c.Job != "" })
	case events.TaskTerminate:
		return read(e, "a namespace and a task, or an app and an id", func(c events.TerminateTask) bool {
			return c.Namespace != "" && (c.Task != "" || c.App != "" && c.ID != 0)
		})
	}
	return nil, fmt.Errorf("command does not handle events of type %q", e.Type())
}

func read[T any](e cloudevents.Event, needs string, complete func(T) bool) (any, error) {
	var cmd T
	if err := events.Command(e, &cmd); err != nil {
		return nil, err
	}
	if !complete(cmd) {
		return nil, fmt.Errorf("%s needs %s in its data", e.Type(), needs)
	}
	return cmd, nil
}

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
	return named(e, app.Name, &v1alpha1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       app.Namespace,
			Labels:          v1alpha1.TaskLabels(app.Name),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(app, v1alpha1.GroupVersion.WithKind("App"))},
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
			RequestedBy: by,
		},
	})
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
	return task
}

func named(e cloudevents.Event, of string, task *v1alpha1.Task) *v1alpha1.Task {
	task.Name = TaskName(of, e.Source(), e.ID())
	task.Annotations = map[string]string{madeFrom: e.Source() + " " + e.ID()}
	return task
}

// TaskName is the name of the one Task of an event: that of the App or Job, cut to fit, and 20 hexadecimal digits of a
// hash of the event's source and id, which identify it (CloudEvents 1.0.2, 3.1). The zero byte between them keeps
// ("a","bc") and ("ab","c") apart. No dot may come before the hyphen: it would not be a name (RFC 1123).
func TaskName(of, source, id string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + id))
	const room = 63 - 1 - 20
	return strings.TrimRight(of[:min(len(of), room)], ".-") + "-" + hex.EncodeToString(sum[:10])
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

// manager is how the API server's record of a change names who asked for it: the identity that it was allowed to, and
// where there is none what the event says of its source. It takes 128 bytes of printable characters
// (ValidateFieldManager in apimachinery); a source may hold more, and others.
func manager(by, source string) string {
	if by == "" {
		by = "event:" + source
	}
	by = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, by)
	return strings.ToValidUTF8(by[:min(len(by), 128)], "") // what is cut off may have left half a character
}
