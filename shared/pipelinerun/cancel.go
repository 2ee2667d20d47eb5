package pipelinerun

import (
	"context"
	"fmt"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// Cancel asks Tekton to stop a run, and says whether it took that. What has ended stays as it is, and what is gone needs no end.
// That another run has the name by now is a conflict.
func Cancel(ctx context.Context, c tektonclient.PipelineRunsGetter, run *tekton.PipelineRun) (asked bool, err error) {
	if run.IsCancelled() || run.IsDone() {
		return false, nil
	}
	runs := c.PipelineRuns(run.Namespace)
	_, err = client.Merge(ctx, runs, run, client.Change{Spec: map[string]any{"status": tekton.PipelineRunSpecStatusCancelled}})
	if client.IgnoreNotFound(err) == nil {
		return err == nil, nil
	}
	// Tekton's admission refuses to change a run that has ended; then there is nothing to cancel.
	if now, gerr := client.FindAgain(ctx, runs, run); gerr == nil && now != nil && now.IsDone() {
		return false, nil
	}
	return false, fmt.Errorf("cancel: %w", err)
}

// CancelTaskRun asks Tekton to stop a TaskRun whose PipelineRun does not. One that is gone needs no end.
func CancelTaskRun(ctx context.Context, c tektonclient.TaskRunsGetter, tr *tekton.TaskRun) error {
	change := client.Change{Spec: map[string]any{"status": tekton.TaskRunSpecStatusCancelled}}
	_, err := client.Merge(ctx, c.TaskRuns(tr.Namespace), tr, change)
	return client.IgnoreNotFound(err)
}

// TaskRuns are those that Tekton has made of a run.
func TaskRuns(ctx context.Context, c tektonclient.TaskRunsGetter, run *tekton.PipelineRun) ([]tekton.TaskRun, error) {
	list, err := c.TaskRuns(run.Namespace).List(ctx, metav1.ListOptions{LabelSelector: Selector(run)})
	if err != nil {
		return nil, fmt.Errorf("list TaskRuns of PipelineRun %s/%s: %w", run.Namespace, run.Name, err)
	}
	return list.Items, nil
}
