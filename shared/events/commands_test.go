package events

import (
	"regexp"
	"strings"
	"testing"
)

func FuzzTaskName(f *testing.F) {
	f.Add("shop", "/orders", "7", "/order", "s7")
	f.Add(strings.Repeat("a", 41)+".b", "/orders", "7", "/orders", "8") // the cut is after the dot
	f.Add(strings.Repeat("a", 40)+"-.b", "/orders", "7", "/orders", "8")
	subdomain := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	f.Fuzz(func(t *testing.T, of, source1, id1, source2, id2 string) {
		if len(of) > 253 || !subdomain.MatchString(of) {
			t.Skip("the API server refuses such an App or Job")
		}
		a, b := TaskName(of, source1, id1), TaskName(of, source2, id2)
		if len(a) > 63 || !subdomain.MatchString(a) {
			t.Errorf("%q is not a name", a)
		}
		if a != TaskName(of, source1, id1) {
			t.Error("not stable")
		}
		// CloudEvents attributes hold no control characters (CloudEvents 1.0.2, 3.1), so no zero byte either.
		if a == b && (source1 != source2 || id1 != id2) && !strings.Contains(source1+id1+source2+id2, "\x00") {
			t.Errorf("(%q,%q) and (%q,%q) are one name", source1, id1, source2, id2)
		}
	})
}

