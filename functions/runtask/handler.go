package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/flowcontrol"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/coalesce"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/queue"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/space"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// atOnce is how many Tasks a resync handles side by side: as many as the API server's write path takes from one client
// without queueing.
const atOnce = 16

// A Task whose run is refused is tried again after firstTry, then after twice as long each time, to lastTry. Pings come every ten
// seconds, more or less: what is due at the next must not wait for the one after it.
const firstTry, lastTry = 9 * time.Second, 2 * time.Minute

// Handler turns Tasks into PipelineRuns.
type Handler struct {
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Options pipelinerun.Options
	Emit    func(context.Context, cloudevents.Event) error
	Now     func() time.Time
	IDs     *idAllocator
	// Around keeps for a moment what was read around Tasks; clock is the newest version that was seen.
	Around coalesce.Recent[surroundings]
	clock  *clock
	// Rules reads what a Space asks of its Pods, and whether a service account is there.
	Rules func(ctx context.Context, namespace, account string) (space.Rules, error)
	// Space finds the Space of a namespace, nil if there is no such object.
	Space func(ctx context.Context, namespace string) (*v1alpha1.Space, error)
	// Tries keeps Tasks whose run was refused from being tried at each event and resync. It is this process's own: to keep it in the
	// Task would cost the write that it is there to save, and one that starts anew may well try once.
	Tries *flowcontrol.Backoff
	// Rounds are those of the queues, Arrays of the arrays.
	Rounds *coalesce.Group[queue.Scope]
	Arrays *coalesce.Group[types.UID]

	resyncs resync.Rounds
}

// Handle handles a Task's event, or a ping to look for Tasks whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		now := look{since: coalesce.Since{Asked: time.Now(), Version: unversioned}}
		hint, unhandled, err := events.About(e, func(t *v1alpha1.Task) bool {
			now.app, now.since.Version = t.Spec.AppRef.Name, version(t)
			return t.Labels[v1alpha1.HandledLabel] == ""
		})
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !unhandled {
			return nil, nil
		}
		return nil, h.run(ctx, hint, now)
	case events.TaskSucceeded, events.TaskFailed, events.TaskTerminated:
		return nil, h.ended(ctx, e)
	case events.Ping:
		return nil, h.resyncs.Do(ctx, h.resync)
	}
	return nil, receiver.Permanent(fmt.Errorf("runtask does not handle events of type %q", e.Type()))
}

// resync finds the Tasks that have not been handled, because their event was lost or their App was not ready. A fact is told before
// the write after which no resync finds its Task.
func (h *Handler) resync(ctx context.Context) error {
	h.Tries.GC()
	queues, asked := newSeen(), time.Now()
	unhandled := client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(""), metav1.ListOptions{LabelSelector: "!" + v1alpha1.HandledLabel})
	return resync.Each(ctx, atOnce, unhandled, func(t *v1alpha1.Task) error {
		if Asleep(t, h.Now()) {
			return nil
		}
		if queue.IsQueued(t) && !t.Spec.Terminated && !t.Expired(h.Now()) {
			return queues.once(queuedIn(t), func(s queue.Scope) error { return h.queue(ctx, s) })
		}
		return h.run(ctx, events.HintAt(t), look{app: t.Spec.AppRef.Name, since: coalesce.Since{Asked: asked, Version: unversioned}})
	})
}

// look says how a Task is looked at.
type look struct {
	app   string         // that it is of, as far as is known: what is around it is then read beside it
	since coalesce.Since // how new that has to be
	turn  bool           // its turn has come in its queue
}

// afresh is a look at all as it is now.
func (l look) afresh() look {
	l.since = coalesce.Since{Asked: time.Now(), Version: unversioned}
	return l
}

// run takes one Task as far as it can go. It reads the Task, again if it was listed: one that has ended meanwhile, or has been
// deleted, must not be started. One of a queue starts if it is its turn.
//
// What is around the Task may have been read for another (coalesce.Recent). That may start a Task, and never says that it can't.
func (h *Handler) run(ctx context.Context, hint events.Hint, l look) error {
	if l.app != "" {
		go func(l look) { _, _ = h.around(ctx, hint.Namespace, l.app, l.since) }(l) // waited for below, when the Task is there
	}
	task, err := client.Find(ctx, h.Kf.Tasks(hint.Namespace), hint.Namespace, hint.Name)
	if err != nil || task == nil || !hint.Is(task) {
		return err
	}
	h.clock.Saw(task)
	l.app, l.since.Version = task.Spec.AppRef.Name, max(l.since.Version, version(task)) // the event may say less
	s, err := h.around(ctx, task.Namespace, l.app, l.since)
	if err != nil {
		return err
	}
	d := Decide(task, s.app, s.of, h.Options, h.Now())
	if remembered := s.at.Before(l.since.Asked); remembered && (d.Action == Wait || d.Action == Fail) {
		return h.run(ctx, hint, l.afresh())
	}
	logging.FromContext(ctx).Infow("decided", "task", task.Namespace+"/"+task.Name, "action", d.Action, "reason", d.Reason)
	a := attempt{Handler: h, task: task, surroundings: s, awaited: l.turn}
	switch d.Action {
	case Finish:
		return a.finish(ctx)
	case Mark:
		return a.handled(ctx, task.Status.ID, events.TaskCreated)
	case Wait:
		return a.wait(ctx, d)
	case Fail:
		return a.fail(ctx, d)
	case Expire:
		return a.expire(ctx, d)
	case Array:
		return h.array(ctx, &a)
	case Admit:
		if !l.turn {
			scope, _ := queue.ScopeOf(s.app, s.of)
			return h.queue(ctx, scope)
		}
		return a.create(ctx, d, hint, l)
	case Create:
		return a.create(ctx, d, hint, l)
	case CreateCancelled:
		return a.start(ctx, d)
	}
	return nil
}

