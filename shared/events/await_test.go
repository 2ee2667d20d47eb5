package events

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestWhoseEndIsAwaited: the Triggers of runtask filter by it, and of others none comes there.
func TestWhoseEndIsAwaited(t *testing.T) {
	for name, c := range map[string]struct {
		labels         map[string]string
		awaited, array any
	}{
		"nobody's":     {},
		"of a queue":   {map[string]string{v1alpha1.AwaitedLabel: "true"}, "true", nil},
		"of an array":  {map[string]string{v1alpha1.AwaitedLabel: "true", v1alpha1.ArrayLabel: "import", v1alpha1.IndexLabel: "3"}, "true", "import"},
		"array itself": {map[string]string{v1alpha1.ArrayLabel: "its-uid"}, nil, nil},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t", Namespace: "s", UID: "u", Labels: c.labels}}
		got := NewTaskFact(TaskSucceeded, "status", task).Extensions()
		if got["kfawaited"] != c.awaited || got["kfarray"] != c.array {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhatAnArrayHandsOn has its Job in the chain: a Job that runs because its own Task ended is found out.
func TestWhatAnArrayHandsOn(t *testing.T) {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "nightly-1", Namespace: "s", Labels: map[string]string{v1alpha1.TaskScheduleLabel: "nightly"}}}
	task.Annotations = map[string]string{v1alpha1.EventAnnotation: "/x 1", v1alpha1.CorrelationAnnotation: "c", v1alpha1.ChainAnnotation: "s/apps/a"}
	got := HandOn(task)
	if len(got) != 2 || got[v1alpha1.ChainAnnotation] != "s/apps/a s/jobs/nightly" || got[v1alpha1.CorrelationAnnotation] != "c" {
		t.Errorf("%v", got)
	}
}
