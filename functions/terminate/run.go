package main

import (
	"context"
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// run is the PipelineRun of a Task that is being stopped, as last seen.
type run struct {
	tekton tektonclient.TektonV1Interface
	*tekton.PipelineRun
}

// cancel asks Tekton to stop the run, and says whether it took that. What has ended stays as it is.
func (r *run) cancel(ctx context.Context) (asked bool, err error) {
	if r.IsCancelled() || r.IsDone() {
		return false, nil
	}
	runs := r.tekton.PipelineRuns(r.Namespace)
	_, err = client.Merge(ctx, runs, r.PipelineRun, client.Change{Spec: map[string]any{"status": tekton.PipelineRunSpecStatusCancelled}})
	if client.IgnoreNotFound(err) == nil {
		return err == nil, nil
	}
	// Tekton's admission refuses to change a run that has ended; then there is nothing to cancel.
	if now, gerr := client.Find(ctx, runs, r.Namespace, r.Name); gerr == nil && now != nil && now.IsDone() {
		return false, nil
	}
	return false, fmt.Errorf("cancel: %w", err)
}

// awaitEnd returns when run and TaskRuns have ended, and all their Pods are known. A failure must not break open logs off.
func (r *run) awaitEnd(ctx context.Context, meanwhile, refresh func(context.Context) error) error {
	return wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		ended, err := r.ended(ctx)
		switch {
		case err == nil && ended:
			err = refresh(ctx)
		case err == nil:
			err = meanwhile(ctx)
		}
		if err != nil {
			logging.FromContext(ctx).Warnw("get PipelineRun or its Pods failed, will retry", "error", err)
		}
		return ended && err == nil, nil
	})
}

func (r *run) ended(ctx context.Context) (bool, error) {
	if !r.IsDone() {
		now, err := client.Find(ctx, r.tekton.PipelineRuns(r.Namespace), r.Namespace, r.Name)
		switch {
		case err != nil:
			return false, err
		case now == nil || now.UID != r.UID: // deleted: its Pods go too
			r.PipelineRun = r.DeepCopy()
			r.Status.MarkFailed(v1alpha1.ReasonPipelineRunDeleted, "it was deleted while the Task was being stopped")
		case !now.IsDone():
			return false, nil
		default:
			r.PipelineRun = now
		}
	}
	taskRuns, err := r.taskRuns(ctx)
	if err != nil {
		return false, err
	}
	unended, abandoned := pipelinerun.Unended(r.PipelineRun, taskRuns)
	for _, tr := range abandoned {
		cancel := client.Change{Spec: map[string]any{"status": tekton.TaskRunSpecStatusCancelled}}
		if _, err := client.Merge(ctx, r.tekton.TaskRuns(tr.Namespace), &tr, cancel); client.IgnoreNotFound(err) != nil {
			return false, err
		}
	}
	return len(unended) == 0, nil
}

// started says whether the run's process was started.
func (r *run) started(ctx context.Context) bool {
	taskRuns, err := r.taskRuns(ctx)
	return err != nil || pipelinerun.Started(taskRuns) // not known: then it does not say that nothing was lost
}

func (r *run) taskRuns(ctx context.Context) ([]tekton.TaskRun, error) {
	list, err := r.tekton.TaskRuns(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: pipelinerun.Selector(r.PipelineRun)})
	if err != nil {
		return nil, fmt.Errorf("list TaskRuns of PipelineRun %s/%s: %w", r.Namespace, r.Name, err)
	}
	return list.Items, nil
}
