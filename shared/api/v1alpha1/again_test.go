package v1alpha1_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestAgainTakesEachFieldOrLeavesItBehind: a field that is added to a Task's spec is one of the two.
func TestAgainTakesEachFieldOrLeavesItBehind(t *testing.T) {
	app := &v1alpha1.App{}
	app.Name, app.UID = "shop", "app"
	now := metav1.Now()
	was := &v1alpha1.Task{}
	was.Name, was.Labels = "nightly-1", map[string]string{v1alpha1.TaskScheduleLabel: "nightly", v1alpha1.HandledLabel: "x", "team": "billing"}
	was.Annotations = map[string]string{v1alpha1.EventAnnotation: "/a 1"}
	was.Spec = v1alpha1.TaskSpec{
		DisplayName: "n", CPU: "1", Memory: "1Gi", Disk: "1Gi", Command: "c", Args: []string{"a"}, Process: "p",
		Env: []v1alpha1.EnvVar{{Name: "A", Value: "1"}}, Terminated: true, Timeout: &metav1.Duration{Duration: time.Hour}, Retries: 3,
		NotBefore: &now, Expires: &now, Count: 4, Parallelism: 2, RequestedBy: "jane", Call: &v1alpha1.Call{URL: "https://shop.example"},
	}
	was.Spec.AppRef.Name = "shop"
	left := map[string]bool{"Terminated": true, "NotBefore": true, "Expires": true, "RequestedBy": true}
	task, err := was.Again(app)
	if err != nil {
		t.Fatal(err)
	}
	before, after := reflect.ValueOf(was.Spec), reflect.ValueOf(task.Spec)
	for i := range before.NumField() {
		name := before.Type().Field(i).Name
		if before.Field(i).IsZero() {
			t.Errorf("%s is new: say here whether a rerun has it", name)
		}
		if taken := reflect.DeepEqual(before.Field(i).Interface(), after.Field(i).Interface()); taken == left[name] || left[name] && !after.Field(i).IsZero() {
			t.Errorf("%s: %v, of %v", name, after.Field(i), before.Field(i))
		}
	}
	if task.GenerateName != "shop-" || task.Name != "" || !metav1.IsControlledBy(task, app) || task.Labels[v1alpha1.TaskScheduleLabel] != "" ||
		task.Labels[v1alpha1.HandledLabel] != "" || len(task.Annotations) > 0 {
		t.Errorf("%+v", task.ObjectMeta)
	}
	was.Unreadable = "spec.timeout: it overflows"
	if _, err := was.Again(app); err == nil || !strings.Contains(err.Error(), "it overflows") {
		t.Errorf("%v", err)
	}
}