// attempt is a Task that is taken as far as it can go.
type attempt struct {
	*Handler
	surroundings
	task    *v1alpha1.Task
	awaited bool // others wait for its end
}

// create starts the Task if the rules of its Space let it.
func (a *attempt) create(ctx context.Context, d Decision, hint events.Hint, l look) error {
	if a.Tries.IsInBackOffSinceUpdate(string(a.task.UID), a.Now()) {
		return nil
	}
	rules, err := a.rulesFor(ctx, a.Handler, a.task.Namespace, d.Run.Spec.TaskRunTemplate.ServiceAccountName)
	if err != nil {
		return err
	}
	d = Within(d, rules)
	if remembered := a.at.Before(l.since.Asked); remembered && d.Action != Create && d.Action != Admit {
		return a.run(ctx, hint, l.afresh())
	}
	switch d.Action {
	case Wait:
		return a.waitLonger(ctx, d)
	case Fail:
		return a.fail(ctx, d)
	}
	return a.start(ctx, d)
}

// start creates the PipelineRun, whose name is the lock, and then marks the Task as handled. Killed in between, the
// next delivery or the resync finds the PipelineRun there and marks the Task.
func (a *attempt) start(ctx context.Context, d Decision) error {
	id, err := a.id(ctx, d)
	if err != nil {
		return err
	}
	run := d.Run
	run.Labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	there, err := client.CreateOnce(ctx, a.Tekton.PipelineRuns(a.task.Namespace), run)
	switch {
	case there != nil && pipelinerun.Owned(there, a.task):
		if id, err = a.idOf(ctx, there, d); err != nil {
			return err
		}
	case there != nil && (there.DeletionTimestamp != nil || pipelinerun.TaskOf(there) != ""):
		// The garbage collector is about to remove that of a deleted Task, when whoever holds it by a finalizer lets it.
		left := fmt.Errorf("the PipelineRun %q of an earlier Task is still there", run.Name)
		return a.refused(ctx, Refused(d, client.MayYet, left), id)
	case there != nil:
		return a.fail(ctx, Decision{Action: Fail, Reason: v1alpha1.ReasonNameTaken, Message: fmt.Sprintf(
			"a PipelineRun %q that is not this Task's is in the way: delete it, or run the Task under another name", run.Name)})
	case err != nil:
		if refusal := client.RefusalOf(err); refusal != client.NoRefusal {
			return a.refused(ctx, Refused(d, refusal, err), id)
		}
		return fmt.Errorf("create PipelineRun %s/%s: %w", a.task.Namespace, run.Name, err)
	}
	if there == nil && len(a.task.Status.Conditions) == 0 {
		telemetry.TaskStarted(ctx, a.Now().Sub(a.task.CreationTimestamp.Time))
	}
	return a.handled(ctx, id, events.TaskCreated)
}

// refused says on the Task why it has no run, and keeps the ID that it was to have.
func (a *attempt) refused(ctx context.Context, d Decision, id int) error {
	d.ID = id // as yet nowhere but here
	if d.Action == Fail {
		return a.fail(ctx, d)
	}
	return a.waitLonger(ctx, d)
}

// waitLonger waits after a try to no avail, twice as long each time.
func (a *attempt) waitLonger(ctx context.Context, d Decision) error {
	a.Tries.Next(string(a.task.UID), a.Now())
	return a.wait(ctx, d)
}

// wait gives the Task all that people select it by, and says on it what it waits for. In this order, for the display name is a
// new generation, of which the status is to be.
func (a *attempt) wait(ctx context.Context, d Decision) error {
	id, err := a.id(ctx, d)
	if err != nil {
		return err
	}
	labelled := a.task.Labels[v1alpha1.VersionLabel] != ""
	if there, err := a.mark(ctx, id, false); err != nil || !there {
		return err
	}
	d.ID = id
	err = a.record(ctx, d)
	if err != nil || a.task.Final() || a.task.HandledBefore() || a.task.Status.ID == id || labelled {
		return client.IgnoreNotFound(err)
	}
	first := map[string]string{v1alpha1.VersionLabel: strconv.Itoa(a.task.Status.ID)} // another instance was first to give it an ID
	_, err = client.Merge(ctx, a.Kf.Tasks(a.task.Namespace), a.task, client.Change{Labels: first})
	return client.IgnoreNotFound(err)
}

