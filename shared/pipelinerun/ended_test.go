package pipelinerun

import (
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func endedRun(spec tekton.PipelineRunSpecStatus, status corev1.ConditionStatus, reason tekton.PipelineRunReason) *tekton.PipelineRun {
	r := &tekton.PipelineRun{}
	r.Spec.Status = spec
	r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason.String()})
	return r
}

func TestARunEndedByCancelOnlyIfItHadNotEndedBefore(t *testing.T) {
	const asked = tekton.PipelineRunSpecStatusCancelled
	for name, c := range map[string]struct {
		run  *tekton.PipelineRun
		want bool
	}{
		"cancelled":               {endedRun(asked, corev1.ConditionFalse, tekton.PipelineRunReasonCancelled), true},
		"being cancelled":         {endedRun(asked, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning), false},
		"failed just before":      {endedRun(asked, corev1.ConditionFalse, tekton.PipelineRunReasonFailed), false},
		"succeeded just before":   {endedRun(asked, corev1.ConditionTrue, tekton.PipelineRunReasonSuccessful), false},
		"failed, nobody asked it": {endedRun("", corev1.ConditionFalse, tekton.PipelineRunReasonFailed), false},
	} {
		if got := EndedByCancel(c.run); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestATombstoneNeverStarted(t *testing.T) {
	tomb := Tombstone(&v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t", Namespace: "n", UID: "u"}})
	tomb.Generation = 1
	later := tomb.DeepCopy()
	later.Generation = 2 // cancelled after it was made: Tekton may have begun
	begun := tomb.DeepCopy()
	begun.Status.ChildReferences = []tekton.ChildStatusReference{{Name: "tr"}}
	if !NeverStarted(tomb) || NeverStarted(later) || NeverStarted(begun) {
		t.Error(NeverStarted(tomb), NeverStarted(later), NeverStarted(begun))
	}
}

// TestATaskRunThatOutlivesItsCancelledRunIsAbandoned: those of a run that ended otherwise are Tekton's to end.
func TestATaskRunThatOutlivesItsCancelledRunIsAbandoned(t *testing.T) {
	ended, going, stopping := tekton.TaskRun{}, tekton.TaskRun{}, tekton.TaskRun{}
	ended.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse})
	stopping.Spec.Status = tekton.TaskRunSpecStatusCancelled
	all := []tekton.TaskRun{ended, going, stopping}

	cancelled := endedRun(tekton.PipelineRunSpecStatusCancelled, corev1.ConditionFalse, tekton.PipelineRunReasonCancelled)
	if unended, abandoned := Unended(cancelled, all); len(unended) != 2 || len(abandoned) != 1 || abandoned[0].Spec.Status != "" {
		t.Errorf("%d unended, %d abandoned", len(unended), len(abandoned))
	}
	failed := endedRun("", corev1.ConditionFalse, tekton.PipelineRunReasonFailed)
	if unended, abandoned := Unended(failed, all); len(unended) != 2 || len(abandoned) != 0 {
		t.Errorf("%d unended, %d abandoned", len(unended), len(abandoned))
	}
	if unended, _ := Unended(cancelled, all[:1]); len(unended) != 0 {
		t.Errorf("%d unended", len(unended))
	}
}

func TestAProcessStartedIfAStepSaysSo(t *testing.T) {
	with := func(s corev1.ContainerState) []tekton.TaskRun {
		tr := tekton.TaskRun{}
		tr.Status.Steps = []tekton.StepState{{ContainerState: s}}
		return []tekton.TaskRun{{}, tr}
	}
	// the kubelet's zero time of a container that was never started is 1970
	for name, c := range map[string]struct {
		state corev1.ContainerState
		want  bool
	}{
		"waiting":            {corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}, false},
		"running":            {corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, true},
		"ended":              {corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Now()}}, true},
		"ended, not started": {corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Unix(0, 0)}}, false},
	} {
		if got := Started(with(c.state)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if Started(nil) {
		t.Error("started without a TaskRun")
	}
}

// TestADeletedRunHasEndedAndWasNotStopped: of it nothing more comes, and its Pod is not one that Tekton deletes for a cancel.
func TestADeletedRunHasEndedAndWasNotStopped(t *testing.T) {
	run := endedRun(tekton.PipelineRunSpecStatusCancelled, corev1.ConditionUnknown, tekton.PipelineRunReasonRunning)
	deleted := Deleted(run)
	if !deleted.IsDone() || Stopped(deleted) || Reason(deleted) != v1alpha1.ReasonPipelineRunDeleted || run.IsDone() {
		t.Errorf("%+v, of %+v", deleted.Status, run.Status)
	}
}
