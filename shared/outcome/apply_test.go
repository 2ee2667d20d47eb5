package outcome

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

func TestStatusNeverGoesBack(t *testing.T) {
	now := time.Unix(1000, 0)
	running := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRunning}
	pending := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending}
	ended := Observation{Succeeded: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded}
	failed := Observation{Succeeded: metav1.ConditionFalse, Reason: v1alpha1.ReasonFailed}
	for name, test := range map[string]struct {
		seen []Observation
		want string
		fact string
	}{
		"natural order":       {[]Observation{pending, running, ended}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"backwards":           {[]Observation{ended, running, pending}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"an end stays":        {[]Observation{ended, failed}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"run once, again":     {[]Observation{running, pending}, v1alpha1.ReasonRunning, events.TaskStarted},
		"only the first":      {[]Observation{pending}, v1alpha1.ReasonPending, ""},
		"failed, then others": {[]Observation{failed, ended, running}, v1alpha1.ReasonFailed, events.TaskFailed},
	} {
		task := &v1alpha1.Task{}
		for _, o := range test.seen {
			o.ID = "5"
			Apply(task, o, now)
		}
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if c.Reason != test.want || Fact(task) != test.fact || task.Status.ID != 5 {
			t.Errorf("%s: %s, fact %q, ID %d; want %s, %q, 5", name, c.Reason, Fact(task), task.Status.ID, test.want, test.fact)
		}
	}
}

func TestWhoHasNotAskedLeavesWhatIsKnown(t *testing.T) {
	asked := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: `secret "db" not found`}
	vague := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Vague: true}
	task := &v1alpha1.Task{}
	Apply(task, asked, time.Unix(1, 0))
	Apply(task, vague, time.Unix(2, 0))
	if got := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded).Message; got != asked.Message {
		t.Errorf("who had not asked wrote %q over %q", got, asked.Message)
	}
}

// TestACopyOfATaskNeitherRanNorFailed: what was restored without its status is told as nothing but that, and for ever.
func TestACopyOfATaskNeitherRanNorFailed(t *testing.T) {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{UID: "new", Labels: map[string]string{v1alpha1.HandledLabel: "old"}}}
	o := Observe(Facts{Task: task})
	Apply(task, o, time.Unix(5, 0))
	if c := task.Status.Conditions; len(c) != 1 || c[0].Status != metav1.ConditionUnknown || c[0].Reason != v1alpha1.ReasonRestored {
		t.Errorf("conditions %v", c)
	}
	if !task.Final() || task.Status.CompletionTime == nil || Fact(task) != "" {
		t.Errorf("it goes on, or tells %q", Fact(task))
	}
}
