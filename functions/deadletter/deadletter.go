package main

import (
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/kubeevent"
)

// Loss is what is known of an event that could not be delivered.
type Loss struct {
	Type, Source, ID string
	Reason           string // the last answer of the function
	About            *corev1.ObjectReference
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
	ref := &corev1.ObjectReference{Kind: ext("kind"), APIVersion: ext("apiversion"), Name: ext("name"), Namespace: ext("namespace")}
	switch e.Type() {
	case events.TaskRun, events.TaskTerminate, events.JobRun:
		target, err := events.TargetOf(e)
		if code := fmt.Sprint(e.Extensions()["knativeerrorcode"]); err != nil || code == "401" || code == "403" {
			return l // a refusal is shown by command, once for each sender: not for each event of who may not command
		}
		ref = &corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Namespace: target.Namespace}
		switch {
		case target.Task != "":
			ref.Kind, ref.Name = "Task", target.Task
		case target.Job != "":
			ref.Kind, ref.Name = "TaskSchedule", target.Job
		default:
			ref.Kind, ref.Name = "App", target.App
		}
	}
	if ref.Name != "" && ref.Namespace != "" {
		l.About = ref
	}
	return l
}

// Warning shows the loss on the object that it is about: once, however often it is delivered.
func (l Loss) Warning() kubeevent.Warning {
	return kubeevent.Warning{
		About: *l.About, Reason: "EventNotDelivered", Action: "Deliver", By: "deadletter", Once: l.Source + "\x00" + l.ID,
		// What others send may be long, and must not push out the rest.
		Note: fmt.Sprintf("event %.60s (%.60s) was given up: %.120s", l.ID, l.Type, l.Reason),
	}
}
