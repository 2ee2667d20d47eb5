package events

import "testing"

// TestActIsWhatKubectlWouldNeed, whether or not the rest of the command is right.
func TestActIsWhatKubectlWouldNeed(t *testing.T) {
	for _, c := range []struct{ eventType, data, want string }{
		{TaskRun, `{"namespace":"n","app":"a"}`, "create n/"},
		{TaskRun, `{"namespace":"n","task":"t","comand":7}`, "create n/"},
		{JobRun, `{"namespace":"n","job":"j"}`, "create n/"},
		{TaskTerminate, `{"namespace":"n","task":"t"}`, "patch n/t"},
		{TaskTerminate, `{"namespace":"n","app":"a","id":7}`, "patch n/"},
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
			act := target.Act(c.eventType)
			got = act.Verb + " " + act.Namespace + "/" + act.Name
			if act.Group != "kf.dev" || act.Resource != "tasks" {
				t.Errorf("%+v", act)
			}
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.eventType, c.data, got, c.want)
		}
	}
}
