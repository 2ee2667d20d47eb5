// Package retention decides which Tasks of an App go, and why. The function prune acts on it, and `kf prune --dry-run`
// shows it: both see the same.
package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Task is what the decision needs to know of a Task. Nearly all of it is metadata, so that it can be had for hundreds
// of Tasks without reading them.
type Task struct {
	Name    string
	UID     types.UID
	ID      int // 0: runtask has not numbered it yet
	Created time.Time
	Outcome Outcome
	Ended   time.Time // zero: not known, or not ended
	Job     string
	Pinned  bool
}

// Outcome is what became of a Task.
type Outcome string

// Outcomes. Ended stands for a Task that has ended, one way or the other: metadata does not tell which.
const (
	Running   Outcome = "running"
	Ended     Outcome = "ended"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
)

// Rule is what a Task falls under.
type Rule string

// Rules.
const (
	ByCount Rule = "count"
	ByAge   Rule = "age"
	ByJob   Rule = "job"
)

// Verdict is one Task to delete, and why.
type Verdict struct {
	Task
	Rule   Rule
	Reason string
}

// Plan is the decision over the Tasks of one App.
type Plan struct {
	// Delete holds the Tasks that go, oldest first.
	Delete []Verdict
	// Running and Pinned Tasks are never deleted. Over is how many Tasks there will be beyond the limit all the same.
	Running, Pinned, Over int
}

// Decide says which of an App's Tasks go.
//
// The limit has as many places as the policy says. A Task that has not ended takes one and is never deleted; the newest
// of those that have ended take the rest. A pinned Task takes none: pinning one must not cost another its place.
func Decide(p Policy, tasks []Task, now time.Time) Plan {
	var plan Plan
	var ended []Task // newest first
	for _, t := range tasks {
		switch {
		case t.Pinned:
			plan.Pinned++
		case t.Outcome == Running:
			plan.Running++
		default:
			ended = append(ended, t)
		}
	}
	slices.SortFunc(ended, func(a, b Task) int { return Compare(b, a) })

	places := len(ended)
	if p.Keep != Unlimited {
		places = max(0, p.Keep-plan.Running)
		plan.Over = max(0, plan.Running-p.Keep)
	}
	type history struct {
		job     string
		outcome Outcome
	}
	kept := map[history]int{}
	for i, t := range ended {
		rule, reason := Rule(""), ""
		if i >= places {
			rule, reason = ByCount, fmt.Sprintf("not among the newest %d Tasks of its App", p.Keep)
		}
		if perJob := p.perJob(t.Outcome); t.Job != "" && perJob != Unlimited {
			of := history{t.Job, t.Outcome}
			if kept[of]++; kept[of] > perJob && rule == "" {
				rule, reason = ByJob, fmt.Sprintf("not among the newest %d Tasks of Job %s that %s", perJob, t.Job, t.Outcome)
			}
		}
		if rule == "" && p.tooOld(t, now) {
			rule, reason = ByAge, fmt.Sprintf("ended more than %s ago", p.KeepFor)
		}
		if rule != "" {
			plan.Delete = append(plan.Delete, Verdict{t, rule, reason})
		}
	}
	slices.Reverse(plan.Delete)
	return plan
}

func (p Policy) perJob(o Outcome) int {
	switch o {
	case Succeeded:
		return p.SucceededPerJob
	case Failed:
		return p.FailedPerJob
	}
	return Unlimited
}

// tooOld takes the creation for the end where the end is not known. Confirm corrects it.
func (p Policy) tooOld(t Task, now time.Time) bool {
	since := t.Ended
	if since.IsZero() {
		since = t.Created
	}
	return p.KeepFor != Unlimited && now.Sub(since) > p.KeepFor
}

// Compare orders Tasks from old to new. The API's times are whole seconds, so the ID decides within one, and a Task
// that has none yet is newer than those that have; the name makes the order total.
func Compare(a, b Task) int {
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	if (a.ID == 0) != (b.ID == 0) {
		return cmp.Compare(b.ID, a.ID)
	}
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Name, b.Name))
}

// Confirm decides again on the Task as it stands now, just before it is deleted. It returns why the Task stays, or "".
func (v Verdict) Confirm(p Policy, t *v1alpha1.Task, now time.Time) (stays string) {
	is := Of(t)
	switch {
	case t.UID != v.UID:
		return "another Task has its name"
	case t.DeletionTimestamp != nil:
		return "it is being deleted"
	case is.Outcome == Running:
		return "it has not ended"
	case is.Pinned:
		return "it is pinned"
	case t.Status.Termination != nil && t.Status.Termination.Log == v1alpha1.LogDelivering:
		return "its log is on the way to the logging stream"
	case v.Rule == ByAge && !p.tooOld(is, now):
		return "it ended later than it was created"
	}
	return ""
}

// DropPod says whether the Pod of a Task may go before the Task: it has ended, and its log has been handed on, either
// because terminate did it or because the time has passed within which the cluster's logging agent does.
func (p Policy) DropPod(t *v1alpha1.Task, now time.Time) bool {
	is := Of(t)
	switch {
	case p.PodsFor == Unlimited || is.Outcome == Running || is.Pinned:
		return false
	case t.Status.Termination != nil && t.Status.Termination.Log != "":
		return t.Status.Termination.Log == v1alpha1.LogComplete
	}
	return !is.Ended.IsZero() && now.Sub(is.Ended) > p.PodsFor
}

// Of reads what the decision needs from a whole Task.
func Of(t *v1alpha1.Task) Task {
	is := OfMetadata(t, t.Final())
	is.ID = t.ID()
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		switch c.Status {
		case metav1.ConditionTrue:
			is.Outcome = Succeeded
		case metav1.ConditionFalse:
			is.Outcome = Failed
		}
		if t.Final() {
			is.Ended = c.LastTransitionTime.Time
		}
	}
	if t.Final() && t.Status.CompletionTime != nil {
		is.Ended = t.Status.CompletionTime.Time
	}
	return is
}

// OfMetadata reads what the decision needs from metadata alone; whether the Task has ended must be known otherwise.
func OfMetadata(o metav1.Object, ended bool) Task {
	t := Task{
		Name: o.GetName(), UID: o.GetUID(), Created: o.GetCreationTimestamp().Time, Outcome: Running,
		Job: o.GetLabels()[v1alpha1.TaskScheduleLabel],
	}
	if ended {
		t.Outcome = Ended
	}
	if id, err := strconv.Atoi(o.GetLabels()[v1alpha1.VersionLabel]); err == nil && id > 0 {
		t.ID = id
	}
	// Whoever wrote something else than "true" or "false" wanted something; the Task that stays does no harm.
	pin, ok := o.GetAnnotations()[v1alpha1.PinAnnotation]
	t.Pinned = ok && pin != "false"
	return t
}
