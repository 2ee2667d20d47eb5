package main

import (
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var now = time.Unix(1e9, 0)

// facts are those of a Task whose Pod is up, and whose command has yet to begin.
func facts(changes ...func(*Facts)) Facts {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t", UID: "task"}}
	run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: "t", UID: "run", OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(task, v1alpha1.GroupVersion.WithKind("Task"))}}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "pod", Labels: map[string]string{v1alpha1.TaskLabel: "t"}}}
	pod.Status.Phase = corev1.PodRunning
	f := Facts{Task: task, Run: run, TaskRun: &tekton.TaskRun{}, Pod: pod, Node: &corev1.Node{}, Now: now}
	for _, change := range changes {
		change(&f)
	}
	return f
}

func begunIn(uid, lost string) func(*Facts) {
	return func(f *Facts) {
		Begin(f.Task, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: f.Pod.Name, UID: "x"}}, "", now)
		last := &f.Task.Status.Starts[len(f.Task.Status.Starts)-1]
		last.PodUID, last.Lost = f.Pod.UID, lost
		if uid != "" {
			last.PodUID = "another"
		}
	}
}

func endedAt(at time.Time) func(*Facts) {
	return func(f *Facts) { f.Pod.Status.ContainerStatuses[0].State.Terminated.FinishedAt = metav1.NewTime(at) }
}

func TestDecide(t *testing.T) {
	here, elsewhere := begunIn("", ""), begunIn("another", "")
	label := func(f *Facts) { f.Pod.Labels[v1alpha1.StartLabel] = string(f.Pod.UID) }
	pending := func(f *Facts) { f.Pod.Status.Phase = corev1.PodPending }
	beingDeleted := func(f *Facts) { f.Pod.DeletionTimestamp = &metav1.Time{Time: now} }
	long := func(f *Facts) { f.Pod.DeletionTimestamp = &metav1.Time{Time: now.Add(-time.Minute)} }
	target := func(reason string) func(*Facts) {
		return func(f *Facts) {
			f.Pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason}}
		}
	}
	ended := func(f *Facts) {
		f.Pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "step-user-container", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{}}}}
	}
	failed := func(f *Facts) {
		f.TaskRun.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse})
	}
	cancelled := func(f *Facts) { f.TaskRun.Spec.Status = tekton.TaskRunSpecStatusCancelled }
	targetSince := func(at time.Time) func(*Facts) {
		return func(f *Facts) {
			target("TerminationByKubelet")(f)
			f.Pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(at)
		}
	}
	shutdown := func(f *Facts) { f.Pod.Status.Phase, f.Pod.Status.Reason = corev1.PodFailed, "Terminated" }
	noNode := func(f *Facts) { f.Node = nil }
	expires := func(in time.Duration) func(*Facts) {
		return func(f *Facts) { f.Task.Spec.Expires = &metav1.Time{Time: now.Add(in)} }
	}
	for name, test := range map[string]struct {
		facts  Facts
		action Action
		reason string
	}{
		"expired":                       {facts(expires(0)), EndRun, "Expired"},
		"expired, no node has room":     {facts(expires(-time.Hour), pending), EndRun, "Expired"},
		"expired, and its run ends":     {facts(expires(0), func(f *Facts) { f.Run.Spec.Status = "Cancelled" }), Nothing, "Stopping"},
		"expired, and it has begun":     {facts(expires(0), here, label), Nothing, "Started"},
		"expired, and terminated":       {facts(expires(0), func(f *Facts) { f.Task.Spec.Terminated = true }), Nothing, "Stopping"},
		"expires later":                 {facts(expires(time.Second)), Permit, ""},
		"its containers are up":         {facts(), Permit, ""},
		"they are not yet":              {facts(pending), Nothing, "Waiting"},
		"the start is written":          {facts(here), Label, ""},
		"it has begun":                  {facts(here, label), Nothing, "Started"},
		"made anew by Tekton":           {facts(elsewhere), EndRun, "PodDeleted"},
		"made anew, and still to start": {facts(elsewhere, pending), EndRun, "PodDeleted"},
		"made anew, the node gone":      {facts(elsewhere, noNode), EndRun, "NodeLost"},
		"made anew, drained before":     {facts(begunIn("another", "Drained")), EndRun, "Drained"},
		"one retry, the second Pod":     {facts(elsewhere, func(f *Facts) { f.Task.Spec.Retries = 1 }), Permit, ""},
		"one retry, the third Pod":      {facts(elsewhere, elsewhere, func(f *Facts) { f.Task.Spec.Retries = 1 }), EndRun, "PodDeleted"},
		"deleted by somebody":           {facts(here, label, beingDeleted), NoteLoss, "PodDeleted"},
		"drained":                       {facts(here, label, beingDeleted, target("EvictionByEvictionAPI")), NoteLoss, "Drained"},
		"preempted":                     {facts(here, label, beingDeleted, target("PreemptionByScheduler")), NoteLoss, "Preempted"},
		"its node does not answer":      {facts(here, label, beingDeleted, target("DeletionByTaintManager")), NoteLoss, "NodeLost"},
		"still there long after":        {facts(begunIn("", "NodeLost"), label, long), EndRun, "NodeLost"},
		"ended before it goes":          {facts(here, label, beingDeleted, ended), Nothing, "BeingDeleted"},
		"ended by its going":            {facts(here, label, beingDeleted, ended, endedAt(now)), NoteLoss, "PodDeleted"},
		"failed by its going":           {facts(here, label, beingDeleted, ended, endedAt(now), failed), NoteLoss, "PodDeleted"},
		"its node was shut down":        {facts(here, label, shutdown, target("TerminationByKubelet"), ended), NoteLoss, "Evicted"},
		"failed, and then shut down":    {facts(here, label, shutdown, targetSince(now), ended, endedAt(now.Add(-time.Second))), Nothing, "Ended"},
		"failed by its node's shutdown": {facts(here, label, shutdown, targetSince(now), ended, endedAt(now)), NoteLoss, "Evicted"},
		"shut down before it began":     {facts(shutdown, target("TerminationByKubelet")), Nothing, "Ended"},
		"failed by itself":              {facts(here, label, func(f *Facts) { f.Pod.Status.Phase = corev1.PodFailed }, ended), Nothing, "Ended"},
		"stopped by Tekton":             {facts(here, label, beingDeleted, func(f *Facts) { f.TaskRun.Spec.Status = "TaskRunCancelled" }), Nothing, "Stopping"},
		"deleted before it began":       {facts(beingDeleted), Nothing, "BeingDeleted"}, // the next one may begin
		"terminated":                    {facts(func(f *Facts) { f.Task.Spec.Terminated = true }), Nothing, "Stopping"},
		"its run is cancelled":          {facts(func(f *Facts) { f.Run.Spec.Status = "Cancelled" }), Nothing, "Stopping"},
		"given up by Tekton":            {facts(pending, failed), Remove, "LeftOver"},
		"given up, its log on the way":  {facts(failed, func(f *Facts) { f.Task.Spec.Terminated = true }), Nothing, "Stopping"},
		"just ended":                    {facts(failed, here, label, ended), Nothing, "Stopping"},
		"of a run from a backup":        {facts(func(f *Facts) { f.Run.OwnerReferences = nil }), EndRun, "Restored"},
		"of a Task recreated":           {facts(func(f *Facts) { f.Task.UID = "new" }), EndRun, "Restored"},
		"without a Task":                {facts(func(f *Facts) { f.Task = nil }), EndRun, "Restored"},
		"its TaskRun was deleted":       {facts(here, label, beingDeleted, func(f *Facts) { f.TaskRun, f.Run = nil, nil }), NoteLoss, "PodDeleted"},
		"of an earlier TaskRun":         {facts(func(f *Facts) { f.TaskRun = nil }), Remove, "Orphan"},
		"of a run that was deleted":     {facts(here, label, func(f *Facts) { f.Run = nil }), Nothing, "RunGone"},
		"and its TaskRun not":           {facts(here, label, func(f *Facts) { f.Run, f.Task = nil, nil }), EndTaskRun, "Orphan"},
		"which is told to end":          {facts(here, label, cancelled, func(f *Facts) { f.Run, f.Task = nil, nil }), Remove, "Orphan"},
		"the Task goes":                 {facts(func(f *Facts) { f.Task.DeletionTimestamp = &metav1.Time{Time: now} }), Nothing, "TaskBeingDeleted"},
		"it has ended":                  {facts(func(f *Facts) { f.Pod.Status.Phase = corev1.PodFailed }), Nothing, "Ended"},
	} {
		if got := Decide(test.facts); got.Action != test.action || test.reason != "" && got.Reason != test.reason {
			t.Errorf("%s: %+v, want %s %s", name, got, test.action, test.reason)
		}
	}
}

