package main

import (
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// Action is what runtask does with a Task.
type Action string

// Actions.
const (
	// Nothing: it was done before, or the Task is going away.
	Nothing Action = "nothing"
	// Finish: the Task has ended, and is only to be labelled as handled.
	Finish Action = "finish"
	// CreateCancelled creates a PipelineRun that never starts: it takes the name.
	CreateCancelled Action = "create cancelled"
	// Wait: the Task says what for; the resync comes back to it.
	Wait Action = "wait"
	// Fail: the Task can't run as it stands, and can't be changed. It ends here.
	Fail Action = "fail"
	// Create the PipelineRun.
	Create Action = "create"
)

// Decision is the Action, why, and with what.
type Decision struct {
	Action  Action
	Reason  string // of the condition, for Wait and Fail
	Message string // for the user: what is wrong and what to do
	Run     *tekton.PipelineRun
}

// rules say what becomes of a Task. The first that applies does; docs/tasks.md tells the user what to do.
var rules = []struct {
	action Action
	reason string
	rule   func(situation) (message string, applies bool)
}{
	{Nothing, "Deleting", deleting},
	{Nothing, "HandledBefore", handledBefore},
	{Finish, "Ended", ended},
	{CreateCancelled, "Terminated", terminated},
	{Fail, v1alpha1.ReasonInvalidTask, taskUnreadable},
	{Wait, v1alpha1.ReasonAppNotFound, appNotFound},
	{Wait, v1alpha1.ReasonInvalidApp, appUnreadable},
	{Wait, v1alpha1.ReasonAppHasNoImage, appHasNoImage},
	{Fail, v1alpha1.ReasonInvalidTask, invalidTask},
	{Create, "Runnable", always},
}

// situation is all that the rules look at.
type situation struct {
	task    *v1alpha1.Task
	app     *v1alpha1.App       // nil if there is none
	run     *tekton.PipelineRun // what App and Task make
	invalid error               // why they make none
}

// Decide says what is to be done with a Task as it stands in the API, given its App (nil if there is none). The
// PipelineRun to create carries no ID yet: IDs cost a write, and only a Task that starts or ends gets one.
func Decide(task *v1alpha1.Task, app *v1alpha1.App, opts pipelinerun.Options) Decision {
	s := situation{task: task, app: app}
	if app != nil {
		s.run, s.invalid = pipelinerun.For(app, task, 0, opts)
	}
	d := Decision{}
	for _, r := range rules {
		if message, applies := r.rule(s); applies {
			d = Decision{Action: r.action, Reason: r.reason, Message: message}
			break
		}
	}
	switch d.Action {
	case Create:
		d.Run = s.run
	case CreateCancelled:
		d.Run = pipelinerun.Tombstone(task)
	}
	return d
}

func deleting(s situation) (string, bool) { return "", s.task.DeletionTimestamp != nil }

func handledBefore(s situation) (string, bool) { return "", s.task.Labels[v1alpha1.VersionLabel] != "" }

// ended: a predecessor died between ending the Task and labelling it. Its App may be right by now, but what has ended
// never runs.
func ended(s situation) (string, bool) { return "", s.task.Final() }

func terminated(s situation) (string, bool) { return "", s.task.Spec.Terminated }

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

func appNotFound(s situation) (string, bool) {
	return fmt.Sprintf("there is no App %q in namespace %q; the Task starts when there is", s.task.Spec.AppRef.Name, s.task.Namespace),
		s.app == nil || s.app.DeletionTimestamp != nil
}

func appHasNoImage(s situation) (string, bool) {
	why := "it has not been built"
	if c := meta.FindStatusCondition(s.app.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Message != "" {
		why = c.Message
	}
	return fmt.Sprintf("App %q has no image yet (%s); the Task starts when it has", s.app.Name, why), s.app.Status.Image == ""
}

func invalidTask(s situation) (string, bool) { return fmt.Sprint(s.invalid), s.invalid != nil }

func always(situation) (string, bool) { return "", true }

// Record writes a Wait or Fail into the Task's status. Waiting is Unknown, not False: a Task that is False never runs.
func (d Decision) Record(t *v1alpha1.Task, id int, now time.Time) {
	if t.Final() {
		return
	}
	succeeded := metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown, Reason: d.Reason, Message: d.Message}
	appReady := metav1.Condition{Type: v1alpha1.ConditionAppReady, Status: metav1.ConditionFalse, Reason: d.Reason, Message: d.Message}
	if d.Action == Fail {
		end := metav1.NewTime(now)
		t.Status.CompletionTime, t.Status.ID = &end, id
		succeeded.Status = metav1.ConditionFalse
		appReady.Status, appReady.Reason, appReady.Message = metav1.ConditionTrue, v1alpha1.ReasonFound, ""
	}
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
	return events.TaskFailed
}
