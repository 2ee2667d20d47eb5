package main

import (
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
)

// Loss is what is known of an event that could not be delivered.
type Loss struct {
	Type, Source, ID string
	Reason           string // the last answer of the function
	Command          bool   // it asked for something, which was not done
	// About is what the event is about by its own account, nil if it can be nothing of ours.
	About *corev1.ObjectReference
}

// Read takes an event apart. Knative adds knativeerror* extensions to what it gives up on.
func Read(e cloudevents.Event) Loss {
	l := Loss{Type: e.Type(), Source: e.Source(), ID: e.ID()}
	ext := func(name string) string {
		s, err := types.ToString(e.Extensions()[name])
		if err != nil {
			return ""
		}
		return s
	}
	l.Reason = fmt.Sprintf("%s answered %v", ext("knativeerrordest"), e.Extensions()["knativeerrorcode"])
	ref := corev1.ObjectReference{Kind: ext("kind"), Name: ext("name"), Namespace: ext("namespace")}
	switch e.Type() {
	case events.TaskRun, events.TaskTerminate, events.JobRun, events.JobSuspend, events.JobResume:
		target, err := events.TargetOf(e)
		if code := fmt.Sprint(e.Extensions()["knativeerrorcode"]); err != nil || code == "401" || code == "403" {
			return l // a refusal is shown by command, once for each sender: not for each event of who may not command
		}
		l.Command, ref = true, corev1.ObjectReference{Namespace: target.Namespace}
		switch {
		case target.Task != "":
			ref.Kind, ref.Name = "Task", target.Task
		case target.Job != "":
			ref.Kind, ref.Name = "TaskSchedule", target.Job
		default:
			ref.Kind, ref.Name = "App", target.App
		}
	}
	of, ours := resources[ref.Kind]
	if ours && events.CheckNames(ref.Namespace, ref.Name) == nil {
		ref.APIVersion = of.GroupVersion().String()
		l.About = &ref
	}
	return l
}

// resources are those of which Triggers let events in, by kind. What an event says of others is shown to nobody.
var resources = map[string]schema.GroupVersionResource{
	"App":          v1alpha1.GroupVersion.WithResource("apps"),
	"Task":         v1alpha1.GroupVersion.WithResource("tasks"),
	"TaskSchedule": v1alpha1.GroupVersion.WithResource("taskschedules"),
	"PipelineRun":  tekton.SchemeGroupVersion.WithResource("pipelineruns"),
}

// most are the losses that a namespace is shown within an hour, in which Kubernetes forgets Events: anybody may send what
// nobody can handle. The log has all of them.
const most = 256

// Warning shows the loss on the object that it is about: once, however often it is delivered.
func (l Loss) Warning() kubeevent.Warning {
	return kubeevent.Warning{
		About: *l.About, Reason: "EventNotDelivered", Action: "Deliver", By: "deadletter", Once: l.Source + "\x00" + l.ID, Among: most,
		// What others send may be long, and must not push out the rest, or be anything but text.
		Note: fmt.Sprintf("event %.60q (%.60q) was given up: %.120q", l.ID, l.Type, l.Reason),
	}
}
