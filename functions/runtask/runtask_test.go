package main

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/space"
)

func TestDecide(t *testing.T) {
	now := metav1.Now()
	handled := func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.HandledLabel: string(t.UID)} }
	copied := func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.HandledLabel: "another's"} }
	begun := func(t *v1alpha1.Task) { t.Status.Starts = []v1alpha1.TaskStart{{PodUID: "p"}} }
	labelled := func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.VersionLabel: "1.16.0"} }
	terminated := func(t *v1alpha1.Task) { t.Spec.Terminated = true }
	ended := func(t *v1alpha1.Task) { Decision{Action: Fail, Reason: "InvalidTask"}.Record(t, 3, now.Time) }
	tomorrow := metav1.NewTime(now.Add(24 * time.Hour))
	array := func(t *v1alpha1.Task) { t.Spec.Count = 3 }
	underWay := func(t *v1alpha1.Task) { t.Status.Array = &v1alpha1.TaskArray{} }
	limited := func(a *v1alpha1.App) { one := int32(1); a.Spec.MaxRunningTasks = &one }
	later := func(t *v1alpha1.Task) { t.Spec.NotBefore = &tomorrow }
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
		"ready":                              {action: Create},
		"waited before":                      {task: func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.VersionLabel: "3"} }, action: Create},
		"handled before":                     {task: handled, action: Nothing, reason: "HandledBefore"},
		"of a backup, or a copy of its YAML": {task: copied, action: Nothing, reason: "Restored"},
		"stripped of its labels":             {task: begun, action: Mark, reason: "LabelTakenOff"},
		"with another's label of a version":  {task: labelled, action: Create},
		"being deleted":                      {task: func(t *v1alpha1.Task) { t.DeletionTimestamp = &now }, action: Nothing, reason: "Deleting"},
		"no App":                             {noApp: true, action: Wait, reason: "AppNotFound", message: `no App "shop"`},
		"App pushed again": {app: func(a *v1alpha1.App) { a.Generation, a.Status.ObservedGeneration = 3, 2 },
			action: Wait, reason: "AppNotSettled", message: "after that"},
		"App that is settled": {app: func(a *v1alpha1.App) { a.Generation, a.Status.ObservedGeneration = 3, 3 }, action: Create},
		"App being deleted":   {app: func(a *v1alpha1.App) { a.DeletionTimestamp = &now }, action: Wait, reason: "AppNotFound"},
		"App without image": {app: func(a *v1alpha1.App) { a.Status.Image = "" },
			action: Wait, reason: "AppHasNoImage", message: "has not been built"},
		"App says why it has no image": {app: func(a *v1alpha1.App) {
			a.Status.Image = ""
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Message: "push it"}}
		}, action: Wait, reason: "AppHasNoImage", message: "push it"},
		"can't be rendered": {task: func(t *v1alpha1.Task) { t.Spec.CPU = "x" },
			action: Fail, reason: "InvalidTask", message: "spec.cpu"},
		"its time is to come":              {task: later, noApp: true, action: Wait, reason: "NotDue", message: "starts at "},
		"its time has come":                {task: func(t *v1alpha1.Task) { t.Spec.NotBefore = &now }, action: Create},
		"expires later":                    {task: func(t *v1alpha1.Task) { t.Spec.Expires = &tomorrow }, action: Create},
		"expired":                          {task: func(t *v1alpha1.Task) { t.Spec.Expires = &now }, noApp: true, action: Expire, reason: "Expired"},
		"its time is to come, terminated":  {task: both(later, terminated), action: CreateCancelled},
		"its time is to come, and expired": {task: both(later, func(t *v1alpha1.Task) { t.Spec.Expires = &now }), action: Expire},
		"terminated":                       {task: terminated, action: CreateCancelled},
		"terminated, without App":          {task: terminated, noApp: true, action: CreateCancelled},
		"handled, then terminated":         {task: both(handled, terminated), action: Nothing, reason: "HandledBefore"},
		// Its function died before it could label it, and the App is right by now: what has ended never runs.
		"of a queue": {app: limited, action: Admit, reason: "Queued"},
		// What waits for something else is in no queue.
		"of a queue, and not due":         {app: limited, task: later, action: Wait, reason: "NotDue"},
		"of a queue, and terminated":      {app: limited, task: terminated, action: CreateCancelled},
		"an array":                        {task: array, action: Array},
		"an array, which takes no place":  {task: array, app: limited, action: Array},
		"an array, without App":           {task: array, noApp: true, action: Wait, reason: "AppNotFound"},
		"an array under way, without App": {task: both(array, underWay), noApp: true, action: Array},
		"an array under way, terminated":  {task: both(array, both(underWay, terminated)), action: Array},
		"an array, terminated":            {task: both(array, terminated), action: Fail, reason: "TaskRunCancelled"},
		"a copy of an array": {task: both(array, func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.ArrayLabel: "another's"} }),
			action: Fail, reason: "Restored"},
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
		d := Decide(task, app, nil, pipelinerun.Options{}, now.Time)
		if d.Action != test.action || test.reason != "" && d.Reason != test.reason || !strings.Contains(d.Message, test.message) {
			t.Errorf("%s: %+v, want %s %s %q", name, d, test.action, test.reason, test.message)
		}
		if (d.Run != nil) != (test.action == Create || test.action == Admit || test.action == CreateCancelled) {
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

// TestARefusalMeansWaitOrEnd: what may change is waited for, what is wrong with the run itself is its end.
func TestARefusalMeansWaitOrEnd(t *testing.T) {
	terminated := Decision{Action: CreateCancelled}
	for refusal, want := range map[client.Refusal]Decision{
		client.MayYet:      {Action: Wait, Reason: v1alpha1.ReasonPipelineRunNotCreated},
		client.Never:       {Action: Fail, Reason: v1alpha1.ReasonPipelineRunRefused},
		client.Terminating: {Action: Fail, Reason: v1alpha1.ReasonSpaceTerminating},
	} {
		if d := Refused(Decision{Action: Create}, refusal, errors.New("why")); d.Action != want.Action || d.Reason != want.Reason || d.Message == "" {
			t.Errorf("%s: %+v, want %+v", refusal, d, want)
		}
		if d := Refused(terminated, refusal, errors.New("why")); d.Action != Fail || d.Reason != v1alpha1.ReasonCancelled {
			t.Errorf("%s, of a Task that was terminated: %+v", refusal, d)
		}
	}
}

func TestWithinTheRulesOfASpace(t *testing.T) {
	app, task := &v1alpha1.App{}, &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
	task.Spec.AppRef.Name, task.Spec.Command = "shop", "true"
	app.Status.Image = "i"
	made := func() Decision { return Decide(task, app, nil, pipelinerun.Options{}, time.Now()) }
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
	if d := Within(made(), space.Rules{Namespace: namespace, Account: true}); d.Action != Create ||
		d.Run.Spec.PipelineSpec.Tasks[0].TaskSpec.Steps[0].SecurityContext == nil {
		t.Errorf("%+v", d)
	}
	if d := Within(made(), space.Rules{Namespace: namespace}); d.Action != Wait || !strings.Contains(d.Message, `"default"`) {
		t.Errorf("without its account: %+v", d)
	}
	if d := Within(made(), space.Rules{Account: true}); d.Action != Fail || d.Reason != v1alpha1.ReasonSpaceTerminating {
		t.Errorf("in a namespace that is gone: %+v", d)
	}
}

// TestLabelsOfOthersStayTheirs: Helm, Kustomize and Argo CD would write them again.
func TestLabelsOfOthersStayTheirs(t *testing.T) {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t", UID: "u", Labels: map[string]string{
		v1alpha1.VersionLabel: "1.16.0", v1alpha1.ManagedByLabel: "Helm",
	}}}
	task.Spec.AppRef.Name = "shop"
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "a"}}
	got, _ := Marked(task, app, 7, marks{handled: true})
	want := map[string]string{v1alpha1.HandledLabel: "u", v1alpha1.NameLabel: "shop", v1alpha1.ComponentLabel: "task"}
	if !maps.Equal(got.Labels, want) {
		t.Errorf("labels %v are written, want %v", got.Labels, want)
	}
	if len(got.Owners) != 1 || got.Owners[0].UID != "a" || !got.IfUnchanged {
		t.Errorf("owners %v, want the App, if nobody has written others meanwhile", got.Owners)
	}
	task.OwnerReferences = []metav1.OwnerReference{v1alpha1.OwnedBy(&v1alpha1.TaskSchedule{}, "TaskSchedule")}
	if got, _ := Marked(task, app, 7, marks{handled: true}); got.Owners != nil {
		t.Errorf("a Job's Task gets the owners %v", got.Owners)
	}
}

