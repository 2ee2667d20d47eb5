package queue

import (
	"cmp"
	"math"
	"slices"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// State is what a queue is decided from: the Tasks of an App or a Space that have not ended.
type State struct {
	// Running are those that have a run, or were admitted and may be getting one; Waiting those that could start.
	Running, Waiting []*v1alpha1.Task
	// Apps are how many Tasks of each App may run, Space how many of all together; 0, or none, is no limit.
	Apps  map[string]int
	Space int
}

// Turn is a Task that waits for its turn.
type Turn struct {
	Task *v1alpha1.Task
	// Place is its place among those that wait, 1 for the next. It is that of its App's queue, or of the Space's if the Space has one.
	Place int
	// Of is what it waits for a place of, of which Running run and Limit may.
	Of             v1alpha1.QueueOf
	Running, Limit int
}

// Plan is what becomes of those that wait.
type Plan struct {
	Start   []*v1alpha1.Task // in this order
	Waiting []Turn           // in the order in which they would start if nothing else came
}

// Decide says whose turn it is, and what place the others have: next is the App of which the fewest run, and of its Tasks the oldest. At
// most so many are to start.
func Decide(s State, most int) Plan {
	running := map[string]int{}
	for _, t := range s.Running {
		running[t.Spec.AppRef.Name]++
	}
	all := len(s.Running)
	waiting := map[string][]*v1alpha1.Task{}
	for _, t := range s.Waiting {
		waiting[t.Spec.AppRef.Name] = append(waiting[t.Spec.AppRef.Name], t)
	}
	for _, tasks := range waiting {
		slices.SortFunc(tasks, older)
	}
	full := func(n, limit int) bool { return limit > 0 && n >= limit }
	counted := func(app string) int { return running[app] }

	var plan Plan
	for len(plan.Start) < most && !full(all, s.Space) {
		app, ok := next(waiting, counted, func(app string) bool { return !full(running[app], s.Apps[app]) })
		if !ok {
			break
		}
		plan.Start = append(plan.Start, waiting[app][0])
		waiting[app] = waiting[app][1:]
		running[app]++
		all++
	}
	// Who waits is told of the numbers as they are now, and its place as if each that starts ran on.
	ahead := map[string]int{}
	place := map[string]int{}
	for {
		app, ok := next(waiting, func(app string) int { return running[app] + ahead[app] }, func(string) bool { return true })
		if !ok {
			return plan
		}
		turn := Turn{Task: waiting[app][0], Of: v1alpha1.QueueOfSpace, Running: all, Limit: s.Space}
		if s.Space == 0 || full(running[app], s.Apps[app]) {
			turn.Of, turn.Running, turn.Limit = v1alpha1.QueueOfApp, running[app], s.Apps[app]
		}
		queue := app
		if s.Space > 0 {
			queue = "" // no App has that name: one queue for all
		}
		place[queue]++
		turn.Place = place[queue]
		plan.Waiting = append(plan.Waiting, turn)
		waiting[app] = waiting[app][1:]
		ahead[app]++
	}
}

// next is the App whose turn it is among those that have a place: of which the fewest run, and of these the one whose first Task waits
// longest.
func next(waiting map[string][]*v1alpha1.Task, running func(string) int, has func(string) bool) (app string, ok bool) {
	for a, tasks := range waiting {
		if len(tasks) == 0 || !has(a) {
			continue
		}
		if !ok || cmp.Or(cmp.Compare(running(a), running(app)), older(tasks[0], waiting[app][0])) < 0 {
			app, ok = a, true
		}
	}
	return app, ok
}

// older orders Tasks by their age. The API's times are whole seconds: within one the ID decides, which a Task gets when it is first
// looked at, so that one without is younger.
func older(a, b *v1alpha1.Task) int {
	id := func(t *v1alpha1.Task) int { return cmp.Or(t.ID(), math.MaxInt) }
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(id(a), id(b)), cmp.Compare(a.Name, b.Name))
}
