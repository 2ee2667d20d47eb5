package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/retention"
)

const (
	// progressEvery is how often a long sweep says in the log how far it is.
	progressEvery = 10 * time.Second
	// slack, or the limit again if that is more, is how far beyond its limit an App may be while Tasks come and end.
	// Further beyond, pruning no longer waits for them: etcd must not fill up.
	slack = 100
	// enoughFailures end a sweep.
	enoughFailures = 10
)

// sweep brings one App down to its policy. It can be cut off anywhere and run again, and by several at once: a Task is
// deleted first, and the garbage collector follows its owner references to PipelineRun, TaskRun and Pod, whether or
// not this process lives to see it.
func (h *Handler) sweep(ctx context.Context, app types.NamespacedName) error {
	policy, err := h.policy(ctx, app)
	if err != nil || policy == nil {
		return err
	}
	tasks, err := h.tasks(ctx, app, *policy)
	if err != nil {
		return err
	}

	plan := retention.Decide(*policy, tasks, h.Now())

	if err := h.carryOut(ctx, app, *policy, plan); err != nil {
		return err
	}
	if policy.PodsFor != retention.Unlimited {
		return h.dropPods(ctx, app, *policy)
	}
	return nil
}

// carryOut deletes what the plan says, oldest first, so that a sweep that is cut off has deleted the right ones. A Task
// that can't be deleted is not in the way of the others; when many can't, it is not the Tasks' fault, and the rest is
// left for the next try.
func (h *Handler) carryOut(ctx context.Context, app types.NamespacedName, policy retention.Policy, plan retention.Plan) error {
	log := logging.FromContext(ctx).With("app", app.String())
	if plan.Over > 0 {
		log.Infow("more Tasks run than the App may keep; none is deleted before it ends", "over", plan.Over, "keep", policy.Keep)
	}
	if len(plan.Delete) == 0 {
		return nil
	}
	began, said := h.Now(), h.Now()
	var failed atomic.Int32
	var group errgroup.Group
	group.SetLimit(h.Workers)
	for i, v := range plan.Delete {
		urgent := len(plan.Delete)-i > max(policy.Keep, slack)
		if failed.Load() >= enoughFailures || h.Pace.Wait(ctx, urgent) != nil {
			break
		}
		if now := h.Now(); now.Sub(said) >= progressEvery {
			log.Infow("pruning", "done", i, "of", len(plan.Delete), "since", now.Sub(began).Round(time.Second).String())
			said = now
		}
		h.Metrics.excess(ctx, len(plan.Delete)-i)
		group.Go(func() error {
			err := h.prune(ctx, app.Namespace, policy, v)
			if err != nil {
				failed.Add(1)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%d Tasks of App %s not pruned, the first: %w", failed.Load(), app, err)
	}
	if err := ctx.Err(); err != nil { // the request ended: its sender went, or this process is told to stop
		return fmt.Errorf("prune Tasks of App %s: %w", app, err)
	}
	h.Metrics.excess(ctx, 0)
	log.Infow("pruned", "tasks", len(plan.Delete), "running", plan.Running, "pinned", plan.Pinned, "oldest", plan.Delete[0].Name, "reason", plan.Delete[0].Reason)
	return nil
}

// prune deletes one Task as it was decided on: it reads it again, decides again, and deletes that very version of it.
//
// The fact is posted before the deletion: the Task's last status is worth nothing to a history if it is lost, and after
// a crash in between nobody could tell it any more. The fact may so come twice, under the same id, or a moment too
// early, but never not.
func (h *Handler) prune(ctx context.Context, namespace string, policy retention.Policy, v retention.Verdict) error {
	log := logging.FromContext(ctx).With("task", namespace+"/"+v.Name)
	tasks := h.Kf.Tasks(namespace)
	for {
		task, err := tasks.Get(ctx, v.Name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("get Task %s/%s: %w", namespace, v.Name, err)
		}

		if stays := v.Confirm(policy, task, h.Now()); stays != "" {
			log.Debugw("stays", "because", stays)
			return nil
		}

		if err := h.Emit(ctx, *events.NewTaskFact(events.TaskPruned, "prune", task)); err != nil {
			return fmt.Errorf("prune Task %s/%s: %w", namespace, v.Name, err)
		}
		err = tasks.Delete(ctx, task.Name, deleteExactly(task))
		switch {
		case err == nil:
			h.Metrics.pruned(ctx, v.Rule)
			log.Debugw("pruned", "reason", v.Reason)
			return nil
		case errors.IsNotFound(err): // somebody else pruned it
			return nil
		case !errors.IsConflict(err): // a conflict: it has changed since it was read; look again
			return fmt.Errorf("delete Task %s/%s: %w", namespace, v.Name, err)
		}
	}
}

// deleteExactly deletes the version that was read and no other; its dependents go in the background.
func deleteExactly(o metav1.Object) metav1.DeleteOptions {
	uid, version, background := o.GetUID(), o.GetResourceVersion(), metav1.DeletePropagationBackground
	return metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		PropagationPolicy: &background,
	}
}

// dropPods deletes the Pods of ended Tasks whose log has been handed on. Their Tasks stay in the history.
func (h *Handler) dropPods(ctx context.Context, app types.NamespacedName, policy retention.Policy) error {
	pods, err := h.endedPods(ctx, app)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		name := pod.Labels[v1alpha1.TaskLabel]
		task, err := h.Kf.Tasks(app.Namespace).Get(ctx, name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			continue // the garbage collector is on its way
		}
		if err != nil {
			return fmt.Errorf("get Task %s/%s: %w", app.Namespace, name, err)
		}
		if !policy.DropPod(task, h.Now()) {
			continue
		}
		if err := h.Pace.Wait(ctx, false); err != nil {
			return err
		}
		err = h.Core.Pods(app.Namespace).Delete(ctx, pod.Name, deleteExactly(&pod))
		if err != nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
			return fmt.Errorf("delete Pod %s/%s: %w", app.Namespace, pod.Name, err)
		}
	}
	return nil
}
