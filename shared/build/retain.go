package build

import (
	"cmp"
	"slices"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Retain says which of the PipelineRuns that build an App are to be cancelled, for another was asked for since, and which to be
// deleted, for there are more than keep: of those that have ended the oldest, and never one of current, which are counted first:
// the API's times are whole seconds, and of two of one second the name would decide.
func Retain(app *v1alpha1.App, runs []*tekton.PipelineRun, keep int, current ...string) (cancel, remove []*tekton.PipelineRun) {
	isCurrent := func(run *tekton.PipelineRun) int {
		if slices.Contains(current, run.Name) {
			return 1
		}
		return 0
	}
	newest := slices.SortedFunc(slices.Values(runs), func(a, b *tekton.PipelineRun) int {
		return cmp.Or(isCurrent(b)-isCurrent(a), b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	kept := 0
	for _, run := range newest {
		switch {
		case !Owned(run, app) || run.DeletionTimestamp != nil:
		case isCurrent(run) == 1:
			kept++
		case !run.IsDone():
			kept++
			if !run.IsCancelled() {
				cancel = append(cancel, run)
			}
		case kept >= keep:
			remove = append(remove, run)
		default:
			kept++
		}
	}
	return cancel, remove
}
