package main

import (
	"errors"
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/queue"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

// Action is what runtask does with a Task.
type Action string

// Actions.
const (
	// Nothing: it was done before, or the Task is going away.
	Nothing Action = "nothing"
	// Finish: the Task has ended, and is only to be labelled as handled.
	Finish Action = "finish"
	// Mark: the Task was handled, and has no label that says so: a predecessor died, or somebody took it off.
	Mark Action = "mark"
	// CreateCancelled creates a PipelineRun that never starts: it takes the name.
	CreateCancelled Action = "create cancelled"
	// Wait: the Task says what for; the resync comes back to it.
	Wait Action = "wait"
	// Fail: the Task can't run as it stands, and can't be changed. It ends here.
	Fail Action = "fail"
	// Expire ends the Task as Fail does, unless a predecessor has made its run and died: then what becomes of that is for start.
	Expire Action = "expire"
	// Array: the Task is one of many, which are made of it (shared/array).
	Array Action = "array"
	// Admit: the Task may start when its turn comes (shared/queue).
	Admit Action = "admit"
	// Create the PipelineRun.
	Create Action = "create"
)

// Decision is the Action, why, and with what.
type Decision struct {
	Action  Action
	Reason  string // of the condition, for Wait and Fail
	Message string // for the user: what is wrong and what to do
	Run     *tekton.PipelineRun
	ID      int         // that the Task is to have, if one was taken for it already
	Turn    *queue.Turn // of a Task that is queued
}

// spaceTerminating: a namespace that is being deleted never stops being so.
var spaceTerminating = Decision{Action: Fail, Reason: v1alpha1.ReasonSpaceTerminating,
	Message: "the namespace is being deleted, and nothing starts in it any more"}

// rules say what becomes of a Task. The first that applies does; docs/tasks.md tells the user what to do.
var rules = []struct {
	action Action
	reason string
	rule   func(situation) (message string, applies bool)
}{
	{Nothing, "Deleting", deleting},
	{Nothing, "HandledBefore", handledBefore},
	{Nothing, v1alpha1.ReasonRestored, restored}, // status says so on the Task
	{Finish, "Ended", ended},
	{Mark, "LabelTakenOff", labelTakenOff},
	{Fail, v1alpha1.ReasonRestored, arrayCopied},
	{Array, "ArrayUnderWay", arrayBegun},
	{Fail, v1alpha1.ReasonCancelled, arrayTerminated},
	{CreateCancelled, "Terminated", terminated},
	{Expire, v1alpha1.ReasonExpired, expired},
	{Fail, v1alpha1.ReasonInvalidTask, taskUnreadable},
	{Wait, v1alpha1.ReasonNotDue, notDue},
	{Wait, v1alpha1.ReasonAppNotFound, appNotFound},
	{Wait, v1alpha1.ReasonInvalidApp, appUnreadable},
	{Wait, v1alpha1.ReasonInvalidApp, appUnfit},
	{Wait, v1alpha1.ReasonAppHasNoImage, appHasNoImage},
	{Wait, v1alpha1.ReasonAppNotSettled, appNotSettled},
	{Wait, v1alpha1.ReasonImageNotAllowed, imageNotAllowed},
	{Fail, v1alpha1.ReasonInvalidTask, invalidTask},
	{Array, "ArrayRunnable", isArray},
	{Admit, v1alpha1.ReasonQueued, limited},
	{Create, "Runnable", always},
}

// situation is all that the rules look at.
type situation struct {
	task    *v1alpha1.Task
	app     *v1alpha1.App       // nil if there is none
	space   *v1alpha1.Space     // the same
	run     *tekton.PipelineRun // what App and Task make
	invalid error               // why they make none
	now     time.Time
}

// Decide says what is to be done with a Task as it stands in the API, given its App and Space (each nil if there is none). The
// PipelineRun to create carries no ID yet: IDs cost a write, which what is done before need not wait for.
func Decide(task *v1alpha1.Task, app *v1alpha1.App, of *v1alpha1.Space, opts pipelinerun.Options, now time.Time) Decision {
	s := situation{task: task, app: app, space: of, now: now}
	if app != nil {
		opts.DefaultTimeout = space.TaskTimeout(of, opts.DefaultTimeout)
		s.run, s.invalid = pipelinerun.For(space.Inherit(app, of), task, 0, opts)
	}
	d := Decision{}
	for _, r := range rules {
		if message, applies := r.rule(s); applies {
			d = Decision{Action: r.action, Reason: r.reason, Message: message}
			break
		}
	}
	switch d.Action {
	case Create, Admit:
		d.Run = s.run
	case CreateCancelled:
		d.Run = pipelinerun.Tombstone(task)
	}
	return d
}

// Refused says what becomes of a Task whose run the API server refused. One that was terminated ends in any case: its end keeps
// it from running, as the name that it could not take would have.
func Refused(d Decision, refusal client.Refusal, err error) Decision {
	switch {
	case d.Action == CreateCancelled:
		return Decision{Action: Fail, Reason: v1alpha1.ReasonCancelled, Message: "the Task was terminated before it had started"}
	case refusal == client.Terminating:
		return spaceTerminating
	case refusal == client.Never:
		return Decision{Action: Fail, Reason: v1alpha1.ReasonPipelineRunRefused, Message: err.Error()}
	}
	return Decision{Action: Wait, Reason: v1alpha1.ReasonPipelineRunNotCreated,
		Message: err.Error() + "; the Task starts when that has changed"}
}

// Within holds a Task that could be created to the rules of its Space: its run is made to fit, or the Task waits, or ends.
func Within(d Decision, rules space.Rules) Decision {
	account := d.Run.Spec.TaskRunTemplate.ServiceAccountName
	switch {
	case rules.Terminating():
		return spaceTerminating
	case !rules.Account: // that of a new namespace takes a moment
		return Decision{Action: Wait, Reason: v1alpha1.ReasonServiceAccountMissing, Message: fmt.Sprintf(
			"there is no service account %q in the namespace; the Task starts when there is", account)}
	}
	rules.Fit(&d.Run.Spec)
	return d
}

func deleting(s situation) (string, bool) { return "", s.task.DeletionTimestamp != nil }

func handledBefore(s situation) (string, bool) {
	return "", s.task.Labels[v1alpha1.HandledLabel] == string(s.task.UID)
}

func restored(s situation) (string, bool) { return "", s.task.Restored() }

func labelTakenOff(s situation) (string, bool) { return "", s.task.HandledBefore() }

// ended: a predecessor died between ending the Task and labelling it. Its App may be right by now, but what has ended
// never runs.
func ended(s situation) (string, bool) { return "", s.task.Final() }

// arrayCopied: some of its Tasks may have run elsewhere, or before.
func arrayCopied(s situation) (string, bool) {
	of := s.task.Labels[v1alpha1.ArrayLabel]
	return "this is a copy of an array, from a backup or of its YAML: what became of that is not known here, and it is not run again. " +
		"To run it again, run a new Task", s.task.Spec.Count > 0 && of != "" && of != string(s.task.UID)
}

func arrayBegun(s situation) (string, bool) { return "", s.task.Status.Array != nil }

// arrayTerminated: a PipelineRun that takes the name would be looked for by nobody.
func arrayTerminated(s situation) (string, bool) {
	return "the Task was terminated before it had started", s.task.Spec.Count > 0 && s.task.Spec.Terminated
}

func isArray(s situation) (string, bool) { return "", s.task.Spec.Count > 0 }

func terminated(s situation) (string, bool) { return "", s.task.Spec.Terminated }

func expired(s situation) (string, bool) {
	return "the Task had not started when it expired (spec.expires), and will not", s.task.Expired(s.now)
}

// notDue: it is looked at again by each resync.
func notDue(s situation) (string, bool) {
	if !s.task.NotYet(s.now) {
		return "", false
	}
	at := s.task.Spec.NotBefore.UTC().Format(time.RFC3339)
	return "the Task starts at " + at + " (spec.notBefore), or within seconds after that", true
}

// Asleep says that a Task waits for its time and says so: to look at it again before that is of no use.
func Asleep(t *v1alpha1.Task, now time.Time) bool {
	says := v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded)
	return t.NotYet(now) && !t.Spec.Terminated && !t.Expired(now) &&
		says == v1alpha1.ReasonNotDue && t.Status.ObservedGeneration == t.Generation
}

