package events

import (
	"fmt"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func event(eventType, data string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetID("1")
	_ = e.SetData(cloudevents.ApplicationJSON, []byte(data))
	return e
}

// TestAHintSaysWhereToLook, and nothing that can't be a part of a path.
func TestAHintSaysWhereToLook(t *testing.T) {
	long := strings.Repeat("a", 254)
	for data, want := range map[string]string{
		`{"metadata":{"namespace":"n","name":"t","uid":"u"},"spec":{"terminated":true}}`:   "n/t/u look",
		`{"metadata":{"namespace":"n","name":"t","uid":"u"},"spec":{"terminated":false}}`:  "n/t/u",
		`{"metadata":{"namespace":"n","name":"t.1-x"},"spec":{"terminated":true}}`:         "n/t.1-x/ look",
		`{"metadata":{"namespace":"n","name":"t"},"spec":{"timeout":"2562048h"}}`:          "n/t/ look", // of an older schema
		`{"metadata":{"namespace":"n","name":"t"},"spec":"what?"}`:                         "n/t/ look",
		`{"metadata":{"namespace":"n","name":"t","labels":[]},"spec":{"terminated":true}}`: "n/t/ look",
		`{"metadata":{"namespace":"n","name":".."}}`:                                       "refused",
		`{"metadata":{"namespace":"n","name":"a/b"}}`:                                      "refused",
		`{"metadata":{"namespace":"n","name":"%2e%2e"}}`:                                   "refused",
		`{"metadata":{"namespace":"n","name":"` + long + `"}}`:                             "refused",
		`{"metadata":{"namespace":"n/tasks/t","name":"t"}}`:                                "refused",
		`{"metadata":{"namespace":"..","name":"t"}}`:                                       "refused",
		`{"metadata":{"name":"t"}}`:                                                        "refused",
		`{"metadata":{"namespace":"n"}}`:                                                   "refused",
		`{"metadata":{"namespace":"n","name":["t"]}}`:                                      "refused",
		`{"metadata":7}`: "refused", `{}`: "refused", `null`: "refused", `[]`: "refused", `{`: "refused", ``: "refused", "\xff": "refused",
	} {
		h, look, err := About(event(ResourceUpdated, data), func(t *v1alpha1.Task) bool { return t.Spec.Terminated })
		got := fmt.Sprintf("%s/%s/%s", h.Namespace, h.Name, h.UID)
		switch {
		case err != nil:
			got = "refused"
		case look:
			got += " look"
		}
		if got != want {
			t.Errorf("%.80s: %s, want %s (%v)", data, got, want, err)
		}
		if err != nil && look {
			t.Errorf("%.80s: refused, and worth a look", data)
		}
	}
}

// TestASpaceIsInNoNamespace, whatever an event says.
func TestASpaceIsInNoNamespace(t *testing.T) {
	for data, want := range map[string]string{
		`{"metadata":{"name":"team","uid":"u","generation":1}}`:      "/team/u true",
		`{"metadata":{"namespace":"../x","name":"team"}}`:            "/team/ true",
		`{"metadata":{"name":"team"},"spec":{"defaults":"what?"}}`:   "/team/ true",
		`{"metadata":{"name":"../secrets/x"}}`:                       "refused",
		`{"metadata":{}}`:                                            "refused",
		`{"metadata":{"name":"team","finalizers":["kf.dev/space"]}}`: "/team/ false",
	} {
		h, look, err := About(event(ResourceUpdated, data), func(s *v1alpha1.Space) bool { return len(s.Finalizers) == 0 })
		got := fmt.Sprintf("%s/%s/%s %t", h.Namespace, h.Name, h.UID, look)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%v)", data, got, want, err)
		}
	}
}

func TestTheAppThatATasksEventIsAbout(t *testing.T) {
	for _, c := range []struct{ eventType, data, want string }{
		{ResourceAdded, `{"metadata":{"namespace":"n","name":"t"},"spec":{"appRef":{"name":"shop"}}}`, "n/shop"},
		{TaskFailed, `{"namespace":"n","app":"shop","status":"what?"}`, "n/shop"},
		{ResourceAdded, `{"metadata":{"namespace":"n","name":"t"},"spec":{"appRef":{"name":"../../other/apps/shop"}}}`, "/"},
		{ResourceAdded, `{"metadata":{"namespace":"n","name":"t"}}`, "/"},
		{TaskFailed, `{"namespace":"n","app":"%"}`, "/"},
		{TaskFailed, `{"namespace":"..","app":"shop"}`, "/"},
		{TaskFailed, `{"metadata":{"namespace":"n"},"spec":{"appRef":{"name":"shop"}}}`, "/"},
		{TaskFailed, `"shop"`, "/"},
		{TaskFailed, ``, "/"},
	} {
		app, err := AppOf(event(c.eventType, c.data))
		if app.String() != c.want || (err != nil) != (c.want == "/") {
			t.Errorf("%s %s: %s, want %s (%v)", c.eventType, c.data, app, c.want, err)
		}
	}
}

// FuzzHint: nothing that an event carries makes a path of more than its parts.
func FuzzHint(f *testing.F) {
	f.Add(`{"metadata":{"namespace":"n","name":"t","uid":"u"},"spec":{"appRef":{"name":"shop"}},"namespace":"n","app":"shop"}`)
	f.Fuzz(func(t *testing.T, data string) {
		h, _, err := About(event(ResourceUpdated, data), func(*v1alpha1.Task) bool { return true })
		if err == nil && (strings.ContainsAny(h.Namespace+h.Name, "/%") || strings.Trim(h.Name, ".") != h.Name || h.Name == "" || h.Namespace == "") {
			t.Errorf("%q", h)
		}
		for _, kind := range []string{ResourceAdded, TaskFailed} {
			if app, err := AppOf(event(kind, data)); err == nil && (strings.ContainsAny(app.Namespace+app.Name, "/%") || strings.Trim(app.Name, ".") != app.Name) {
				t.Errorf("%q", app)
			}
		}
	})
}