func TestWhatSleepsIsLeftAloneUntilItsTime(t *testing.T) {
	now := time.Now()
	at := metav1.NewTime(now.Add(time.Hour))
	made := func() *v1alpha1.Task {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Generation: 2, UID: "u"}}
		task.Spec.NotBefore = &at
		Decision{Action: Wait, Reason: v1alpha1.ReasonNotDue}.Record(task, 1, now)
		return task
	}
	if !Asleep(made(), now) {
		t.Error("it is looked at again")
	}
	for what, change := range map[string]func(*v1alpha1.Task){
		"its time has come":       func(t *v1alpha1.Task) { t.Spec.NotBefore.Time = now },
		"asked to stop":           func(t *v1alpha1.Task) { t.Spec.Terminated = true },
		"changed":                 func(t *v1alpha1.Task) { t.Generation++ },
		"does not say so yet":     func(t *v1alpha1.Task) { t.Status.Conditions = nil },
		"expired in the meantime": func(t *v1alpha1.Task) { t.Spec.Expires = &metav1.Time{Time: now} },
	} {
		task := made()
		task.Spec.NotBefore = &metav1.Time{Time: at.Time}
		if change(task); Asleep(task, now) {
			t.Errorf("%s: it is left alone", what)
		}
	}
}

// TestALogIsMarkedForTheArchive of the Space, when the Task is handled and not before; and in no other Space, nor that of an array,
// which writes nothing itself.
func TestALogIsMarkedForTheArchive(t *testing.T) {
	archives := &v1alpha1.Space{Spec: v1alpha1.SpaceSpec{Logs: v1alpha1.SpaceLogs{Archive: &v1alpha1.SpaceLogArchive{}}}}
	for name, c := range map[string]struct {
		of      *v1alpha1.Space
		count   int32
		handled bool
		want    string
	}{
		"archives":      {of: archives, handled: true, want: "true"},
		"not yet":       {of: archives},
		"an array":      {of: archives, count: 3, handled: true},
		"archives none": {of: &v1alpha1.Space{}, handled: true},
		"no Space":      {handled: true},
	} {
		task := &v1alpha1.Task{Spec: v1alpha1.TaskSpec{Count: c.count}}
		change, _ := Marked(task, nil, 1, marks{handled: c.handled, archived: archived(task, c.of)})
		if got := change.Labels[v1alpha1.ArchiveLabel]; got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