func TestWhatACommandNeeds(t *testing.T) {
	for _, c := range []struct {
		eventType, data, refused string
	}{
		{TaskRun, `{"namespace":"n","app":"a"}`, ""},
		{TaskRun, `{"namespace":"n"}`, "needs namespace and app"},
		{TaskRun, `{"app":"a"}`, "needs namespace and app"},
		{TaskRun, `{"namespace":"n","app":"a","comand":"x"}`, "comand"},
		{TaskRun, `{"namespace":"n","app":"a","memory":"512"}`, "no unit"},
		{TaskRun, `{"namespace":"n","app":"a","memory":"0M"}`, "nothing"},
		{TaskRun, `{"namespace":"n","app":"a","disk":"-1G"}`, "below zero"},
		{TaskRun, `{"namespace":"n","app":"a","cpu":"-1"}`, "above zero"},
		{TaskRun, `{"namespace":"n","app":"a","command":"a\u0000b"}`, "NUL"},
		{TaskRun, `{"namespace":"n","app":"a","command":"` + strings.Repeat("ü", 65536) + `"}`, "131072 bytes"},
		{TaskRun, `{"namespace":"n","app":"a","command":"` + strings.Repeat("ü", 65535) + `x"}`, ""},
		{TaskRun, "{\"namespace\":\"n\",\"app\":\"a\",\"command\":\"\xff\"}", "UTF-8"},
		{JobRun, `{"namespace":"n","job":"j"}`, ""},
		{JobRun, `{"namespace":"n","job":"j","memory":"512m"}`, ""},
		{JobRun, `{"namespace":"n","job":"j","disk":"512"}`, "no unit"},
		{JobRun, `{"namespace":"n"}`, "needs namespace and job"},
		{JobRun, `{"job":"j"}`, "needs namespace and job"},
		{JobRun, `{"namespace":"n","job":"j","retries":1}`, "retries"},
		{TaskTerminate, `{"namespace":"n","task":"t"}`, ""},
		{TaskTerminate, `{"namespace":"n","app":"a","id":7}`, ""},
		{TaskTerminate, `{"namespace":"n","app":"a"}`, "an app and an id"},
		{TaskTerminate, `{"namespace":"n","app":"a","run":{"source":"/s","id":"1"}}`, ""},
		{TaskTerminate, `{"namespace":"n","job":"j","run":{"source":"/s","id":"1"}}`, ""},
		{TaskTerminate, `{"namespace":"n","run":{"source":"/s","id":"1"}}`, "an app or a job"},
		{TaskTerminate, `{"namespace":"n","app":"a","job":"j","run":{"source":"/s","id":"1"}}`, "an app or a job"},
		{TaskTerminate, `{"namespace":"n","app":"a","run":{"source":"/s"}}`, "an app or a job"},
		{TaskTerminate, `{"namespace":"n","app":"a","id":7,"run":{"source":"/s","id":"1"}}`, "one of these"},
		{TaskTerminate, `{"namespace":"n","task":"t","job":"j"}`, "one of these"},
		{TaskTerminate, `{"namespace":"n","app":"a","run":{"source":"/s","id":"1","type":"x"}}`, "type"},
		{JobSuspend, `{"namespace":"n","job":"j"}`, ""},
		{JobSuspend, `{"namespace":"n"}`, "needs namespace and job"},
		{JobResume, `{"namespace":"n","job":"j","suspend":false}`, "suspend"},
		{TaskRun, `{"namespace":"n","app":"a","args":["x","y z"],"process":"worker"}`, ""},
		{TaskRun, `{"namespace":"n","app":"a","args":"x"}`, "args"},
		{TaskRun, `{"namespace":"n","app":"a","args":["a\u0000"]}`, "NUL"},
		{TaskRun, `{"namespace":"n","app":"a","command":"x","args":["y"]}`, "stands alone"},
		{TaskRun, `{"namespace":"n","app":"a","command":"x","process":"web"}`, "stands alone"},
		{JobRun, `{"namespace":"n","job":"j","command":"x","process":"web"}`, "stands alone"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"team":"blue","example.com/order":"7"}}`, ""},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"kf.dev/x":"7"}}`, "kf.dev"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"tasks.kf.dev/handled":"7"}}`, "kf.dev"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"app.kubernetes.io/name":"7"}}`, "kubernetes.io"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"tekton.dev/pipelineTask":"7"}}`, "tekton.dev"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"notkf.dev/x":"7"}}`, ""},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"a b":"7"}}`, "labels"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"a":"b c"}}`, "labels"},
		{TaskRun, `{"namespace":"n","app":"a","labels":{"a":7}}`, "labels"},
		{TaskRun, `{"namespace":"n","app":"a","notBefore":"2026-11-28T10:00:00Z","expires":"2026-11-28T11:00:00+00:30"}`, ""},
		{TaskRun, `{"namespace":"n","app":"a","notBefore":"2026-11-28T10:00:00Z","expires":"2026-11-28T10:00:00Z"}`, "before expires"},
		{TaskRun, `{"namespace":"n","app":"a","notBefore":"2026-11-28T12:00:00Z","expires":"2026-11-28T13:00:00+02:00"}`, "before expires"},
		{TaskRun, `{"namespace":"n","app":"a","notBefore":"tomorrow"}`, "tomorrow"},
		{JobRun, `{"namespace":"n","job":"j","expires":"2026-11-28"}`, "2026-11-28"},
		{TaskTerminate, `{"namespace":"n","id":7}`, "an app and an id"},
		{TaskTerminate, `{"task":"t"}`, "a namespace"},
		{TaskTerminate, ``, "schema"},
		{TaskCreated, `{"namespace":"n","task":"t"}`, "no type of command"},
	} {
		cmd, err := Read(event(c.eventType, c.data))
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s %s: %v %v, want it refused for %q", c.eventType, c.data, cmd, err, c.refused)
		}
	}
}

// TestAmountsHaveOneMeaning: what an event says is what the CLI says, and Kubernetes reads the same.
func TestAmountsHaveOneMeaning(t *testing.T) {
	cmd, err := Read(event(TaskRun, `{"namespace":"n","app":"a","memory":"1.5G","disk":"2g","cpu":"0.5"}`))
	if run, ok := cmd.(RunTask); err != nil || !ok || run.Memory != "1536Mi" || run.Disk != "2Gi" || run.CPU != "0.5" {
		t.Errorf("%+v %v", cmd, err)
	}
}

