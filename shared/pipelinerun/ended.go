package pipelinerun

import (
	"github.com/tektoncd/pipeline/pkg/apis/pipeline"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/labels"
	"knative.dev/pkg/apis"
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
		if EndedByCancel(run) && !tr.IsCancelled() {
			abandoned = append(abandoned, tr)
		}
	}
	return unended, abandoned
}

// Started says whether a process of the TaskRuns was started.
func Started(taskRuns []tekton.TaskRun) bool {
	for _, tr := range taskRuns {
		for _, s := range tr.Status.Steps {
			if s.Running != nil || s.Terminated != nil && s.Terminated.StartedAt.Unix() > 0 {
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
