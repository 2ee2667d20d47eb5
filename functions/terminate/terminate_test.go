package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func toStop(changes ...func(*v1alpha1.Task)) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t", UID: "u"}}
	t.Spec.AppRef.Name, t.Spec.Terminated = "app", true
	for _, c := range changes {
		c(t)
	}
	return t
}

func claimed(by string, ago time.Duration) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		at := metav1.NewMicroTime(now.Add(-ago))
		t.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogDelivering, Deliverer: by, RenewedAt: &at}
	}
}

func settled(log v1alpha1.LogDelivery) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) { t.Status.Termination = &v1alpha1.Termination{Log: log} }
}

func final(t *v1alpha1.Task) {
	meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded"})
}

func run(task *v1alpha1.Task, changes ...func(*tekton.PipelineRun)) *tekton.PipelineRun {
	r := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Name, Generation: 1,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(task, v1alpha1.GroupVersion.WithKind("Task"))}}}
	r.Status.ChildReferences = []tekton.ChildStatusReference{{Name: "tr"}}
	for _, c := range changes {
		c(r)
	}
	return r
}

func ended(status corev1.ConditionStatus, reason tekton.PipelineRunReason) func(*tekton.PipelineRun) {
	return func(r *tekton.PipelineRun) {
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason.String()})
	}
}

func cancel(r *tekton.PipelineRun) {
	r.Spec.Status, r.Generation = tekton.PipelineRunSpecStatusCancelled, 2
}

func tombstone(task *v1alpha1.Task) *tekton.PipelineRun {
	r := pipelinerun.Tombstone(task)
	r.Generation = 1 // as the API server sets it
	return r
}

func TestWhatIsDoneWithATask(t *testing.T) {
	other := toStop(func(t *v1alpha1.Task) { t.UID = "an earlier Task of the name" })
	foreign := func(r *tekton.PipelineRun) { r.OwnerReferences = nil }
	for _, c := range []struct {
		name    string
		task    *v1alpha1.Task
		run     *tekton.PipelineRun
		want    Action
		log     v1alpha1.LogDelivery
		message string
	}{
		{"not asked to stop", toStop(func(t *v1alpha1.Task) { t.Spec.Terminated = false }), nil, Nothing, "", ""},
		{"done with", toStop(settled(v1alpha1.LogComplete)), run(toStop()), Nothing, "", ""},
		{"done with, though not whole", toStop(settled(v1alpha1.LogIncomplete)), nil, Nothing, "", ""},
		{"being deleted", toStop(func(t *v1alpha1.Task) { t.DeletionTimestamp = &metav1.Time{Time: now} }), run(toStop()), Nothing, "", "deleted"},
		{"before its PipelineRun", toStop(), nil, Bury, "", ""},
		{"buried", toStop(), tombstone(toStop()), Settle, v1alpha1.LogNone, "had not started"},
		{"running", toStop(), run(toStop()), Deliver, "", ""},
		{"cancelled by somebody else, running on", toStop(), run(toStop(), cancel), Deliver, "", ""},
		{"cancelled by somebody else, and ended", toStop(), run(toStop(), cancel, ended(corev1.ConditionFalse, tekton.PipelineRunReasonCancelled)), Deliver, "", ""},
		{"ended by itself", toStop(final), run(toStop(), ended(corev1.ConditionTrue, tekton.PipelineRunReasonSuccessful)), Settle, v1alpha1.LogNone, "ended by itself (Succeeded)"},
		{"ended by itself, status not written yet", toStop(), run(toStop(), ended(corev1.ConditionFalse, tekton.PipelineRunReasonFailed)), Settle, v1alpha1.LogNone, "ended by itself (Failed)"},
		{"ended, its run deleted since", toStop(final), nil, Settle, v1alpha1.LogNone, "had ended before"},
		{"the run of an earlier Task is still there", toStop(), run(other), Wait, "", "earlier"},
		{"somebody else's run has the name", toStop(), run(toStop(), foreign), Settle, v1alpha1.LogNone, "not its own"},
		{"another instance is at it", toStop(claimed("pod-b/1", time.Second)), run(toStop()), Leave, "", "pod-b/1"},
		{"another instance has gone silent", toStop(claimed("pod-b/1", time.Minute)), run(toStop()), Deliver, "", ""},
		{"this Pod, started again", toStop(claimed("pod-a/1", time.Second)), run(toStop()), Deliver, "", ""},
		{"taken up after the end", toStop(claimed("pod-a/1", time.Second)), run(toStop(), ended(corev1.ConditionTrue, tekton.PipelineRunReasonSuccessful)), Deliver, "", ""},
		{"its run deleted meanwhile", toStop(claimed("pod-a/1", time.Second)), nil, Settle, v1alpha1.LogIncomplete, "deleted while"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Decide(c.task, c.run, "pod-a/2", now)
			if got.Action != c.want || got.Log != c.log || !strings.Contains(got.Message, c.message) {
				t.Errorf("%+v, want %s %s %q", got, c.want, c.log, c.message)
			}
		})
	}
}