// taskUnreadable: the Task is older than its schema, which takes no such Task any more.
func taskUnreadable(s situation) (string, bool) {
	if name := s.task.Spec.AppRef.Name; s.task.Unreadable == "" && !client.ValidName(name) {
		return fmt.Sprintf("spec.appRef.name: %.80q can't be the name of an App: run a new Task", name), true
	}
	return s.task.Unreadable + ": run a new Task", s.task.Unreadable != ""
}

func appUnreadable(s situation) (string, bool) {
	return fmt.Sprintf("App %q can't be used (%s); the Task starts when that is mended", s.app.Name, s.app.Unreadable),
		s.app.Unreadable != ""
}

// appUnfit: its Tasks can't have what it asks for.
func appUnfit(s situation) (string, bool) {
	var unfit *pipelinerun.UnfitApp
	return fmt.Sprintf("App %q can't be used (%v); the Task starts when that is mended", s.app.Name, s.invalid),
		errors.As(s.invalid, &unfit)
}

func appNotFound(s situation) (string, bool) {
	return fmt.Sprintf("there is no App %q in namespace %q; the Task starts when there is", s.task.Spec.AppRef.Name, s.task.Namespace),
		s.app == nil || s.app.DeletionTimestamp != nil
}

// appNotSettled: somebody has pushed it since build looked, and means the Task to run what was pushed. As the next two rules, it is
// about the App's image, which a Task that sends a request does not run.
func appNotSettled(s situation) (string, bool) {
	settled := s.app.Status.ObservedGeneration
	return fmt.Sprintf("App %q was changed, and its image is still looked into; the Task starts after that", s.app.Name),
		settled != 0 && settled < s.app.Generation && s.task.Spec.Call == nil
}

