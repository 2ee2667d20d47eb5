package events

import (
	"encoding/json"
	"fmt"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	authz "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Target is what a command is about: that much is read of one that can't be carried out as it stands, too.
type Target struct {
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	Task      string `json:"task"`
	Job       string `json:"job"`
	// Run is given where the Task is that of a run command.
	Run *EventRef `json:"run"`

	reacts bool // it is run for an event of any type
}

// TargetOf reads what a command is about, as Command reads it: as JSON, whatever the event says of its data. Without the
// name of a namespace, it is about nothing.
func TargetOf(e cloudevents.Event) (Target, error) {
	var t Target
	if err := json.Unmarshal(e.Data(), &t); err != nil {
		return Target{}, fmt.Errorf("the data of %[1]s is not as its schema says (shared/events/schemas/%[1]s.json): %[2]w", e.Type(), err)
	}
	if len(validation.IsDNS1123Label(t.Namespace)) > 0 {
		return Target{}, fmt.Errorf("%s needs the name of a namespace in its data", e.Type())
	}
	for _, name := range []string{t.App, t.Task, t.Job} {
		if name != "" && len(validation.IsDNS1123Subdomain(name)) > 0 {
			return Target{}, fmt.Errorf("%.100q in the data of %s is no name of an App, Task or Job", name, e.Type())
		}
	}
	return t, nil
}

// Acts are what a command about the Target would need of Kubernetes, were the same done by kubectl. A command that can't be
// carried out as it stands has them too: whoever may not command a Space gets nothing shown in it, however wrong what he asks
// for is.
//
// A Task that is named by its App and ID has a name that is not known yet, and is not looked up for who may not have it:
// the right must be one to patch any Task there. One that is named by its run is made where it is not there yet.
func (t Target) Acts(eventType string) []authz.ResourceAttributes {
	act := func(verb, resource, name string) authz.ResourceAttributes {
		return authz.ResourceAttributes{Verb: verb, Namespace: t.Namespace, Resource: resource, Name: name,
			Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version}
	}
	create := act("create", "tasks", "")
	switch {
	case t.reacts:
	case eventType == TaskTerminate && t.Run != nil:
		return []authz.ResourceAttributes{act("patch", "tasks", ""), create}
	case eventType == TaskTerminate:
		return []authz.ResourceAttributes{act("patch", "tasks", t.Task)}
	case eventType == JobSuspend, eventType == JobResume:
		return []authz.ResourceAttributes{act("patch", "taskschedules", t.Job)}
	}
	return []authz.ResourceAttributes{create}
}
