package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/queue"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// unendedTasks selects the Tasks that have not ended, by a selectable field of the CRD.
const unendedTasks = "status.completionTime="

const (
	// roundEvery is the least time between two looks at one queue, each of which lists its Tasks; leadFor is how long one request looks
	// for all that ask.
	roundEvery, leadFor = 200 * time.Millisecond, 20 * time.Second
	// startMost is how many Tasks one look starts: as many as are made well before their admissions are over. tellMost is how many it
	// tells of their place, before it looks again whether another may start.
	startMost, tellMost = 32, 64
)

// ended looks at the queue that a Task has left by its end, and at the array that it is of. Its facts come here if somebody may wait for
// that.
func (h *Handler) ended(ctx context.Context, e cloudevents.Event) error {
	name, err := events.AppOf(e)
	if err != nil {
		return receiver.Permanent(err)
	}
	if array, _ := e.Extensions()["kfarray"].(string); array != "" {
		if err := h.run(ctx, events.Hint{Namespace: name.Namespace, Name: array}, look{app: name.Name}.afresh()); err != nil {
			return err
		}
	}
	app, err := client.Find(ctx, h.Kf.Apps(name.Namespace), name.Namespace, name.Name)
	if err != nil {
		return err
	}
	of, err := h.Space(ctx, name.Namespace)
	if err != nil {
		return err
	}
	if scope, limited := queue.ScopeOf(app, of); limited {
		return h.queue(ctx, scope)
	}
	return nil
}

// queuedIn is the queue that a Task says it is in.
func queuedIn(t *v1alpha1.Task) queue.Scope {
	if t.Status.Queue.Of == v1alpha1.QueueOfSpace {
		return queue.Scope{Namespace: t.Namespace}
	}
	return queue.Scope{Namespace: t.Namespace, App: t.Spec.AppRef.Name}
}

// seen are the queues that a resync has looked at.
type seen struct {
	mu  sync.Mutex
	all map[queue.Scope]bool
}

func newSeen() *seen { return &seen{all: map[queue.Scope]bool{}} }

func (s *seen) once(scope queue.Scope, look func(queue.Scope) error) error {
	s.mu.Lock()
	before := s.all[scope]
	s.all[scope] = true
	s.mu.Unlock()
	if before {
		return nil
	}
	return look(scope)
}

// queue looks at a queue, once for all who ask at about the same time: starts those whose turn it is, and tells the others their place.
func (h *Handler) queue(ctx context.Context, scope queue.Scope) error {
	return h.Rounds.Do(ctx, scope, func(ctx context.Context) error {
		for again := true; again; {
			r, err := h.gather(ctx, scope)
			if err != nil || r == nil {
				return err
			}
			if again, err = r.carryOut(ctx); err != nil {
				return fmt.Errorf("queue of %s/%s: %w", scope.Namespace, scope.App, err)
			}
		}
		return nil
	})
}

// round is one look at a queue.
type round struct {
	*Handler
	scope queue.Scope
	space *v1alpha1.Space
	apps  map[string]*v1alpha1.App // nil for one that is gone
	now   time.Time

	admitted []v1alpha1.Admission
	state    queue.State
	due      []v1alpha1.Admission // of an earlier look, and yet to start
	left     []*v1alpha1.Task     // say that they are queued, and wait for something else by now
}

// gather reads a queue: first the object whose it is, which nobody may have written when it takes the admissions, and then the Tasks
// (shared/queue says why). It is nil if that is no queue any more.
func (h *Handler) gather(ctx context.Context, scope queue.Scope) (*round, error) {
	r := &round{Handler: h, scope: scope, apps: map[string]*v1alpha1.App{}, now: h.Now()}
	var err error
	if r.space, err = client.Find(ctx, h.Kf.Spaces(), "", scope.Namespace); err != nil {
		return nil, err
	}
	which := metav1.ListOptions{FieldSelector: unendedTasks}
	if scope.App != "" {
		if r.apps[scope.App], err = client.Find(ctx, h.Kf.Apps(scope.Namespace), scope.Namespace, scope.App); err != nil {
			return nil, err
		}
		which.FieldSelector += "," + client.OfApp(scope.App).FieldSelector
	}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(scope.Namespace), which))
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		app := t.Spec.AppRef.Name
		if _, known := r.apps[app]; known || t.HandledBefore() {
			continue
		}
		if r.apps[app], err = client.Find(ctx, h.Kf.Apps(t.Namespace), t.Namespace, app); err != nil {
			return nil, err
		}
	}
	if limited := queue.LimitOfSpace(r.space) > 0; limited != (scope.App == "") {
		return nil, r.moved(ctx)
	}
	if r.admitted, err = r.admissions(ctx, tasks); err != nil {
		return nil, err
	}
	r.state, r.due = queue.Sort(tasks, r.admitted, r.fit, r.now)
	r.state.Apps, r.state.Space = map[string]int{}, queue.LimitOfSpace(r.space)
	for name, app := range r.apps {
		r.state.Apps[name] = queue.LimitOf(app)
	}
	return r, nil
}

// moved looks at the queues that the Tasks are in by now: the Space has got a limit, or has none any more.
func (r *round) moved(ctx context.Context) (err error) {
	if r.scope.App != "" {
		return r.queue(ctx, queue.Scope{Namespace: r.scope.Namespace})
	}
	for app := range r.apps {
		err = errors.Join(err, r.queue(ctx, queue.Scope{Namespace: r.scope.Namespace, App: app}))
	}
	return err
}

