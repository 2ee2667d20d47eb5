package events

import (
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// reactionPath is the path of what an event of any type runs: a Job, or an App's own start command.
const reactionPath = "/namespaces/NAMESPACE/jobs/NAME or /namespaces/NAMESPACE/apps/NAME"

// MaxDataEnv is how many bytes of an event's data a Task has in its environment.
const MaxDataEnv = 32 << 10

// TargetAt is what an event is about that was posted at a path: at that of a Job or an App, it is that; else, what a command says.
func TargetAt(path string, e cloudevents.Event) (Target, error) {
	rest, reacts := strings.CutPrefix(path, "/namespaces/")
	if !reacts {
		return TargetOf(e)
	}
	t := Target{reacts: true}
	parts := strings.Split(rest, "/")
	known := len(parts) == 3 && len(validation.IsDNS1123Label(parts[0])) == 0 && len(validation.IsDNS1123Subdomain(parts[2])) == 0
	switch {
	case known && parts[1] == "jobs":
		t.Namespace, t.Job = parts[0], parts[2]
	case known && parts[1] == "apps":
		t.Namespace, t.App = parts[0], parts[2]
	default:
		return Target{}, fmt.Errorf("%.300q is no path to post to: it is %s", path, reactionPath)
	}
	return t, nil
}

// ReadAt is what an event asks for about its target: as Read, or, at the path of a Job or an App, that this is run, with the event in
// its environment.
func ReadAt(t Target, e cloudevents.Event) (any, error) {
	if !t.reacts {
		return Read(e)
	}
	if err := t.loops(e); err != nil {
		return nil, err
	}
	if err := checkCause(e); err != nil {
		return nil, err
	}
	if t.Job != "" {
		return RunJob{Namespace: t.Namespace, Job: t.Job, Env: environment(e)}, nil
	}
	return RunTask{Namespace: t.Namespace, App: t.App, Name: strings.ToValidUTF8(e.Type()[:min(len(e.Type()), 253)], ""),
		Env: environment(e), after: with(causeIn(e).chain, link(t.Namespace, "apps", t.App))}, nil
}

// Reaction names what is to be run for an event of any type, "" where the event is a command.
func (t Target) Reaction() string {
	switch {
	case !t.reacts:
		return ""
	case t.Job != "":
		return link(t.Namespace, "jobs", t.Job)
	}
	return link(t.Namespace, "apps", t.App)
}

// loops says why an event must not run the target: what runs because of itself would do so for ever. A Trigger without a filter
// is all that it takes.
func (t Target) loops(e cloudevents.Event) error {
	self := t.Reaction()
	chain := strings.Fields(causeIn(e).chain)
	switch {
	case slices.Contains(chain, self):
		return fmt.Errorf("%s has led to this event, and would run because of itself: filter the Trigger (kfchain: %s)",
			self, strings.Join(chain, " "))
	case len(chain) >= maxChain:
		return fmt.Errorf("%d runs have led to this event already, one because of another: %s", len(chain), strings.Join(chain, " "))
	case strings.HasPrefix(e.Type(), "dev.knative.apiserver.") && slices.Contains(changedByRuns, fmt.Sprint(e.Extensions()["kind"])):
		return fmt.Errorf("each run changes objects of the kind %v, and would lead to such events again: "+
			"react to the facts of Tasks (dev.kf.task.*)", e.Extensions()["kind"])
	}
	return nil
}

// changedByRuns are the kinds of which a Task's run makes or changes objects; a quota counts its Pod, and a node says which images it has.
var changedByRuns = []string{"App", "Task", "TaskSchedule", "PipelineRun", "TaskRun", "Pod", "Event", "ResourceQuota", "Node"}

// environment is an event as its Task has it. All of these are always there, so that none is left of the Job's template; data only
// if it is text, and not too long for a variable.
func environment(e cloudevents.Event) []v1alpha1.EnvVar {
	at := ""
	if !e.Time().IsZero() {
		at = e.Time().UTC().Format(time.RFC3339Nano)
	}
	data, omitted := dataText(e)
	return []v1alpha1.EnvVar{
		{Name: "CE_ID", Value: e.ID()}, {Name: "CE_SOURCE", Value: e.Source()}, {Name: "CE_TYPE", Value: e.Type()},
		{Name: "CE_SUBJECT", Value: e.Subject()}, {Name: "CE_TIME", Value: at},
		{Name: "CE_DATACONTENTTYPE", Value: e.DataContentType()}, {Name: "CE_DATA", Value: data}, {Name: "CE_DATA_OMITTED", Value: omitted},
	}
}

// dataText is an event's data, or why it can't be a variable.
func dataText(e cloudevents.Event) (text, omitted string) {
	data := e.Data()
	kind, _, _ := mime.ParseMediaType(e.DataContentType())
	isText := kind == "" && json.Valid(data) ||
		kind == cloudevents.ApplicationJSON || strings.HasSuffix(kind, "+json") || strings.HasPrefix(kind, "text/")
	switch {
	case len(data) == 0:
		return "", ""
	case len(data) > MaxDataEnv:
		return "", fmt.Sprintf("it has %d bytes, more than %d", len(data), MaxDataEnv)
	case !isText || !utf8.Valid(data) || strings.Contains(string(data), "\x00"):
		return "", "it is neither JSON nor text"
	}
	return string(data), ""
}
