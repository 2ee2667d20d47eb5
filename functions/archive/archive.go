package main

import (
	"fmt"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Facts are what is decided from.
type Facts struct {
	Task  *v1alpha1.Task
	Place bool // its Space archives logs
	Now   time.Time
}

// Action is what archive does about a Task.
type Action string

const (
	Nothing Action = "nothing"
	// Leave it to terminate, which has the log of a Task that it stops.
	Leave Action = "leave"
	// Settle it without a log, with the Decision's Message.
	Settle Action = "settle"
	// Keep reads the log and pushes it.
	Keep Action = "keep"
)

// Decision is the Action, and why.
type Decision struct {
	Action  Action
	Message string
}

// A rule decides what it applies to.
type rule func(Facts) (d Decision, applies bool)

// rules in order: each is asked about what those before it have left.
var rules = []rule{notAsked, beingDeleted, notEnded, settledBefore, archivesNoMore, terminateIsLost, terminateHasIt}

// Decide says what is to be done about the log of a Task.
func Decide(f Facts) Decision {
	for _, r := range rules {
		if d, applies := r(f); applies {
			return d
		}
	}
	return Decision{Keep, "the Task has ended"}
}

func notAsked(f Facts) (Decision, bool) {
	return Decision{Nothing, "its log does not belong in an archive"}, !f.Task.ToArchive()
}

func beingDeleted(f Facts) (Decision, bool) {
	return Decision{Nothing, "the Task is being deleted"}, f.Task.DeletionTimestamp != nil
}

func notEnded(f Facts) (Decision, bool) {
	return Decision{Nothing, "it has not ended"}, !f.Task.Final()
}

func settledBefore(f Facts) (Decision, bool) {
	return Decision{Nothing, "all is done"}, f.Task.Status.Log.Settled()
}

func archivesNoMore(f Facts) (Decision, bool) {
	return Decision{Settle, "its Space archives no logs any more"}, !f.Place
}

// stopped says that terminate reads the log, or has: the Pod is gone, or about to.
func stopped(t *v1alpha1.Task) bool {
	s := t.Status.Termination
	return s != nil && s.Log != v1alpha1.LogNone
}

func terminateIsLost(f Facts) (Decision, bool) {
	why := fmt.Sprintf("the registry did not take it within %s, or the function ended that had it: "+
		"what the Task wrote went to the logging stream", v1alpha1.ArchivePatience)
	return Decision{Settle, why}, stopped(f.Task) && Late(f.Task, f.Now)
}

func terminateHasIt(f Facts) (Decision, bool) {
	return Decision{Leave, "terminate has the log, and pushes it"}, stopped(f.Task)
}

// Late says that the Task has waited for its log long enough.
func Late(t *v1alpha1.Task, now time.Time) bool {
	return now.Sub(t.EndedAt()) >= v1alpha1.ArchivePatience
}

// LastChance says of a log that could not be read whole that asking the node again is to no avail: it has removed the Pod's containers, or
// the Task has waited long enough.
func LastChance(t *v1alpha1.Task, now time.Time) bool {
	return Late(t, now) || v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded) == v1alpha1.ReasonEvicted
}
