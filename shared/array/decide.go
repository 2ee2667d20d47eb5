package array

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Progress is what is known of an array's Tasks: its status, and what was read since.
type Progress struct {
	Created           int
	Active            Indexes // have not ended
	Succeeded, Failed Indexes
	// InTheWay is the name of a Task that is not the array's and has the name of one of them.
	InTheWay string
}

// Of is what an array's own status tells, with those of its Tasks that have not ended.
func Of(array *v1alpha1.Task, unended []*v1alpha1.Task) Progress {
	p := Progress{Active: Indexes{}, Succeeded: Indexes{}, Failed: Indexes{}}
	if s := array.Status.Array; s != nil {
		p.Created, p.Succeeded, p.Failed = int(s.Created), Parse(s.CompletedIndexes), Parse(s.FailedIndexes)
	}
	for _, t := range unended {
		if i, ok := IndexOf(array, t); ok {
			p.Active[i] = true
		}
	}
	return p
}

// Unknown are the indexes whose Task was made and is not among those that have not ended: it is to be read.
func (p Progress) Unknown() (all []int) {
	for i := range p.Created {
		if !p.Active[i] && !p.Succeeded[i] && !p.Failed[i] {
			all = append(all, i)
		}
	}
	return all
}

// Learn takes note of the Task of an index that was read, nil if it is gone: what became of that nobody can say, and it is not made anew.
func (p Progress) Learn(array *v1alpha1.Task, index int, t *v1alpha1.Task) {
	i, ours := 0, false
	if t != nil {
		i, ours = IndexOf(array, t)
	}
	switch {
	case !ours || i != index:
		p.Failed[index] = true
	case !t.Final():
		p.Active[index] = true
	case t.Outcome() == v1alpha1.TaskSucceeded:
		p.Succeeded[index] = true
	default:
		p.Failed[index] = true
	}
}

// Next are the indexes to make now: those that are next, as many as may be under way. An array that is to stop makes none.
func (p Progress) Next(array *v1alpha1.Task) (from, to int) {
	if array.Spec.Terminated || array.Final() {
		return p.Created, p.Created
	}
	count := int(array.Spec.Count)
	room := count
	if array.Spec.Parallelism > 0 {
		room = int(array.Spec.Parallelism)
	}
	active := len(p.Active)
	for i := range p.Active { // of one that died before it could say that it had made them
		if i >= p.Created {
			active--
		}
	}
	return p.Created, min(count, p.Created+max(0, room-active))
}

// Record writes the progress into the array's status, and its end if that has come.
func (p Progress) Record(array *v1alpha1.Task, now time.Time) {
	if array.Final() {
		return
	}
	s := &array.Status
	s.Array = &v1alpha1.TaskArray{
		Created: int32(p.Created), Active: int32(len(p.Active)), Succeeded: int32(len(p.Succeeded)), Failed: int32(len(p.Failed)),
		CompletedIndexes: p.Succeeded.String(), FailedIndexes: p.Failed.String(),
	}
	if s.StartTime == nil {
		s.StartTime = &metav1.Time{Time: now}
	}
	c := p.outcome(array)
	if c.Status != metav1.ConditionUnknown {
		s.CompletionTime = &metav1.Time{Time: now}
		s.Duration = &metav1.Duration{Duration: now.Sub(s.StartTime.Time).Round(time.Second)}
	}
	s.ObservedGeneration = array.Generation
	v1alpha1.SetCondition(array, &s.Conditions, c, now)
	found := metav1.Condition{Type: v1alpha1.ConditionAppReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFound}
	v1alpha1.SetCondition(array, &s.Conditions, found, now)
}

// outcome is the array's condition Succeeded.
func (p Progress) outcome(array *v1alpha1.Task) metav1.Condition {
	count := int(array.Spec.Count)
	c := metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRunning,
		Message: fmt.Sprintf("of %d Tasks %d are under way, %d succeeded, %d failed",
			count, len(p.Active), len(p.Succeeded), len(p.Failed))}
	switch over := len(p.Active) == 0 && p.InTheWay == ""; {
	case p.InTheWay != "":
		c.Message += fmt.Sprintf("; a Task %q that is not this array's is in the way: delete it, and the array goes on", p.InTheWay)
	case over && len(p.Succeeded) == count:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonSucceeded, fmt.Sprintf("all %d Tasks succeeded", count)
	case over && array.Spec.Terminated:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonCancelled
		c.Message = fmt.Sprintf("the Task was terminated: %d of its %d Tasks had succeeded", len(p.Succeeded), count)
	case over && len(p.Succeeded)+len(p.Failed) == count:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonFailed
		c.Message = fmt.Sprintf("%d of %d Tasks did not succeed, those of the indexes %s", len(p.Failed), count, p.Failed)
	}
	return c
}
