package main

import (
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

func TestWhatALostEventIsAbout(t *testing.T) {
	for name, c := range map[string]struct {
		eventType, data string
		extensions      map[string]string
		want            string // kind/namespace/name, "" when it is about nothing that can be named
	}{
		"an object's event": {eventType: events.ResourceAdded, data: `{}`, want: "Task/n/t",
			extensions: map[string]string{"kind": "Task", "apiversion": "kf.dev/v1alpha1", "namespace": "n", "name": "t"}},
		"a command for an App":             {eventType: events.TaskRun, data: `{"namespace":"n","app":"a"}`, want: "App/n/a"},
		"a command for a Task":             {eventType: events.TaskTerminate, data: `{"namespace":"n","task":"t"}`, want: "Task/n/t"},
		"a command, by App and ID":         {eventType: events.TaskTerminate, data: `{"namespace":"n","app":"a","id":7}`, want: "App/n/a"},
		"a command for a Job":              {eventType: events.JobRun, data: `{"namespace":"n","job":"j"}`, want: "TaskSchedule/n/j"},
		"a command that can't be read":     {eventType: events.TaskRun, data: `{`},
		"a command that lacks a namespace": {eventType: events.TaskRun, data: `{"app":"a"}`},
		"of a namespace that can't be":     {eventType: events.TaskRun, data: `{"namespace":"../n","app":"a"}`},
		"a tick":                           {eventType: events.Ping, data: `{}`},
		"a stranger's event with an app":   {eventType: "com.example.order", data: `{"namespace":"n","app":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			e := cloudevents.NewEvent()
			e.SetType(c.eventType)
			e.SetID("id-1")
			_ = e.SetData(cloudevents.ApplicationJSON, []byte(c.data))
			for k, v := range c.extensions {
				e.SetExtension(k, v)
			}
			e.SetExtension("knativeerrorcode", 422)
			e.SetExtension("knativeerrordest", "http://command")
			l := Read(e)
			got := ""
			if l.About != nil {
				got = strings.Join([]string{l.About.Kind, l.About.Namespace, l.About.Name}, "/")
			}
			if got != c.want {
				t.Fatalf("about %q, want %q", got, c.want)
			}
			if l.Reason != "http://command answered 422" {
				t.Errorf("reason %q", l.Reason)
			}
			if l.About == nil {
				return
			}
			if w := l.Warning(); w.About != *l.About || !strings.Contains(w.Note, "id-1") || !strings.Contains(w.Note, "answered 422") {
				t.Errorf("%+v", w)
			}
		})
	}
}

// TestARefusalIsShownByCommandAlone: an Event for each event would let who may not command a Space fill it.
func TestARefusalIsShownByCommandAlone(t *testing.T) {
	for _, code := range []any{401, int32(403), "403"} {
		e := cloudevents.NewEvent()
		e.SetType(events.TaskRun)
		_ = e.SetData(cloudevents.ApplicationJSON, []byte(`{"namespace":"n","app":"a"}`))
		e.SetExtension("knativeerrorcode", code)
		if l := Read(e); l.About != nil || !strings.Contains(l.Reason, "40") {
			t.Errorf("%v: %+v", code, l)
		}
	}
}

// TestNothingLongHidesTheRest: senders choose ids and types of any length, and an Event's note is cut.
func TestNothingLongHidesTheRest(t *testing.T) {
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetID(strings.Repeat("é", 3000))
	_ = e.SetData(cloudevents.ApplicationJSON, []byte(`{"namespace":"n","app":"a"}`))
	e.SetExtension("knativeerrorcode", 422)
	w := Read(e).Warning()
	if len(w.Note) > 1024 || !strings.Contains(w.Note, events.TaskRun) || !strings.Contains(w.Note, "answered 422") {
		t.Errorf("a note of %d bytes: %.80s", len(w.Note), w.Note)
	}
}

// TestALossIsShownOnce: two deliveries of one event are one occurrence, two events are two.
func TestALossIsShownOnce(t *testing.T) {
	loss := func(source, id string) string {
		return Loss{Source: source, ID: id, About: &corev1.ObjectReference{}}.Warning().Once
	}
	if first, again := loss("/a", "1"), loss("/a", "1"); first != again {
		t.Error("one event is shown twice")
	}
	if loss("/a", "1") == loss("/a", "2") || loss("/a", "1") == loss("/a1", "") {
		t.Error("two events are shown as one")
	}
}
