package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"

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

func TestTaskOfAnAppIsAsTheCommandSays(t *testing.T) {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "shop", UID: "u"}}
	task := TaskOfApp(event(events.TaskRun, ""), "jane", events.RunTask{
		Namespace: "n", App: "shop", Name: "invoices", Command: "bin/invoice", CPU: "1", Memory: "2Gi", Disk: "3Gi", Retries: 4,
		Timeout: &metav1.Duration{Duration: 5}, Env: []v1alpha1.EnvVar{{Name: "A", Value: "$(B)"}},
	}, app)
	want := v1alpha1.TaskSpec{DisplayName: "invoices", Env: []v1alpha1.EnvVar{{Name: "A", Value: "$(B)"}}, AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: "bin/invoice",
		CPU: "1", Memory: "2Gi", Disk: "3Gi", Retries: 4, Timeout: task.Spec.Timeout, RequestedBy: "jane"}
	if !reflect.DeepEqual(task.Spec, want) || task.Spec.Timeout.Duration != 5 {
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
		Env: []v1alpha1.EnvVar{{Name: "KEPT", Value: "1"}, {Name: "OVER", Value: "2"}},
	}
	task := TaskOfJob(event(events.JobRun, ""), "jane", events.RunJob{Namespace: "n", Job: "nightly", Command: "bin/again", Memory: "2Gi",
		Env: []v1alpha1.EnvVar{{Name: "OVER", Value: "3"}}}, job)
	want := job.Spec.TaskTemplate
	want.Command, want.Memory, want.RequestedBy = "bin/again", "2Gi", "jane"
	want.Env = []v1alpha1.EnvVar{{Name: "KEPT", Value: "1"}, {Name: "OVER", Value: "3"}}
	if !reflect.DeepEqual(task.Spec, want) || job.Spec.TaskTemplate.Command != "bin/nightly" {
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
	h := Handler{Told: cache.NewLRUExpireCache(1024)}
	for i := range 5000 {
		h.first(fmt.Sprint(i))
	}
	if first := h.first("a"); !first || h.first("a") || len(h.Told.Keys()) > 1024 {
		t.Errorf("first %t, %d kept", first, len(h.Told.Keys()))
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