// TestAnEndIsNotWrittenOver: what became of a Task stays.
func TestAnEndIsNotWrittenOver(t *testing.T) {
	f := facts(begunIn("", ""))
	v1alpha1.SetCondition(f.Task, &f.Task.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded"}, now)
	Lose(f.Task, f.Pod.Name, v1alpha1.ReasonPodDeleted)
	if f.Task.Status.Starts[0].Lost != "" {
		t.Error("a Task that has ended lost its Pod afterwards")
	}
}

// TestWhatFailedWasNotLost: Tekton's retry of it has a Pod of another name, and that one may not begin.
func TestWhatFailedWasNotLost(t *testing.T) {
	task := &v1alpha1.Task{}
	Begin(task, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}, "", now)
	Lose(task, "p-retry1", v1alpha1.ReasonPodDeleted)
	if task.Status.Starts[0].Lost != "" {
		t.Errorf("starts %+v", task.Status.Starts)
	}
}

// TestALostStartSaysSo: the next one, of a retry, is not the first that tells of it.
func TestALostStartSaysSo(t *testing.T) {
	task := &v1alpha1.Task{}
	for _, pod := range []string{"p", "p", "p-retry1"} {
		Begin(task, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod}}, v1alpha1.ReasonPodDeleted, now)
	}
	if s := task.Status.Starts; s[0].Lost != v1alpha1.ReasonPodDeleted || s[1].Lost != "" || s[2].Lost != "" {
		t.Errorf("starts %+v, want the first to be lost, and the second to have failed by itself", s)
	}
}
