package pipelinerun

import (
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
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
