package outcome

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Apply writes what was observed into the Task's status, unless the Task has ended already: an end stays.
func Apply(t *v1alpha1.Task, o Observation, now time.Time) {
	if t.Final() {
		return
	}
	s := &t.Status
	if now := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionSucceeded); now != nil && o.Succeeded == metav1.ConditionUnknown {
		switch {
		case now.Reason == v1alpha1.ReasonRunning && o.Reason != v1alpha1.ReasonRunning: // what has run once is never pending again
			o.Reason, o.Message = v1alpha1.ReasonRunning, strings.TrimSpace("it is to be started again: "+o.Reason+" "+o.Message)
		case o.Vague && now.Reason == o.Reason: // who has asked knew more
			o.Message = now.Message
		}
	}
	s.ObservedGeneration = t.Generation
	if id, err := strconv.Atoi(o.ID); err == nil && id > 0 {
		s.ID = id
	}
	if o.Start != nil {
		s.StartTime = o.Start
	}
	s.Deadline = o.Deadline
	if o.Reason == v1alpha1.ReasonQueued && (s.Queue == nil || s.Queue.Of != v1alpha1.QueueOfKueue) {
		s.Queue = &v1alpha1.TaskQueue{Since: metav1.NewTime(now), Of: v1alpha1.QueueOfKueue}
	}
	if o.Succeeded != metav1.ConditionUnknown || o.Reason == v1alpha1.ReasonRestored {
		s.ExitCode, s.Usage = o.ExitCode, o.Usage
		s.CompletionTime = o.End
		if s.CompletionTime == nil {
			end := metav1.NewTime(now)
			s.CompletionTime = &end
		}
		if s.StartTime != nil {
			s.Duration = &metav1.Duration{Duration: s.CompletionTime.Sub(s.StartTime.Time)}
		}
	}
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionAppReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFound},
		{Type: v1alpha1.ConditionPipelineRunReady, Status: o.Succeeded, Reason: o.Reason, Message: o.Message},
		{Type: v1alpha1.ConditionSucceeded, Status: o.Succeeded, Reason: o.Reason, Message: o.Message},
	} {
		if o.Reason == v1alpha1.ReasonRestored && c.Type != v1alpha1.ConditionSucceeded {
			continue // nothing was looked for
		}
		v1alpha1.SetCondition(t, &s.Conditions, c, now)
	}
}

// Unstarted says that nothing has been told yet of the Task's start, nor of its end.
func Unstarted(t *v1alpha1.Task) bool {
	return !t.Final() && v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded) != v1alpha1.ReasonRunning
}

var factOf = map[v1alpha1.TaskOutcome]string{
	v1alpha1.TaskSucceeded: events.TaskSucceeded, v1alpha1.TaskTerminated: events.TaskTerminated, v1alpha1.TaskFailed: events.TaskFailed,
}

// Fact is the event that a Task's status is worth, "" for none.
func Fact(t *v1alpha1.Task) string {
	if !t.Final() && v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded) == v1alpha1.ReasonRunning {
		return events.TaskStarted
	}
	return factOf[t.Outcome()]
}

// Tell tells the facts that a change of a Task's status is to tell. It comes before the write: whoever dies in between tells them
// again, under the same ids. emit's first error ends it.
func Tell(
	ctx context.Context, emit func(context.Context, cloudevents.Event) error,
	before, after *v1alpha1.Task, o Observation, function string,
) error {
	for _, fact := range Told(before, after, o, function) {
		if err := emit(ctx, *fact); err != nil {
			return fmt.Errorf("tell %s of Task %s/%s: %w", fact.Type(), after.Namespace, after.Name, err)
		}
	}
	return nil
}

// Told are the facts that a change of a Task's status is to tell, in their order; function is whose change it is. Of one that has ended
// between two looks it is told all the same that it started.
func Told(before, after *v1alpha1.Task, o Observation, function string) (facts []*cloudevents.Event) {
	if equality.Semantic.DeepEqual(before.Status, after.Status) {
		return nil
	}
	kind := Fact(after)
	if o.Ran && Unstarted(before) && kind != events.TaskStarted {
		facts = append(facts, events.NewTaskFact(events.TaskStarted, function, before))
	}
	if kind != "" && (kind != events.TaskStarted || Unstarted(before)) {
		facts = append(facts, events.NewTaskFact(kind, function, after))
	}
	return facts
}
