package main

import (
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

func TestTheNameOfARunByEvent(t *testing.T) {
	for _, long := range []string{"job", strings.Repeat("j", 52), strings.Repeat("j", 41) + "-x", strings.Repeat("a.", 26)} {
		j := &v1alpha1.TaskSchedule{}
		j.Spec.TaskTemplate.AppRef.Name = "app"
		j.Name = long
		e := cloudevents.NewEvent()
		e.SetSource("/a")
		e.SetID("bc")
		task := TaskFor(e, events.RunJob{Memory: "1Gi"}, j)
		if errs := validation.IsDNS1123Subdomain(task.Name); len(errs) > 0 || len(task.Name) > 63 {
			t.Errorf("name %q: %v", task.Name, errs)
		}
		if again := TaskFor(e, events.RunJob{}, j); again.Name != task.Name {
			t.Error("the name is not stable")
		}
		e.SetSource("/ab")
		e.SetID("c")
		if other := TaskFor(e, events.RunJob{}, j); other.Name == task.Name {
			t.Error("two events have one name")
		}
		if task.Spec.Memory != "1Gi" || task.Spec.AppRef.Name != "app" {
			t.Errorf("spec %+v", task.Spec)
		}
	}
}