// TestClaimsDoNotOverlap: a log is handed on by one instance at a time, and a settled Task stays as it is.
func TestClaimsDoNotOverlap(t *testing.T) {
	task := toStop()
	Claim(task, "a/1", now)
	Claim(task, "b/1", now.Add(time.Second))
	if got := task.Status.Termination.Deliverer; got != "a/1" {
		t.Fatalf("the claim went to %s", got)
	}
	if !Renew(task, "a/1", Progress{DeliveredTo: now, Lines: 7, CancelledAt: now}, now.Add(10*time.Second)) || Renew(task, "b/1", Progress{Lines: 9}, now) {
		t.Error("the owner of the claim can't renew it, or another can")
	}
	Claim(task, "b/1", now.Add(10*time.Second+claimTime+time.Second))
	s := task.Status.Termination
	if s.Deliverer != "b/1" || s.Lines != 7 || s.CancelledAt == nil || !s.RequestedAt.Time.Equal(now) {
		t.Errorf("taken over: %+v", s)
	}
	Finish(task, Progress{Lines: 12}, v1alpha1.LogComplete, "", now)
	before := task.DeepCopy()
	Finish(task, Progress{}, v1alpha1.LogIncomplete, "too late", now)
	Claim(task, "a/1", now.Add(time.Hour))
	if Renew(task, "b/1", Progress{Lines: 99}, now); task.Status.Termination.Lines != 12 || task.Status.Termination.Log != before.Status.Termination.Log {
		t.Errorf("a settled Task has changed: %+v", task.Status.Termination)
	}
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionLogDelivered)
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason != ReasonDelivered || task.Status.Termination.Deliverer != "" {
		t.Errorf("%+v %+v", c, task.Status.Termination)
	}
}

// TestWhatMayBeMissingIsSaid: a log that was not read to its end is never taken for whole.
func TestWhatMayBeMissingIsSaid(t *testing.T) {
	at := follow.Cursor{Time: now}
	for _, c := range []struct {
		name string
		res  follow.Result
		pod  tasklog.Pod
		err  error
		want string
	}{
		{"whole", follow.Result{Whole: true}, tasklog.Pod{Ran: true}, nil, ""},
		{"never ran", follow.Result{}, tasklog.Pod{}, nil, ""},
		{"gone before it was read", follow.Result{}, tasklog.Pod{Ran: true}, nil, "gone before"},
		{"cut off", follow.Result{Cursor: at}, tasklog.Pod{Ran: true}, errors.New("connection reset"), "lines after 2026-11-23T12:00:00Z may be missing: connection reset"},
		{"the stream ended after the container", follow.Result{Cursor: at, EndedAt: now.Add(time.Second)}, tasklog.Pod{Ran: true, FinishedAt: now}, nil, ""},
		{"the stream ended long before the container", follow.Result{Cursor: at, EndedAt: now.Add(-time.Minute)}, tasklog.Pod{Ran: true, FinishedAt: now}, nil, "may be missing"},
	} {
		if got := Short(c.res, c.pod, c.err); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWhoAskedIsKnownFromManagedFields(t *testing.T) {
	task := toStop(func(t *v1alpha1.Task) {
		t.ManagedFields = []metav1.ManagedFieldsEntry{
			{Manager: "creator", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:command":{}}}`)}},
			{Manager: "status", Subresource: "status", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:terminated":{}}}`)}},
			{Manager: "kf", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:terminated":{}}}`)}},
		}
	})
	if got := RequestedBy(task); got != "kf" {
		t.Errorf("%q", got)
	}
	if got := RequestedBy(toStop()); got != "" {
		t.Errorf("nobody: %q", got)
	}
}
