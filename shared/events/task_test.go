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
