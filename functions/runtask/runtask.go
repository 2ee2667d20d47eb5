package main

import (
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// Action is what runtask does with a Task.
type Action string

// Actions.
const (
	// Nothing: it was done before, or the Task is going away.
	Nothing Action = "nothing"
	// Wait: the App is not there, or has no image yet. The Task says so; the resync comes back to it.
	Wait Action = "wait"
	// Create the PipelineRun.
	Create Action = "create"
	// Fail: the Task can't run as it stands, and can't be changed. It ends here.
	Fail Action = "fail"
)

// Decision is the Action, why, and with what.
type Decision struct {
	Action  Action
	Reason  string // of the condition, for Wait and Fail
	Message string // for the user: what is wrong and what to do
	Run     *tekton.PipelineRun
}

// Decide says what is to be done with a Task as it stands in the API, given its App (nil if there is none). The
// PipelineRun to create carries no ID yet: IDs cost a write, and only a Task that starts or ends gets one.
func Decide(task *v1alpha1.Task, app *v1alpha1.App, opts pipelinerun.Options) Decision {
	switch {
	case task.DeletionTimestamp != nil:
		return Decision{Action: Nothing, Reason: "deleting"}
	case task.Labels[v1alpha1.VersionLabel] != "":
		return Decision{Action: Nothing, Reason: "done before"}
	case task.Spec.Terminated:
		// Never start it: the name is taken by a PipelineRun that is born cancelled.
		return Decision{Action: Create, Run: pipelinerun.Tombstone(task)}
	case app == nil || app.DeletionTimestamp != nil:
		return Decision{Action: Wait, Reason: "AppNotFound", Message: fmt.Sprintf(
			"there is no App %q in namespace %q; the Task starts when there is", task.Spec.AppRef.Name, task.Namespace)}
	case app.Status.Image == "":
		why := "it has not been built"
		if c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Message != "" {
			why = c.Message
		}
		return Decision{Action: Wait, Reason: "AppHasNoImage", Message: fmt.Sprintf(
			"App %q has no image yet (%s); the Task starts when it has", app.Name, why)}
	}
	run, err := pipelinerun.For(app, task, 0, opts)
	if err != nil {
		return Decision{Action: Fail, Reason: "InvalidTask", Message: err.Error()}
	}
	return Decision{Action: Create, Run: run}
}

// Record writes a Wait or Fail into the Task's status. Waiting is Unknown, not False: a Task that is False never runs.
func (d Decision) Record(t *v1alpha1.Task, id int, now time.Time) {
	if t.Final() {
		return
	}
	t.Status.ObservedGeneration = t.Generation
	succeeded, appReady := metav1.ConditionUnknown, metav1.ConditionFalse
	if d.Action == Fail {
		succeeded, appReady = metav1.ConditionFalse, metav1.ConditionTrue
		end := metav1.NewTime(now)
		t.Status.CompletionTime = &end
		t.Status.ID = id
	}
	for kind, status := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionSucceeded: succeeded, v1alpha1.ConditionAppReady: appReady,
	} {
		reason, message := d.Reason, d.Message
		if status == metav1.ConditionTrue {
			reason, message = "Found", ""
		}
		meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: t.Generation,
			LastTransitionTime: metav1.NewTime(now),
		})
	}
}
