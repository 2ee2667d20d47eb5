package events

import (
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func TestWhatAnEventAtAPathRuns(t *testing.T) {
	for path, want := range map[string]string{
		"/namespaces/n/jobs/j":    "create n/ job j",
		"/namespaces/n/apps/a.b":  "create n/ app a.b",
		"/":                       "refused",
		"":                        "refused", // the data is no command's
		"/namespaces/n/tasks/t":   "refused",
		"/namespaces/n/jobs/":     "refused",
		"/namespaces/n/jobs/j/x":  "refused",
		"/namespaces/N/jobs/j":    "refused",
		"/namespaces/n/jobs/J":    "refused",
		"/namespaces/../jobs/j":   "refused",
		"/namespaces//jobs/j":     "refused",
		"/namespaces/n/jobs/%2e.": "refused",
	} {
		e := event(TaskTerminate, `{}`)
		got := "refused"
		if target, err := TargetAt(path, e); err == nil {
			acts := target.Acts(e.Type())
			got = acts[0].Verb + " " + acts[0].Namespace + "/" + acts[0].Name
			cmd, err := ReadAt(target, e)
			if len(acts) != 1 || err != nil {
				t.Fatal(acts, err)
			}
			switch cmd := cmd.(type) {
			case RunJob:
				got += " job " + cmd.Job
			case RunTask:
				got += " app " + cmd.App
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

func TestAnEventIsInTheEnvironment(t *testing.T) {
	big := strings.Repeat("x", MaxDataEnv+1)
	for _, c := range []struct{ kind, data, want, omitted string }{
		{"application/json", `{"a": "$(HOME)"}`, `{"a": "$(HOME)"}`, ""},
		{"application/vnd.x+json; charset=utf-8", `[1]`, `[1]`, ""},
		{"text/plain", big[1:], big[1:], ""},
		{"text/plain", big, "", "32769 bytes"},
		{"text/plain", "a\x00b", "", "neither"},
		{"text/plain", "\xff", "", "neither"},
		{"application/octet-stream", "abc", "", "neither"},
		{"", `{}`, `{}`, ""},
		{"", "abc", "", "neither"},
		{"", "", "", ""},
	} {
		e := cloudevents.NewEvent()
		e.SetType("com.example.paid")
		e.SetSource("/shop")
		e.SetID("é 1")
		e.SetTime(time.Unix(1e9, 5))
		e.SetDataContentType(c.kind)
		e.DataEncoded = []byte(c.data)
		got := map[string]string{}
		for _, v := range environment(e) {
			got[v.Name] = v.Value
		}
		if got["CE_DATA"] != c.want || (got["CE_DATA_OMITTED"] == "") != (c.omitted == "") || !strings.Contains(got["CE_DATA_OMITTED"], c.omitted) {
			t.Errorf("%s %.20q: %.50q, left out for %q", c.kind, c.data, got["CE_DATA"], got["CE_DATA_OMITTED"])
		}
		if got["CE_ID"] != "é 1" || got["CE_SOURCE"] != "/shop" || got["CE_TYPE"] != "com.example.paid" || got["CE_SUBJECT"] != "" ||
			got["CE_TIME"] != "2001-09-09T01:46:40.000000005Z" || got["CE_DATACONTENTTYPE"] != c.kind || len(got) != 8 {
			t.Errorf("%v", got)
		}
	}
}

// TestNothingRunsBecauseOfItself: a Trigger without a filter hands a Job every fact about its own Tasks, and the facts of those.
func TestNothingRunsBecauseOfItself(t *testing.T) {
	fact := func(job string, chain string) cloudevents.Event {
		task := &v1alpha1.Task{}
		task.Namespace, task.Name = "n", "t"
		task.Labels = map[string]string{v1alpha1.TaskScheduleLabel: job}
		task.Annotations = map[string]string{v1alpha1.ChainAnnotation: chain}
		return *NewTaskFact(TaskFailed, "status", task)
	}
	source := func(kind string) cloudevents.Event {
		e := event(ResourceUpdated, "{}")
		e.SetExtension("kind", kind)
		return e
	}
	fired := *NewJobFact("tick", &v1alpha1.TaskSchedule{}, v1alpha1.Decision{Outcome: v1alpha1.OutcomeRan})
	fired.SetExtension("kfchain", "n/jobs/j")
	for name, c := range map[string]struct {
		e       cloudevents.Event
		path    string
		refused string
	}{
		"another's":                   {fact("", ""), "jobs/j", ""},
		"another Job's":               {fact("k", ""), "jobs/j", ""},
		"its own":                     {fact("j", ""), "jobs/j", "because of itself"},
		"of the same name elsewhere":  {fact("j", ""), "apps/j", ""},
		"by way of another":           {fact("k", "n/jobs/j"), "jobs/j", "because of itself"},
		"by way of an App":            {fact("", "n/jobs/k n/apps/a"), "apps/a", "because of itself"},
		"that it fired":               {fired, "jobs/j", "because of itself"},
		"a long chain":                {fact("", "n/jobs/a n/jobs/b n/jobs/c n/jobs/d n/jobs/e n/jobs/f n/jobs/g n/jobs/h"), "jobs/j", "8 runs"},
		"a chain that is still short": {fact("", "n/jobs/a n/jobs/b n/jobs/c n/jobs/d n/jobs/e n/jobs/f n/jobs/g"), "jobs/j", ""},
		"what is written of a Task":   {source("Task"), "jobs/j", "kind Task"},
		"what is written of a Pod":    {source("Pod"), "apps/a", "kind Pod"},
		"what counts its Pod":         {source("ResourceQuota"), "jobs/j", "kind ResourceQuota"},
		"what holds its image":        {source("Node"), "apps/a", "kind Node"},
		"what no run changes":         {source("ConfigMap"), "jobs/j", ""},
	} {
		target, err := TargetAt("/namespaces/n/"+c.path, c.e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ReadAt(target, c.e); (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want it refused for %q", name, err, c.refused)
		}
	}
}

// TestEachReactionHasAFactOfItsOwn: of one event that runs two, and the same as ever of a command.
func TestEachReactionHasAFactOfItsOwn(t *testing.T) {
	e := commanded(TaskRun, "")
	ids := map[string]bool{}
	for _, reaction := range []string{"", "n/jobs/a", "n/jobs/b", "n/apps/a", "m/jobs/a", "n/jobs/a"} {
		ids[NewCommandFact(CommandAccepted, "command", e, CommandFact{Reaction: reaction}).ID()] = true
	}
	if len(ids) != 5 || !ids["command-594785bc75906f7028c4.dev.kf.command.accepted.v1"] {
		t.Errorf("%v", ids)
	}
}

// TestTheChainGoesOn: what an event has run says so in its own facts.
func TestTheChainGoesOn(t *testing.T) {
	e := event("com.example.paid", "{}")
	e.SetSource("/shop")
	e.SetExtension("kfchain", "n/jobs/first")
	for path, want := range map[string]string{"jobs/j": "n/jobs/first n/jobs/j", "apps/a": "n/jobs/first n/apps/a"} {
		target, err := TargetAt("/namespaces/n/"+path, e)
		if err != nil {
			t.Fatal(err)
		}
		cmd, err := ReadAt(target, e)
		if err != nil {
			t.Fatal(err)
		}
		app, job := &v1alpha1.App{}, &v1alpha1.TaskSchedule{}
		app.Namespace, app.Name, job.Namespace, job.Name = "n", "a", "n", "j"
		var task *v1alpha1.Task
		switch cmd := cmd.(type) {
		case RunJob:
			task = cmd.Task(job, e, "")
		case RunTask:
			task = cmd.Task(app, e, "")
		}
		if got := NewTaskFact(TaskFailed, "status", task).Extensions()["kfchain"]; got != want {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
}
