package events

import (
	"encoding/json"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Hint is all that a handler gets to know from an event: where to look. Whoever reaches the Broker can send one that says
// anything, so what an object is, is read from the API server.
type Hint struct {
	Namespace, Name string
	// UID is that of the object which the event is about, "" if it names none: under the name there may be another by now.
	UID types.UID
}

// Is says whether an object is the one that the event is about.
func (h Hint) Is(o metav1.Object) bool { return h.UID == "" || h.UID == o.GetUID() }

// HintAt is where an object is that was listed.
func HintAt(o metav1.Object) Hint { return Hint{o.GetNamespace(), o.GetName(), o.GetUID()} }

// About reads the hint of an ApiServerSource's event. worth says of the object, as the event shows it, whether there may
// be something to do about it; most events tell of what is done. That much is believed, because it can only leave work
// undone: a forged event has none to ask for, and what a true one has left out shows in the next, or in the resync's list.
// What worth can't be asked, because the object does not decode, is worth a look.
func About[T any](e cloudevents.Event, worth func(*T) bool) (h Hint, look bool, err error) {
	var meta struct {
		Metadata struct {
			Namespace, Name string
			UID             types.UID
		}
	}
	if err := json.Unmarshal(e.Data(), &meta); err != nil {
		return h, false, unreadable(e, err)
	}
	h = Hint{meta.Metadata.Namespace, meta.Metadata.Name, meta.Metadata.UID}
	object := new(T)
	check := CheckNames
	if _, ok := any(object).(*v1alpha1.Space); ok { // which is in no namespace
		check = func(_, name string) error { return checkName(name) }
		h.Namespace = ""
	}
	if err := check(h.Namespace, h.Name); err != nil {
		return h, false, unreadable(e, err)
	}
	err = json.Unmarshal(e.Data(), object)
	partly, ok := any(object).(interface{ ReadInPart() bool })
	return h, err != nil || ok && partly.ReadInPart() || worth(object), nil
}

// AppOf is the App that a Task's event is about, be it an ApiServerSource's or a fact: again where to look, and no more.
func AppOf(e cloudevents.Event) (app types.NamespacedName, err error) {
	switch e.Type() {
	case ResourceAdded, ResourceUpdated, ResourceDeleted:
		var task struct {
			Metadata struct{ Namespace string }
			Spec     struct{ AppRef struct{ Name string } }
		}
		err = json.Unmarshal(e.Data(), &task)
		app = types.NamespacedName{Namespace: task.Metadata.Namespace, Name: task.Spec.AppRef.Name}
	default:
		var fact struct{ Namespace, App string }
		err = json.Unmarshal(e.Data(), &fact)
		app = types.NamespacedName{Namespace: fact.Namespace, Name: fact.App}
	}
	if err == nil {
		err = CheckNames(app.Namespace, app.Name)
	}
	if err != nil {
		return types.NamespacedName{}, unreadable(e, err)
	}
	return app, nil
}

// TaskOf is the Task that a fact is about.
func TaskOf(e cloudevents.Event) (Hint, error) {
	var fact struct {
		Namespace, Task string
		UID             types.UID
	}
	err := json.Unmarshal(e.Data(), &fact)
	if err == nil {
		err = CheckNames(fact.Namespace, fact.Task)
	}
	if err != nil {
		return Hint{}, unreadable(e, err)
	}
	return Hint{fact.Namespace, fact.Task, fact.UID}, nil
}

// CheckNames says what is wrong with the names of an object, which are about to become parts of a path: no object can have them.
func CheckNames(namespace, name string) error {
	if wrong := validation.IsDNS1123Label(namespace); wrong != nil {
		return fmt.Errorf("namespace %.80q: %s", namespace, strings.Join(wrong, ", "))
	}
	return checkName(name)
}

func checkName(name string) error {
	if wrong := validation.IsDNS1123Subdomain(name); wrong != nil {
		return fmt.Errorf("name %.80q: %s", name, strings.Join(wrong, ", "))
	}
	return nil
}

func unreadable(e cloudevents.Event, err error) error {
	return fmt.Errorf("event %.80q %.80q does not name an object: %w", e.Type(), e.ID(), err)
}