func appHasNoImage(s situation) (string, bool) {
	why := "it has not been built"
	if c := meta.FindStatusCondition(s.app.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Message != "" {
		why = c.Message
	}
	return fmt.Sprintf("App %q has no image yet (%s); the Task starts when it has", s.app.Name, why),
		s.app.Status.Image == "" && s.task.Spec.Call == nil
}

// imageNotAllowed: the Space may come to allow it, or the App to have another.
func imageNotAllowed(s situation) (string, bool) {
	why := space.NotAllowed(s.app, s.space)
	return why + ": push the App with another image, and the Task starts", why != "" && s.task.Spec.Call == nil
}

func invalidTask(s situation) (string, bool) { return fmt.Sprint(s.invalid), s.invalid != nil }

// limited: the App or its Space lets so many run at a time.
func limited(s situation) (string, bool) {
	_, limited := queue.ScopeOf(s.app, s.space)
	return "", limited
}

func always(situation) (string, bool) { return "", true }

// Record writes a Wait or Fail into the Task's status. Waiting is Unknown, not False: a Task that is False never runs.
func (d Decision) Record(t *v1alpha1.Task, id int, now time.Time) {
	if t.Final() || d.Action == Wait && t.HandledBefore() {
		return // it has its run after all, whose status is written by status
	}
	succeeded := metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: d.Reason, Message: d.Message}
	appReady := metav1.Condition{Type: v1alpha1.ConditionAppReady, Status: metav1.ConditionFalse, Reason: d.Reason, Message: d.Message}
	if d.Action == Fail || d.Action == Expire {
		end := metav1.NewTime(now)
		t.Status.CompletionTime = &end
		succeeded.Status = metav1.ConditionFalse
	}
	if d.Action != Wait || d.Turn != nil {
		appReady.Status, appReady.Reason, appReady.Message = metav1.ConditionTrue, v1alpha1.ReasonFound, ""
	}
	if t.Status.ID == 0 {
		t.Status.ID = id
	}
	d.Turn.Record(t, now)
	t.Status.ObservedGeneration = t.Generation
	v1alpha1.SetCondition(t, &t.Status.Conditions, succeeded, now)
	v1alpha1.SetCondition(t, &t.Status.Conditions, appReady, now)
}

// EndFact is what runtask has to tell of a Task that has ended: if it had a run, that it was created, and status tells the
// rest; else that it failed.
func EndFact(t *v1alpha1.Task) string {
	if meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionPipelineRunReady) != nil {
		return events.TaskCreated
	}
	switch t.Outcome() {
	case v1alpha1.TaskTerminated:
		return events.TaskTerminated
	case v1alpha1.TaskSucceeded: // an array
		return events.TaskSucceeded
	}
	return events.TaskFailed
}
