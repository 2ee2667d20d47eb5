package main

import (
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Loss is what is known of an event that could not be delivered.
type Loss struct {
	Type, ID, Subject string
	Reason            string // the last answer of the function
	About             *corev1.ObjectReference
}

// Read takes an event apart. Knative adds knativeerror* extensions to what it gives up on.
func Read(e cloudevents.Event) Loss {
	l := Loss{Type: e.Type(), ID: e.ID(), Subject: e.Subject()}
	ext := func(name string) string {
		s, err := types.ToString(e.Extensions()[name])
		if err != nil {
			return ""
		}
		return s
	}
	l.Reason = fmt.Sprintf("%s answered %v", ext("knativeerrordest"), e.Extensions()["knativeerrorcode"])
	ref := &corev1.ObjectReference{Kind: ext("kind"), APIVersion: ext("apiversion"), Name: ext("name"), Namespace: ext("namespace")}
	var target struct {
		Namespace string `json:"namespace"`
		App       string `json:"app"`
		Task      string `json:"task"`
		Job       string `json:"job"`
	}
	switch e.Type() {
	case events.TaskRun, events.TaskTerminate, events.JobRun:
		if e.DataAs(&target) != nil {
			return l
		}
		ref = &corev1.ObjectReference{APIVersion: "kf.dev/v1alpha1", Namespace: target.Namespace}
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

// Warning is the Kubernetes Event that shows the loss on the object it is about. Its name follows from the lost event,
// so that a second delivery makes no second one.
func (l Loss) Warning(name string, now time.Time) *eventsv1.Event {
	return &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.About.Namespace},
		EventTime:  metav1.NewMicroTime(now),
		Type:       corev1.EventTypeWarning,
		Reason:     "EventNotDelivered",
		Action:     "Deliver",
		// The API server takes a note of 1 kB; a character may have four bytes, and what others send may be long.
		Note:                fmt.Sprintf("event %.60s (%.60s) was given up: %.120s", l.ID, l.Type, l.Reason),
		Regarding:           *l.About,
		ReportingController: "kf-tasks/deadletter",
		ReportingInstance:   "deadletter",
	}
}
