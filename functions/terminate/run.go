package main

import (
	"context"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
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
		now, err := client.FindAgain(ctx, r.tekton.PipelineRuns(r.Namespace), r.PipelineRun)
		switch {
		case err != nil:
			return false, err
		case now == nil: // deleted: its Pods go too
			r.PipelineRun = pipelinerun.Deleted(r.PipelineRun)
		case !now.IsDone():
			return false, nil
		default:
			r.PipelineRun = now
		}
	}
	taskRuns, err := pipelinerun.TaskRuns(ctx, r.tekton, r.PipelineRun)
	if err != nil {
		return false, err
	}
	unended, abandoned := pipelinerun.Unended(r.PipelineRun, taskRuns)
	for _, tr := range abandoned {
		if err := pipelinerun.CancelTaskRun(ctx, r.tekton, &tr); err != nil {
			return false, err
		}
	}
	return len(unended) == 0, nil
}

// started says whether the run's process was started.
func (r *run) started(ctx context.Context) bool {
	taskRuns, err := pipelinerun.TaskRuns(ctx, r.tekton, r.PipelineRun)
	return err != nil || pipelinerun.Started(taskRuns) // not known: then it does not say that nothing was lost
}
