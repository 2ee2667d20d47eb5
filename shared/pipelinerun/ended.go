package pipelinerun

import (
	"github.com/tektoncd/pipeline/pkg/apis/pipeline"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Reason is that of the run's condition Succeeded.
func Reason(run *tekton.PipelineRun) string {
	if c := run.Status.GetCondition(apis.ConditionSucceeded); c != nil {
		return c.Reason
	}
	return "unknown"
}

// EndedByCancel says that the run ended because it was cancelled, and not by itself just before.
func EndedByCancel(run *tekton.PipelineRun) bool {
	return run.IsDone() && run.IsCancelled() && Reason(run) == tekton.PipelineRunReasonCancelled.String()
}

// TimedOut says that the run ended because it ran into its time limit.
func TimedOut(run *tekton.PipelineRun) bool {
	return run.IsDone() && Reason(run) == tekton.PipelineRunReasonTimedOut.String()
}

// Deleted is a run that somebody has deleted, as it ended: by that.
func Deleted(run *tekton.PipelineRun) *tekton.PipelineRun {
	run = run.DeepCopy()
	run.Status.MarkFailed(v1alpha1.ReasonPipelineRunDeleted, "it was deleted while the Task was being stopped")
	return run
}

// Stopped says that the run ended because it was stopped from outside, by who cancelled it or by its time limit. Tekton deletes
// the Pod of such a run, and its log with it.
func Stopped(run *tekton.PipelineRun) bool { return EndedByCancel(run) || TimedOut(run) }

// Returned says whether a process has ended with its exit code. Of what it stops Tekton says that all of it ended with 1, what
// had never begun too (terminateStepsInPod); then there is no container whose end that would be.
func Returned(t *corev1.ContainerStateTerminated) bool { return t != nil && t.ContainerID != "" }

// NeverStarted says that the run was made as cancelled (see Tombstone): Tekton has made nothing of it, and will not.
func NeverStarted(run *tekton.PipelineRun) bool {
	return run.IsCancelled() && run.Generation == 1 && len(run.Status.ChildReferences) == 0
}

// Unended returns the TaskRuns of a run that has ended which go on, and those of them that nobody will stop: a PipelineRun
// that is cancelled as soon as it is made can end without its TaskRun, of which its controller has not heard yet. That goes
// on for itself, makes a Pod, and runs.
func Unended(run *tekton.PipelineRun, taskRuns []tekton.TaskRun) (unended, abandoned []tekton.TaskRun) {
	for _, tr := range taskRuns {
		if tr.IsDone() {
			continue
		}
		unended = append(unended, tr)
		if Stopped(run) && !tr.IsCancelled() {
			abandoned = append(abandoned, tr)
		}
	}
	return unended, abandoned
}

// Started says whether a process of the TaskRuns was started.
func Started(taskRuns []tekton.TaskRun) bool {
	for _, tr := range taskRuns {
		for _, s := range tr.Status.Steps {
			ended := s.Terminated
			// Of what had never begun Tekton says that it began when the TaskRun was made, where it stops that.
			if s.Running != nil || ended != nil && ended.StartedAt.Unix() > 0 &&
				(Returned(ended) || !ended.StartedAt.Equal(&tr.CreationTimestamp)) {
				return true
			}
		}
	}
	return false
}

// Selector names what Tekton makes of a run: its TaskRuns, and their Pods.
func Selector(run *tekton.PipelineRun) string {
	return labels.Set{pipeline.PipelineRunLabelKey: run.Name}.String()
}

// TellsSignals says whether the run's process is started so that a signal that ends it is told as 128 and its number.
func TellsSignals(run *tekton.PipelineRun) bool {
	if run.Spec.PipelineSpec == nil {
		return false
	}
	for _, task := range run.Spec.PipelineSpec.Tasks {
		if task.TaskSpec == nil {
			continue
		}
		for _, step := range task.TaskSpec.Steps {
			if relayed(step.Command) {
				return true
			}
		}
	}
	return false
}
