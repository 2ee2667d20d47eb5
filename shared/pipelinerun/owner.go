package pipelinerun

import (
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TaskOf is the name of the Task that a PipelineRun belongs to, "" if it is not a Task's. The Task may be gone, and
// another have its name: only Owned says that a run is the very Task's.
func TaskOf(run *tekton.PipelineRun) string {
	owner := metav1.GetControllerOf(run)
	if owner == nil || owner.Kind != "Task" || owner.APIVersion != v1alpha1.GroupVersion.String() {
		return "" // Tekton once had a kind Task too
	}
	return owner.Name
}

// Owned says whether the PipelineRun is this very Task's: not that of an older Task of the same name, nor anybody's.
func Owned(run *tekton.PipelineRun, task *v1alpha1.Task) bool {
	return metav1.IsControlledBy(run, task)
}
