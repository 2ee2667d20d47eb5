package retention

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

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
	Job     string
	Pinned  bool
	Ended   bool                 // waits or runs no more
	Outcome v1alpha1.TaskOutcome // of one that has ended, if it is known: metadata does not tell
	EndedAt time.Time            // the same
}

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
	// Delete holds the Tasks that are to be deleted, oldest first.
	Delete []Verdict
	// Running and Pinned Tasks are never deleted. Over is how many Tasks there will be beyond the limit all the same.
	Running, Pinned, Over int
}

// Decide says which of an App's Tasks are to be deleted.
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
		case !t.Ended:
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
	type history struct{ job, of string }
	newer := map[history]int{}
	for i, t := range ended {
		rule, reason := Rule(""), ""
		if i >= places {
			rule, reason = ByCount, fmt.Sprintf("not among the newest %d Tasks of its App", p.Keep)
		}
		if keep, did := p.perJob(t.Outcome); t.Job != "" && keep != Unlimited {
			if rule == "" && newer[history{t.Job, did}] >= keep {
				rule, reason = ByJob, fmt.Sprintf("not among the newest %d Tasks of Job %s that %s", keep, t.Job, did)
			}
			newer[history{t.Job, did}]++
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

// perJob is how many Tasks with such an outcome a Job keeps, and what these did.
func (p Policy) perJob(o v1alpha1.TaskOutcome) (keep int, did string) {
	switch o {
	case v1alpha1.TaskSucceeded:
		return p.SucceededPerJob, "succeeded"
	case v1alpha1.TaskFailed, v1alpha1.TaskTerminated:
		return p.FailedPerJob, "failed"
	}
	return Unlimited, ""
}

// tooOld takes the creation for the end where the end is not known. Confirm corrects it.
func (p Policy) tooOld(t Task, now time.Time) bool {
	since := t.EndedAt
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

// AwaitsArchive is why a Task is kept whose log the archive does not have yet.
const AwaitsArchive = "its log is not in the archive yet"

// Confirm decides again on the Task as it stands now, just before it is deleted. It returns why the Task is kept, or "".
func (v Verdict) Confirm(p Policy, t *v1alpha1.Task, now time.Time) (kept string) {
	is := Of(t)
	switch {
	case t.UID != v.UID:
		return "another Task has its name"
	case t.DeletionTimestamp != nil:
		return "it is being deleted"
	case !is.Ended:
		return "it has not ended"
	case is.Pinned:
		return "it is pinned"
	case t.Status.Termination != nil && t.Status.Termination.Log == v1alpha1.LogDelivering:
		return "its log is on the way to the logging stream"
	case t.AwaitsArchive(now):
		return AwaitsArchive
	case v.Rule == ByAge && !p.tooOld(is, now):
		return "it ended later than it was created"
	}
	return ""
}

// DropPod says whether the Pod of a Task may be deleted before the Task: it has ended, and its log has been delivered,
// either because terminate did it or because the time has passed within which the cluster's logging agent does. In a Space that archives
// logs, the archive has it, too.
func (p Policy) DropPod(t *v1alpha1.Task, now time.Time) bool {
	is := Of(t)
	switch {
	case p.PodsFor == Unlimited || !is.Ended || is.Pinned || t.AwaitsArchive(now):
		return false
	case t.Status.Termination != nil && t.Status.Termination.Log != "":
		return t.Status.Termination.Log == v1alpha1.LogComplete
	}
	return !is.EndedAt.IsZero() && now.Sub(is.EndedAt) > p.PodsFor
}

// Of reads what the decision needs from a whole Task.
func Of(t *v1alpha1.Task) Task {
	is := OfMetadata(t, t.Final(), "")
	is.ID = t.ID()
	is.Outcome = t.Outcome()
	is.EndedAt = t.EndedAt()
	return is
}

// OfMetadata reads what the decision needs from metadata alone. Whether the Task has ended, and the status of its
// condition Succeeded ("" if that is not known), must come from elsewhere.
func OfMetadata(o metav1.Object, ended bool, succeeded string) Task {
	t := Task{
		Name: o.GetName(), UID: o.GetUID(), Created: o.GetCreationTimestamp().Time, Ended: ended,
		Job: o.GetLabels()[v1alpha1.TaskScheduleLabel],
	}
	switch {
	case ended && succeeded == string(metav1.ConditionTrue):
		t.Outcome = v1alpha1.TaskSucceeded
	case ended && succeeded == string(metav1.ConditionFalse):
		t.Outcome = v1alpha1.TaskFailed // or terminated, which the rules do not tell apart
	}
	handled := o.GetLabels()[v1alpha1.HandledLabel] != "" // else the number is whatever its user means by it
	if id, err := strconv.Atoi(o.GetLabels()[v1alpha1.VersionLabel]); err == nil && id > 0 && handled {
		t.ID = id
	}
	// Whoever wrote something else than "true" or "false" wanted something; a Task that is kept does no harm.
	pin, ok := o.GetAnnotations()[v1alpha1.PinAnnotation]
	t.Pinned = ok && pin != "false"
	return t
}
