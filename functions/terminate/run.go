package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
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

// awaitEnd returns when the run and its TaskRuns have ended, and so all Pods that it will ever have are there.
func (r *run) awaitEnd(ctx context.Context) error {
	return wait.PollUntilContextCancel(ctx, 500*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		ended, err := r.ended(ctx)
		if err != nil {
			logging.FromContext(ctx).Warnw("get PipelineRun failed, will retry", "error", err)
		}
		return ended && err == nil, nil
	})
}

func (r *run) ended(ctx context.Context) (bool, error) {
	if !r.IsDone() {
		now, err := client.Find(ctx, r.tekton.PipelineRuns(r.Namespace), r.Namespace, r.Name)
		if err != nil {
			return false, err
		}
		if now == nil || now.UID != r.UID { // deleted: its Pods go too
			now = r.DeepCopy()
			now.Status.MarkFailed("PipelineRunDeleted", "it was deleted while the Task was being stopped")
		}
		r.PipelineRun = now
	}
	if !r.IsDone() {
		return false, nil
	}
	taskRuns, err := r.taskRuns(ctx)
	if err != nil {
		return false, err
	}
	ended := true
	for _, tr := range taskRuns {
		if tr.IsDone() {
			continue
		}
		ended = false
		// A PipelineRun that is cancelled as soon as it is made can end without its TaskRun, of which its controller has
		// not heard yet: that goes on for itself, makes a Pod, and runs.
		if pipelinerun.EndedByCancel(r.PipelineRun) && !tr.IsCancelled() {
			change := client.Change{Spec: map[string]any{"status": tekton.TaskRunSpecStatusCancelled}}
			_, err := client.Merge(ctx, r.tekton.TaskRuns(tr.Namespace), &tr, change)
			if client.IgnoreNotFound(err) != nil {
				return false, err
			}
		}
	}
	return ended, nil
}

// started says, of a run without Pods, whether its process had been started.
func (r *run) started(ctx context.Context) bool {
	taskRuns, err := r.taskRuns(ctx)
	if err != nil {
		return true // not known: then it does not say that nothing was lost
	}
	for _, tr := range taskRuns {
		for _, s := range tr.Status.Steps {
			if s.Running != nil || s.Terminated != nil && s.Terminated.StartedAt.Unix() > 0 {
				return true
			}
		}
	}
	return false
}

func (r *run) taskRuns(ctx context.Context) ([]tekton.TaskRun, error) {
	list, err := r.tekton.TaskRuns(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: r.selector()})
	if err != nil {
		return nil, fmt.Errorf("list TaskRuns of PipelineRun %s/%s: %w", r.Namespace, r.Name, err)
	}
	return list.Items, nil
}

// selector names what Tekton makes of the run: its TaskRuns, and their Pods.
func (r *run) selector() string { return labels.Set{pipeline.PipelineRunLabelKey: r.Name}.String() }
