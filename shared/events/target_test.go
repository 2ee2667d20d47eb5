package events

import (
	"strings"
	"testing"
)

// TestActIsWhatKubectlWouldNeed, whether or not the rest of the command is right.
func TestActIsWhatKubectlWouldNeed(t *testing.T) {
	for _, c := range []struct{ eventType, data, want string }{
		{TaskRun, `{"namespace":"n","app":"a"}`, "create n/"},
		{TaskRun, `{"namespace":"n","task":"t","comand":7}`, "create n/"},
		{JobRun, `{"namespace":"n","job":"j"}`, "create n/"},
		{TaskTerminate, `{"namespace":"n","task":"t"}`, "patch n/t"},
		{TaskTerminate, `{"namespace":"n","app":"a","id":7}`, "patch n/"},
		{TaskTerminate, `{"namespace":"n","app":"a","run":{"source":"s","id":"1"}}`, "patch n/, create n/"},
		{TaskTerminate, `{"namespace":"n","task":"t","run":{}}`, "patch n/, create n/"},
		{JobSuspend, `{"namespace":"n","job":"j"}`, "patch taskschedules n/j"},
		{JobResume, `{"namespace":"n","job":"j","run":{}}`, "patch taskschedules n/j"},
		{TaskCreated, `{"namespace":"n"}`, "create n/"},
		{TaskRun, `{"namespace":"../n","app":"a"}`, ""},
		{TaskRun, `{"namespace":"","app":"a"}`, ""},
		{TaskRun, `{"namespace":"n","app":"../a"}`, ""},
		{TaskTerminate, `{"namespace":"n","task":"a/b"}`, ""},
		{TaskRun, `{"namespace":"n"`, ""},
		{TaskRun, `<a><Namespace>n</Namespace></a>`, ""},
	} {
		got := ""
		if target, err := TargetOf(commanded(c.eventType, c.data)); err == nil {
			var acts []string
			for _, act := range target.Acts(c.eventType) {
				acts = append(acts, act.Verb+" "+strings.TrimPrefix(act.Resource+" ", "tasks ")+act.Namespace+"/"+act.Name)
				if act.Group != "kf.dev" {
					t.Errorf("%+v", act)
				}
			}
			got = strings.Join(acts, ", ")
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.eventType, c.data, got, c.want)
		}
	}
}