// admissions are what the object whose queue it is says of them. One that is over, and whose Task has a run after all, begins anew: who has
// made that died before it could say so.
func (r *round) admissions(ctx context.Context, tasks []*v1alpha1.Task) ([]v1alpha1.Admission, error) {
	var all []v1alpha1.Admission
	switch app := r.apps[r.scope.App]; {
	case r.scope.App == "":
		all = slices.Clone(r.space.Status.Admitted)
	case app != nil:
		all = slices.Clone(app.Status.Admitted)
	}
	for i, a := range all {
		at := slices.IndexFunc(tasks, func(t *v1alpha1.Task) bool { return t.UID == a.UID && !t.HandledBefore() })
		if at < 0 || queue.Held(a, r.now) {
			continue
		}
		run, err := client.Find(ctx, r.Tekton.PipelineRuns(r.scope.Namespace), r.scope.Namespace, a.Task)
		if err != nil {
			return nil, err
		}
		if run != nil && pipelinerun.Owned(run, tasks[at]) {
			all[i].At = metav1.NewTime(r.now)
		}
	}
	return all, nil
}

// admit writes the admissions, if nobody has written the object since it was read.
func (r *round) admit(ctx context.Context, all []v1alpha1.Admission) (err error) {
	if r.scope.App == "" {
		_, err = client.PatchStatusOnce(ctx, r.Kf.Spaces(), r.space, func(s *v1alpha1.Space) { s.Status.Admitted = all })
		return err
	}
	apps, app := r.Kf.Apps(r.scope.Namespace), r.apps[r.scope.App]
	_, err = client.PatchStatusOnce(ctx, apps, app, func(a *v1alpha1.App) { a.Status.Admitted = all })
	return err
}

// fit says that a Task could start if it were its turn. One that says that it is queued could when it came to wait: it is looked at again
// when its turn comes, for to render all that wait at each look would be dear.
func (r *round) fit(t *v1alpha1.Task) bool {
	switch {
	case r.Tries.IsInBackOffSinceUpdate(string(t.UID), r.now):
		return false
	case queue.IsQueued(t):
		return !t.Spec.Terminated && !t.Expired(r.now)
	}
	return r.runnable(t)
}

func (r *round) runnable(t *v1alpha1.Task) bool {
	d := Decide(t, r.apps[t.Spec.AppRef.Name], r.space, r.Options, r.now)
	return d.Action == Admit || d.Action == Create
}

// plan is what becomes of those that wait. Those whose turn it is, and that wait for something else by now, leave the queue.
func (r *round) plan() queue.Plan {
	for {
		plan := queue.Decide(r.state, startMost)
		unfit := slices.DeleteFunc(slices.Clone(plan.Start), r.runnable)
		if len(unfit) == 0 {
			return plan
		}
		r.left = append(r.left, unfit...)
		r.state.Waiting = slices.DeleteFunc(r.state.Waiting, func(t *v1alpha1.Task) bool { return slices.Contains(unfit, t) })
	}
}

// carryOut starts those whose turn it is, and then tells the others what they wait for. It says whether to look again.
func (r *round) carryOut(ctx context.Context) (again bool, err error) {
	plan := r.plan()

	start := r.due
	if len(plan.Start) > 0 {
		all := queue.Admit(r.admitted, r.state.Running, plan.Start, r.now)
		if err := r.admit(ctx, all); err != nil {
			return apierrors.IsConflict(err), client.IgnoreNotFound(ignoreConflict(err))
		}
		start = append(start, all[len(all)-len(plan.Start):]...)
		logging.FromContext(ctx).Infow("admitted", "space", r.scope.Namespace, "app", r.scope.App, "tasks", len(plan.Start),
			"running", len(r.state.Running), "waiting", len(plan.Waiting))
	}
	since := look{}.afresh().since // one read for all of an App
	err = each(len(start), func(i int) error {
		limited, cancel := context.WithDeadline(ctx, queue.Deadline(start[i]))
		defer cancel()
		hint := events.Hint{Namespace: r.scope.Namespace, Name: start[i].Task, UID: start[i].UID}
		return r.run(limited, hint, look{app: r.scope.App, since: since, turn: true})
	})
	if len(plan.Start) == startMost {
		return err == nil, err
	}
	again, untold := r.tell(ctx, plan.Waiting)
	return again && err == nil, errors.Join(err, untold)
}

// tell tells Tasks what they wait for, as far as they do not say it. What other instances do at the same time is done in another order.
func (r *round) tell(ctx context.Context, waiting []queue.Turn) (more bool, err error) {
	waiting = slices.DeleteFunc(waiting, queue.Turn.Said)
	rand.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	now := waiting[:min(len(waiting), tellMost)]
	err = each(len(now), func(i int) error {
		turn := now[i]
		a := attempt{Handler: r.Handler, task: turn.Task, surroundings: surroundings{app: r.apps[turn.Task.Spec.AppRef.Name]}}
		return a.wait(ctx, Decision{Action: Wait, Reason: v1alpha1.ReasonQueued, Message: turn.Message(), Turn: &turn})
	})
	err = errors.Join(err, each(len(r.left), func(i int) error {
		return r.run(ctx, events.HintAt(r.left[i]), look{}.afresh())
	}))
	return len(now) < len(waiting), err
}

// each does so many steps side by side, and returns the first error.
func each(n int, step func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range n {
		group.Go(func() error { return step(i) })
	}
	return group.Wait()
}

// ignoreConflict is for who reads all again.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
