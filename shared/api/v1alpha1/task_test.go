package v1alpha1

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAnIDMeansTheTaskThatRuns: IDs begin again where an App was restored, so several Tasks may have one.
func TestAnIDMeansTheTaskThatRuns(t *testing.T) {
	task := func(name string, id, age int, succeeded metav1.ConditionStatus) *Task {
		t := &Task{}
		t.Name, t.CreationTimestamp = name, metav1.NewTime(time.Unix(0, 0).Add(-time.Duration(age)*time.Minute))
		t.Status.ID = id
		if succeeded != "" {
			t.Status.Conditions = []metav1.Condition{{Type: ConditionSucceeded, Status: succeeded}}
		}
		return t
	}
	helm := task("helm", 0, 1, "")
	helm.Labels = map[string]string{VersionLabel: "1.16.0"}
	for name, c := range map[string]struct {
		tasks []*Task
		want  string
		fails bool
	}{
		"none":                         {tasks: []*Task{task("a", 2, 1, ""), helm}},
		"the only one":                 {tasks: []*Task{task("a", 1, 1, "True")}, want: "a"},
		"the one that runs":            {tasks: []*Task{task("a", 1, 9, "True"), task("b", 1, 5, "Unknown"), task("c", 1, 1, "False")}, want: "b"},
		"the one that waits":           {tasks: []*Task{task("a", 1, 5, ""), task("b", 1, 1, "False")}, want: "a"},
		"of those that ended the last": {tasks: []*Task{task("a", 1, 5, "True"), task("b", 1, 1, "False"), task("c", 1, 3, "True")}, want: "b"},
		"two that run":                 {tasks: []*Task{task("a", 1, 5, "Unknown"), task("b", 1, 1, "")}, fails: true},
	} {
		got, err := ByID(c.tasks, 1)
		if (err != nil) != c.fails || (got != nil) != (c.want != "") || got != nil && got.Name != c.want {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
}
