package queue

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Scope is what has a queue: an App or, where the Space has a limit, the Space, whose App is "".
type Scope struct{ Namespace, App string }

// ScopeOf is the queue that the Tasks of an App are in. They are in none where neither the App nor its Space has a limit.
func ScopeOf(app *v1alpha1.App, of *v1alpha1.Space) (s Scope, limited bool) {
	switch {
	case app == nil:
		return Scope{}, false
	case LimitOfSpace(of) > 0:
		return Scope{Namespace: app.Namespace}, true
	}
	return Scope{app.Namespace, app.Name}, LimitOf(app) > 0
}

// LimitOf is how many Tasks of an App may run, 0 for no limit.
func LimitOf(app *v1alpha1.App) int {
	if app == nil || app.Spec.MaxRunningTasks == nil {
		return 0
	}
	return max(0, int(*app.Spec.MaxRunningTasks))
}

// LimitOfSpace is how many Tasks of a Space may run, 0 for no limit.
func LimitOfSpace(of *v1alpha1.Space) int {
	if of == nil || of.Spec.Limits.MaxRunningTasks == nil {
		return 0
	}
	return max(0, int(*of.Spec.Limits.MaxRunningTasks))
}

// IsQueued says that a Task waits in a queue, and says so as it stands now.
func IsQueued(t *v1alpha1.Task) bool {
	return t.Status.Queue != nil && t.Status.ObservedGeneration == t.Generation && !t.HandledBefore() &&
		v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded) == v1alpha1.ReasonQueued
}

const (
	// startWithin is how long after its turn came a Task's run may be made, and heldFor how long its place is held for that. What lies in
	// between is for clocks that differ, and for a request that is under way though its sender has given it up.
	startWithin = 20 * time.Second
	heldFor     = 50 * time.Second
)

// Deadline is when a run must have been made for an admission.
func Deadline(a v1alpha1.Admission) time.Time { return a.At.Add(startWithin) }

// Sort tells the Tasks of a queue that have not ended apart: those that take a place, and those that wait for one, as far as they are fit
// to start. due are the admissions of those among the first that have yet to get their run, and may.
func Sort(
	tasks []*v1alpha1.Task, admitted []v1alpha1.Admission, fit func(*v1alpha1.Task) bool, now time.Time,
) (s State, due []v1alpha1.Admission) {
	for _, t := range tasks {
		at := slices.IndexFunc(admitted, func(a v1alpha1.Admission) bool { return a.UID == t.UID })
		switch {
		case t.HandledBefore():
			s.Running = append(s.Running, t)
		case at >= 0 && Held(admitted[at], now):
			s.Running = append(s.Running, t)
			if now.Before(Deadline(admitted[at])) {
				due = append(due, admitted[at])
			}
		case fit(t):
			s.Waiting = append(s.Waiting, t)
		}
	}
	return s, due
}

// Held says that an admission holds a place.
func Held(a v1alpha1.Admission, now time.Time) bool { return now.Before(a.At.Add(heldFor)) }

// Admit is what the object whose queue it is has to say of admissions, when others start: those of before that still hold a place, and
// these.
func Admit(before []v1alpha1.Admission, running, start []*v1alpha1.Task, now time.Time) (all []v1alpha1.Admission) {
	for _, a := range before {
		unmade := func(t *v1alpha1.Task) bool { return t.UID == a.UID && !t.HandledBefore() }
		if Held(a, now) && slices.ContainsFunc(running, unmade) {
			all = append(all, a)
		}
	}
	for _, t := range start {
		all = append(all, v1alpha1.Admission{Task: t.Name, UID: t.UID, At: metav1.NewTime(now)})
	}
	return all
}