// FuzzTarget: what is allowed and what is done are of one namespace and one Task, however often the data names them.
func FuzzTarget(f *testing.F) {
	f.Add(`{"namespace":"n","app":"a"}`)
	f.Add(`{"namespace":"n","app":"a","run":{"source":"s","id":"1"},"RUN":null}`)
	f.Add(`{"namespace":"n","Namespace":"m","NAMESPACE":null,"task":"t","Task":"u"}`)
	f.Add(`{"namespace":"n","nameſpace":"m","app":"a","id":1,"taſk":"t"}`)
	f.Fuzz(func(t *testing.T, data string) {
		for _, eventType := range []string{TaskRun, JobRun, TaskTerminate, JobSuspend, JobResume} {
			e := event(eventType, data)
			cmd, err := Read(e)
			if err != nil {
				continue
			}
			target, err := TargetOf(e)
			if err != nil {
				continue
			}
			var namespace, task string
			switch cmd := cmd.(type) {
			case RunTask:
				namespace = cmd.Namespace
			case RunJob:
				namespace = cmd.Namespace
			case SuspendJob:
				namespace, task = cmd.Namespace, cmd.Job
				if task != target.Job {
					t.Errorf("%s: allowed for %q, done to %q", data, target.Job, task)
				}
			case ResumeJob:
				namespace = cmd.Namespace
			case TerminateTask:
				namespace, task = cmd.Namespace, cmd.Task
				if (cmd.Run == nil) != (target.Run == nil) {
					t.Errorf("%s: allowed by its run %v, done by %v", data, target.Run, cmd.Run)
				}
				if task != target.Task {
					t.Errorf("%s: allowed for %q, done to %q", data, target.Task, task)
				}
			}
			if namespace != target.Namespace {
				t.Errorf("%s: allowed in %q, done in %q", data, target.Namespace, namespace)
			}
		}
	})
}

// TestAttributesSayWhatTheDataSays: what a Trigger filters by is what is carried out.
func TestAttributesSayWhatTheDataSays(t *testing.T) {
	run, stop := `{"namespace":"n","app":"a"}`, `{"namespace":"n","task":"t"}`
	for _, c := range []struct{ eventType, data, attribute, value, refused string }{
		{TaskRun, run, "subject", "n/a", ""},
		{TaskRun, run, "subject", "n", ""},
		{TaskRun, run, "subject", "m/a", "its data is about n/a"},
		{TaskRun, run, "subject", "a", "its data is about n/a"},
		{TaskTerminate, stop, "subject", "n/t", ""},
		{TaskTerminate, stop, "subject", "n/a", "its data is about n/t"},
		{JobSuspend, `{"namespace":"n","job":"j"}`, "subject", "n/j", ""},
		{JobSuspend, `{"namespace":"n","job":"j"}`, "subject", "n/k", "its data is about n/j"},
		{TaskRun, run, "dataschema", "https://example.com/schemas/dev.kf.task.run.v1.json", ""},
		{TaskRun, run, "dataschema", "https://example.com/schemas/dev.kf.task.run.v2.json", "dataschema"},
		{TaskRun, run, "dataschema", "https://example.com/", "dataschema"},
		{TaskRun, run, "correlationid", strings.Repeat("x", 256), ""},
		{TaskRun, run, "correlationid", strings.Repeat("x", 257), "correlationid"},
		{TaskRun, run, "kfchain", "n/jobs/j m/apps/a", ""},
		{TaskRun, run, "kfchain", "n/pods/j", "kfchain"},
		{TaskRun, run, "kfchain", strings.Repeat("n/jobs/j ", 10), "kfchain"},
		{TaskRun, run, "traceparent", "nonsense", ""}, // W3C: it is left out
	} {
		e := event(c.eventType, c.data)
		switch c.attribute {
		case "subject":
			e.SetSubject(c.value)
		case "dataschema":
			e.SetDataSchema(c.value)
		default:
			e.SetExtension(c.attribute, c.value)
		}
		if _, err := Read(e); (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s %s=%.50q: %v, want it refused for %q", c.eventType, c.attribute, c.value, err, c.refused)
		}
	}
}
