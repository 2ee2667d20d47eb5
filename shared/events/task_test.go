package events

import (
	"reflect"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func commanded(eventType, data string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource("/billing")
	e.SetID("2026-11")
	_ = e.SetData(cloudevents.ApplicationJSON, []byte(data))
	return e
}

func TestTaskOfAnAppIsAsTheCommandSays(t *testing.T) {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "shop", UID: "u"}}
	task := RunTask{
		Namespace: "n", App: "shop", Name: "invoices", Command: "bin/invoice", CPU: "1", Memory: "2Gi", Disk: "3Gi", Retries: 4,
		Timeout: &metav1.Duration{Duration: 5}, Env: []v1alpha1.EnvVar{{Name: "A", Value: "$(B)"}},
	}.Task(app, commanded(TaskRun, ""), "jane")
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
	task := RunJob{Namespace: "n", Job: "nightly", Command: "bin/again", Memory: "2Gi",
		Env: []v1alpha1.EnvVar{{Name: "OVER", Value: "3"}}}.Task(job, commanded(JobRun, ""), "jane")
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

// TestWhichRunATaskIs: an event may be posted to many Jobs and Apps, and their names may be alike as far as they are in their Tasks' names.
func TestWhichRunATaskIs(t *testing.T) {
	long := "nightly-report-for-the-customers-of-region-"
	app := func(name string) *v1alpha1.Task {
		return RunTask{}.Task(&v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: name}}, commanded(TaskRun, ""), "")
	}
	job := func(name, app string) *v1alpha1.Task {
		j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name}}
		j.Spec.TaskTemplate.AppRef.Name = app
		return RunJob{}.Task(j, commanded(JobRun, ""), "")
	}
	for name, c := range map[string]struct {
		app, job string
		there    *v1alpha1.Task
		want     bool
	}{
		"the App's":                  {"shop", "", app("shop"), true},
		"the Job's":                  {"x", "shop", job("shop", "shop"), true},
		"the Job's, of another App":  {"other", "shop", job("shop", "x"), true}, // it was changed since
		"a Job's of the App's name":  {"shop", "", job("shop", "shop"), false},
		"an App's of the Job's name": {"shop", "shop", app("shop"), false},
		"an App's that begins so":    {long + "eu", "", app(long + "us"), false},
		"a Job's that begins so":     {"shop", long + "eu", job(long+"us", "shop"), false},
	} {
		if got := (EventRef{"/billing", "2026-11"}).Ran(c.app, c.job, c.there); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if (EventRef{"/billing", "2026-12"}).Ran(c.app, c.job, c.there) {
			t.Errorf("%s: of another event", name)
		}
		if want := TaskName(c.job+c.app, "/billing", "2026-11"); c.job == "" && c.there.Name != want {
			t.Errorf("%s: the names are not alike, %s and %s: the case says nothing", name, c.there.Name, want)
		}
	}
}