// fail ends a Task that can't run.
func (a *attempt) fail(ctx context.Context, d Decision) error {
	if err := a.record(ctx, d); err != nil {
		return client.IgnoreNotFound(err)
	}
	return a.finish(ctx)
}

// expire ends a Task that has no run.
func (a *attempt) expire(ctx context.Context, d Decision) error {
	run, err := client.Find(ctx, a.Tekton.PipelineRuns(a.task.Namespace), a.task.Namespace, a.task.Name)
	if err != nil {
		return err
	}
	if run == nil || !pipelinerun.Owned(run, a.task) {
		return a.fail(ctx, d)
	}
	id, err := a.idOf(ctx, run, d)
	if err != nil {
		return err
	}
	return a.handled(ctx, id, events.TaskCreated)
}

// record writes a Wait or a Fail into the Task, with its ID unless it has one by now.
func (a *attempt) record(ctx context.Context, d Decision) error {
	id, err := a.id(ctx, d)
	if err != nil {
		return err
	}
	written, err := client.PatchStatus(ctx, a.Kf.Tasks(a.task.Namespace), a.task, func(t *v1alpha1.Task) { d.Record(t, id, a.Now()) })
	if err == nil {
		a.task = written
	}
	return err
}

// finish marks a Task that has ended.
func (a *attempt) finish(ctx context.Context) error {
	id, err := a.number(ctx, Decision{})
	if err != nil {
		return err
	}
	return a.handled(ctx, id, EndFact(a.task))
}

// idOf is the ID that a Task's run has kept, of a predecessor that was killed; or that of the Task, for one that terminate made has none.
func (a *attempt) idOf(ctx context.Context, run *tekton.PipelineRun, d Decision) (int, error) {
	if id, err := strconv.Atoi(run.Labels[v1alpha1.VersionLabel]); err == nil {
		return id, nil
	}
	return a.number(ctx, d)
}

// number writes an ID into a Task that has none, and whose run has none that status would take. It returns the one that the Task has.
func (a *attempt) number(ctx context.Context, d Decision) (int, error) {
	id, err := a.id(ctx, d)
	if err != nil || id == a.task.Status.ID {
		return id, err
	}
	numbered, err := client.PatchStatus(ctx, a.Kf.Tasks(a.task.Namespace), a.task, func(t *v1alpha1.Task) {
		t.Status.ID = cmp.Or(t.Status.ID, id)
	})
	if err != nil {
		return id, client.IgnoreNotFound(err)
	}
	a.task = numbered
	return numbered.Status.ID, nil
}

// handled tells what became of the Task and marks it as handled. The label comes last: until then the resync finds the Task again.
func (a *attempt) handled(ctx context.Context, id int, eventType string) error {
	a.task.Status.ID = id
	if err := a.Emit(ctx, *events.NewTaskFact(eventType, "runtask", a.task)); err != nil {
		return fmt.Errorf("tell %s of Task %s/%s: %w", eventType, a.task.Namespace, a.task.Name, err)
	}
	_, err := a.mark(ctx, id, true)
	return err
}

// id is the Task's ID, or the next one of the App; 0 for a Task without an App.
func (a *attempt) id(ctx context.Context, d Decision) (int, error) {
	if id := cmp.Or(a.task.Status.ID, d.ID); id != 0 || a.app == nil || a.app.DeletionTimestamp != nil {
		return id, nil
	}
	id, err := a.IDs.For(ctx, a.task.UID, a.app)
	if apierrors.IsNotFound(err) {
		return 0, nil // the App has gone meanwhile
	}
	if err != nil {
		return 0, fmt.Errorf("ID for Task %s/%s: %w", a.task.Namespace, a.task.Name, err)
	}
	return id, nil
}

// mark gives the Task the labels and the display name that Kf's webhook would have given it, as far as it lacks them, and has the
// App take it along when it goes, whoever made it. handled says that its run is there, or never will be.
func (a *attempt) mark(ctx context.Context, id int, handled bool) (there bool, err error) {
	for {
		change, needed := Marked(a.task, a.app, id, marks{handled: handled, awaited: a.awaited, archived: archived(a.task, a.of)})
		if !needed {
			return true, nil
		}
		marked, err := client.Merge(ctx, a.Kf.Tasks(a.task.Namespace), a.task, change)
		if err == nil {
			a.clock.Saw(marked)
			a.task = marked
			return true, nil
		}
		if !apierrors.IsConflict(err) {
			return false, client.IgnoreNotFound(err)
		}
		now, err := client.FindAgain(ctx, a.Kf.Tasks(a.task.Namespace), a.task)
		if err != nil || now == nil {
			return false, err
		}
		a.task = now
	}
}
