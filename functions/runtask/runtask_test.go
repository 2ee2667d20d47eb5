package main

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

func TestDecide(t *testing.T) {
	now := metav1.Now()
	handled := func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.VersionLabel: "3"} }
	terminated := func(t *v1alpha1.Task) { t.Spec.Terminated = true }
	ended := func(t *v1alpha1.Task) { Decision{Action: Fail, Reason: "InvalidTask"}.Record(t, 3, now.Time) }
	both := func(a, b func(*v1alpha1.Task)) func(*v1alpha1.Task) {
		return func(t *v1alpha1.Task) { a(t); b(t) }
	}
	for name, test := range map[string]struct {
		task    func(*v1alpha1.Task)
		app     func(*v1alpha1.App)
		noApp   bool
		action  Action
		reason  string
		message string
	}{
		"ready":             {action: Create},
		"handled before":    {task: handled, action: Nothing, reason: "HandledBefore"},
		"being deleted":     {task: func(t *v1alpha1.Task) { t.DeletionTimestamp = &now }, action: Nothing, reason: "Deleting"},
		"no App":            {noApp: true, action: Wait, reason: "AppNotFound", message: `no App "shop"`},
		"App being deleted": {app: func(a *v1alpha1.App) { a.DeletionTimestamp = &now }, action: Wait, reason: "AppNotFound"},
		"App without image": {app: func(a *v1alpha1.App) { a.Status.Image = "" },
			action: Wait, reason: "AppHasNoImage", message: "has not been built"},
		"App says why it has no image": {app: func(a *v1alpha1.App) {
			a.Status.Image = ""
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "push it"}}
		}, action: Wait, reason: "AppHasNoImage", message: "push it"},
		"can't be rendered": {task: func(t *v1alpha1.Task) { t.Spec.CPU = "x" },
			action: Fail, reason: "InvalidTask", message: "spec.cpu"},
		"terminated":               {task: terminated, action: CreateCancelled},
		"terminated, without App":  {task: terminated, noApp: true, action: CreateCancelled},
		"handled, then terminated": {task: both(handled, terminated), action: Nothing, reason: "HandledBefore"},
		// Its function died before it could label it, and the App is right by now: what has ended never runs.
		"ended":                  {task: ended, action: Finish, reason: "Ended"},
		"ended, without App":     {task: ended, noApp: true, action: Finish, reason: "Ended"},
		"ended, then terminated": {task: both(ended, terminated), action: Finish, reason: "Ended"},
		"ended, then handled":    {task: both(ended, handled), action: Nothing, reason: "HandledBefore"},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t", Namespace: "s", UID: "u"}}
		task.Spec.AppRef.Name = "shop"
		if test.task != nil {
			test.task(task)
		}
		app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "s"}}
		app.Status.Image = "i"
		if test.app != nil {
			test.app(app)
		}
		if test.noApp {
			app = nil
		}
		d := Decide(task, app, pipelinerun.Options{})
		if d.Action != test.action || test.reason != "" && d.Reason != test.reason || !strings.Contains(d.Message, test.message) {
			t.Errorf("%s: %+v, want %s %s %q", name, d, test.action, test.reason, test.message)
		}
		if (d.Run != nil) != (test.action == Create || test.action == CreateCancelled) {
			t.Errorf("%s: PipelineRun %v with action %s", name, d.Run, d.Action)
		}
		if d.Run != nil && d.Run.IsCancelled() != (test.action == CreateCancelled) {
			t.Errorf("%s: a terminated Task, and only that, is born cancelled", name)
		}
	}
}

func TestRecordNeverChangesAnEnd(t *testing.T) {
	task := &v1alpha1.Task{}
	fail := Decision{Action: Fail, Reason: "InvalidTask", Message: "m"}
	fail.Record(task, 4, time.Unix(100, 0))
	if !task.Final() || task.Status.ID != 4 || task.Status.CompletionTime == nil {
		t.Fatalf("status %+v, want an end with ID 4", task.Status)
	}
	before := task.DeepCopy()
	Decision{Action: Wait, Reason: "AppNotFound"}.Record(task, 0, time.Unix(200, 0))
	if task.Status.Conditions[0] != before.Status.Conditions[0] || !task.Final() {
		t.Error("waiting was written over an end")
	}
}

func TestWhatIsToldOfAnEnd(t *testing.T) {
	failedHere, ranElsewhere := &v1alpha1.Task{}, &v1alpha1.Task{}
	Decision{Action: Fail, Reason: "InvalidTask"}.Record(failedHere, 1, time.Unix(1, 0))
	v1alpha1.SetCondition(ranElsewhere, &ranElsewhere.Status.Conditions,
		metav1.Condition{Type: v1alpha1.ConditionPipelineRunReady, Status: metav1.ConditionTrue, Reason: "Succeeded"}, time.Unix(1, 0))
	if got := EndFact(failedHere); got != events.TaskFailed {
		t.Errorf("of a Task that failed here %s is told", got)
	}
	if got := EndFact(ranElsewhere); got != events.TaskCreated {
		t.Errorf("of a Task that ran %s is told: what became of it is status's to tell", got)
	}
}
