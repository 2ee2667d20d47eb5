package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	authz "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

func event(eventType, data string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource("/billing")
	e.SetID("2026-11")
	_ = e.SetData(cloudevents.ApplicationJSON, []byte(data))
	return e
}

func TestWhatACommandNeeds(t *testing.T) {
	for _, c := range []struct {
		eventType, data, refused string
	}{
		{events.TaskRun, `{"namespace":"n","app":"a"}`, ""},
		{events.TaskRun, `{"namespace":"n"}`, "needs namespace and app"},
		{events.TaskRun, `{"app":"a"}`, "needs namespace and app"},
		{events.TaskRun, `{"namespace":"n","app":"a","comand":"x"}`, "comand"},
		{events.JobRun, `{"namespace":"n","job":"j"}`, ""},
		{events.JobRun, `{"namespace":"n"}`, "needs namespace and job"},
		{events.JobRun, `{"job":"j"}`, "needs namespace and job"},
		{events.JobRun, `{"namespace":"n","job":"j","retries":1}`, "retries"},
		{events.TaskTerminate, `{"namespace":"n","task":"t"}`, ""},
		{events.TaskTerminate, `{"namespace":"n","app":"a","id":7}`, ""},
		{events.TaskTerminate, `{"namespace":"n","app":"a"}`, "an app and an id"},
		{events.TaskTerminate, `{"namespace":"n","id":7}`, "an app and an id"},
		{events.TaskTerminate, `{"task":"t"}`, "a namespace"},
		{events.TaskTerminate, ``, "schema"},
		{events.TaskCreated, `{"namespace":"n","task":"t"}`, "does not handle"},
	} {
		cmd, err := Read(event(c.eventType, c.data))
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s %s: %v %v, want it refused for %q", c.eventType, c.data, cmd, err, c.refused)
		}
	}
}

func TestTaskOfAnAppIsAsTheCommandSays(t *testing.T) {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "shop", UID: "u"}}
	task := TaskOfApp(event(events.TaskRun, ""), "jane", events.RunTask{
		Namespace: "n", App: "shop", Name: "invoices", Command: "bin/invoice", CPU: "1", Memory: "2Gi", Disk: "3Gi", Retries: 4,
		Timeout: &metav1.Duration{Duration: 5},
	}, app)
	want := v1alpha1.TaskSpec{DisplayName: "invoices", AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: "bin/invoice",
		CPU: "1", Memory: "2Gi", Disk: "3Gi", Retries: 4, Timeout: task.Spec.Timeout, RequestedBy: "jane"}
	if task.Spec != want || task.Spec.Timeout.Duration != 5 {
		t.Errorf("spec %+v", task.Spec)
	}
	if !metav1.IsControlledBy(task, app) || task.Namespace != "n" || task.Labels[v1alpha1.NameLabel] != "shop" {
		t.Errorf("metadata %+v", task.ObjectMeta)
	}
	// The names of Tasks that are there must not change: a redelivery would run its command once more.
	if task.Name != "shop-594785bc75906f7028c4" || task.Annotations["tasks.kf.dev/event"] != "/billing 2026-11" {
		t.Errorf("name %s, annotations %v", task.Name, task.Annotations)
	}
}

func TestTaskOfAJobIsTheJobsWithWhatTheCommandOverrides(t *testing.T) {
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "nightly", UID: "u"}}
	job.Spec.TaskTemplate = v1alpha1.TaskSpec{
		AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: "bin/nightly", CPU: "1", Memory: "1Gi", Disk: "1Gi", RequestedBy: "root",
	}
	task := TaskOfJob(event(events.JobRun, ""), "jane", events.RunJob{Namespace: "n", Job: "nightly", Command: "bin/again", Memory: "2Gi"}, job)
	want := job.Spec.TaskTemplate
	want.Command, want.Memory, want.RequestedBy = "bin/again", "2Gi", "jane"
	if task.Spec != want || job.Spec.TaskTemplate.Command != "bin/nightly" {
		t.Errorf("spec %+v", task.Spec)
	}
	if !metav1.IsControlledBy(task, job) || task.Labels[v1alpha1.TaskScheduleLabel] != "nightly" ||
		task.Labels[v1alpha1.NameLabel] != "shop" {
		t.Errorf("metadata %+v", task.ObjectMeta)
	}
	if task.Name != "nightly-594785bc75906f7028c4" || task.Annotations["tasks.kf.dev/event"] != "/billing 2026-11" {
		t.Errorf("name %s, annotations %v", task.Name, task.Annotations)
	}
}

// TestActIsWhatKubectlWouldNeed, whether or not the rest of the command is right.
func TestActIsWhatKubectlWouldNeed(t *testing.T) {
	for _, c := range []struct{ eventType, data, want string }{
		{events.TaskRun, `{"namespace":"n","app":"a"}`, "create n/"},
		{events.TaskRun, `{"namespace":"n","task":"t","comand":7}`, "create n/"},
		{events.JobRun, `{"namespace":"n","job":"j"}`, "create n/"},
		{events.TaskTerminate, `{"namespace":"n","task":"t"}`, "patch n/t"},
		{events.TaskTerminate, `{"namespace":"n","app":"a","id":7}`, "patch n/"},
		{events.TaskCreated, `{"namespace":"n"}`, "create n/"},
		{events.TaskRun, `{"namespace":"../n","app":"a"}`, ""},
		{events.TaskRun, `{"namespace":"","app":"a"}`, ""},
		{events.TaskRun, `{"namespace":"n","app":"../a"}`, ""},
		{events.TaskTerminate, `{"namespace":"n","task":"a/b"}`, ""},
		{events.TaskRun, `{"namespace":"n"`, ""},
		{events.TaskRun, `<a><Namespace>n</Namespace></a>`, ""},
	} {
		got := ""
		if target, err := events.TargetOf(event(c.eventType, c.data)); err == nil {
			act := Act(c.eventType, target)
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

// FuzzTarget: what is allowed and what is done are of one namespace and one Task, however often the data names them.
func FuzzTarget(f *testing.F) {
	f.Add(`{"namespace":"n","app":"a"}`)
	f.Add(`{"namespace":"n","Namespace":"m","NAMESPACE":null,"task":"t","Task":"u"}`)
	f.Add(`{"namespace":"n","nameſpace":"m","app":"a","id":1,"taſk":"t"}`)
	f.Fuzz(func(t *testing.T, data string) {
		for _, eventType := range []string{events.TaskRun, events.JobRun, events.TaskTerminate} {
			e := event(eventType, data)
			cmd, err := Read(e)
			if err != nil {
				continue
			}
			target, err := events.TargetOf(e)
			if err != nil {
				continue
			}
			var namespace, task string
			switch cmd := cmd.(type) {
			case events.RunTask:
				namespace = cmd.Namespace
			case events.RunJob:
				namespace = cmd.Namespace
			case events.TerminateTask:
				namespace, task = cmd.Namespace, cmd.Task
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

// TestARefusalSaysWhatToDo: in words that can be pasted, whoever is refused.
func TestARefusalSaysWhatToDo(t *testing.T) {
	run := Act(events.TaskRun, events.Target{Namespace: "shop"})
	stop := Act(events.TaskTerminate, events.Target{Namespace: "shop", Task: "t"})
	for _, c := range []struct {
		user string
		act  authz.ResourceAttributes
		want []string
	}{
		{"", run, []string{"bearer token", "kubectl -n shop create token ACCOUNT --audience kf-tasks-command"}},
		{"system:serviceaccount:billing:poster", run, []string{"system:serviceaccount:billing:poster may not create tasks in namespace shop",
			"kubectl -n shop create rolebinding commanders --clusterrole=kf-tasks-commander --serviceaccount=billing:poster"}},
		{"jane", stop, []string{"jane may not patch task t in namespace shop", " --user=jane"}},
		{"jane; rm -rf ~", run, []string{"'--user=jane; rm -rf ~'"}},
		{"system:serviceaccount:kf-tasks:command-oidc-eventing.knative.dev-trigger", run, []string{"does not say who posted"}},
	} {
		err := Refusal(c.user, c.act)
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", c.user, err, want)
			}
		}
	}
}

// TestRefusalsCantFillASpace: one for each act and sender, and one sender is whoever can make itself many.
func TestRefusalsCantFillASpace(t *testing.T) {
	shown := map[string]bool{}
	for i := range 100 {
		for _, user := range []string{"", fmt.Sprint("system:serviceaccount:bad:", i)} {
			e := event(events.TaskRun, "")
			e.SetID(fmt.Sprint(i))
			e.SetSource(strings.Repeat("é\x1b", i*10))
			w := Shown(e, Act(e.Type(), events.Target{Namespace: "n"}), user, errors.New("why"))
			shown[w.About.Name+w.Reason+w.Once] = true
			if !strings.HasSuffix(w.Note, "why") || strings.Contains(w.Note, "\x1b") || len(w.Note) > 1024 {
				t.Errorf("%q", w.Note)
			}
		}
	}
	if len(shown) != 2 {
		t.Errorf("%d Events", len(shown))
	}
	var told told
	now := time.Unix(0, 0)
	for i := range 5000 {
		told.first(fmt.Sprint(i), now)
	}
	if first := told.first("a", now); !first || told.first("a", now.Add(59*time.Second)) || !told.first("a", now.Add(time.Minute)) || len(told.last) > 1024 {
		t.Errorf("first %t, %d kept", first, len(told.last))
	}
}

func TestOnlyATaskThatMayYetRunIsStopped(t *testing.T) {
	ended := v1alpha1.TaskStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue}}}
	for name, c := range map[string]struct {
		task *v1alpha1.Task
		stop bool
	}{
		"none":             {nil, false},
		"new":              {&v1alpha1.Task{}, true},
		"ended":            {&v1alpha1.Task{Status: ended}, false},
		"terminated":       {&v1alpha1.Task{Spec: v1alpha1.TaskSpec{Terminated: true}}, false},
		"terminated, over": {&v1alpha1.Task{Spec: v1alpha1.TaskSpec{Terminated: true}, Status: ended}, false},
	} {
		if stop, reason := Stop(c.task); stop != c.stop || stop != (reason == "") {
			t.Errorf("%s: %t %q", name, stop, reason)
		}
	}
}

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

// FuzzManager: whatever a sender calls itself, the API server takes it.
func FuzzManager(f *testing.F) {
	f.Add("/billing")
	f.Add(strings.Repeat("é", 100))
	f.Add("/a\u200bb\xff")
	f.Fuzz(func(t *testing.T, source string) {
		m := manager("", source)
		if errs := validation.ValidateFieldManager(m, field.NewPath("fieldManager")); len(errs) > 0 || !utf8.ValidString(m) {
			t.Errorf("%q: %v", m, errs)
		}
		if len(utilvalidation.IsDNS1123Subdomain(source)) == 0 && len(source) < 120 && m != "event:"+source {
			t.Errorf("%q became %q", source, m)
		}
		if by := "system:serviceaccount:a:b"; manager(by, source) != by {
			t.Error("the identity is not what is recorded")
		}
	})
}
