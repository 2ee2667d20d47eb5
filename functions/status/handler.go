package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// notEnded selects the Tasks that have no completion time: it is a selectable field of the CRD.
const notEnded = "status.completionTime="

// Handler writes what PipelineRuns say into the status of their Tasks.
type Handler struct {
	Kf     *client.Client
	Tekton tektonclient.TektonV1Interface
	Emit   func(context.Context, cloudevents.Event) error
	Now    func() time.Time
}

// Handle handles an event of a PipelineRun, or a ping to look at every Task that has not ended.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated, events.ResourceDeleted:
		var run tekton.PipelineRun
		if err := events.Object(e, &run); err != nil {
			return nil, receiver.Permanent(err)
		}
		owner := metav1.GetControllerOf(&run)
		if owner == nil || owner.Kind != "Task" {
			return nil, nil
		}
		task, err := h.Kf.Tasks(run.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("get Task %s/%s: %w", run.Namespace, owner.Name, err)
		}
		if !pipelinerun.Owned(&run, task) {
			return nil, nil // of an older Task of the same name
		}
		return h.record(ctx, task, &run, e.Type() == events.ResourceDeleted, false)
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("status does not handle events of type %q", e.Type()))
}

// resync looks at every Task that has started and not ended, whatever events came or did not.
func (h *Handler) resync(ctx context.Context) error {
	found, err := h.Kf.Tasks("").List(ctx, metav1.ListOptions{FieldSelector: notEnded, LabelSelector: v1alpha1.VersionLabel})
	if err != nil {
		return fmt.Errorf("list Tasks that have not ended: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(16) // bounded, so that a thousand running Tasks are not a thousand requests at once
	for _, task := range found.Items {
		group.Go(func() error {
			run, err := h.Tekton.PipelineRuns(task.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
			gone := errors.IsNotFound(err)
			if err != nil && !gone {
				return fmt.Errorf("get PipelineRun %s/%s: %w", task.Namespace, task.Name, err)
			}
			if !gone && !pipelinerun.Owned(run, &task) {
				return nil // runtask says so on the Task
			}
			fact, err := h.record(ctx, &task, run, gone, true)
			if fact != nil {
				return h.Emit(ctx, *fact)
			}
			return err
		})
	}
	return group.Wait()
}

// record writes the outcome of a run into its Task. fresh says that the run was read just now.
func (h *Handler) record(ctx context.Context, task *v1alpha1.Task, run *tekton.PipelineRun, deleted, fresh bool) (*cloudevents.Event, error) {
	if deleted && task.DeletionTimestamp != nil {
		return nil, nil // the whole Task goes
	}
	var taskRun *tekton.TaskRun
	if run.IsDone() || fresh && !deleted {
		var err error
		if taskRun, err = h.taskRun(ctx, run); err != nil {
			return nil, err
		}
	}
	o := Observe(run, taskRun)
	if deleted && o.Succeeded == metav1.ConditionUnknown {
		o.Succeeded, o.Reason = metav1.ConditionFalse, ReasonRunDeleted
		o.Message = "somebody deleted the Task's PipelineRun before it ended: run the Task again"
	}
	id := run.Labels[v1alpha1.VersionLabel]
	before := task
	task, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { Apply(t, o, id, fresh, h.Now()) })
	if errors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kind := Fact(task)
	logging.FromContext(ctx).Infow("observed", "task", task.Namespace+"/"+task.Name, "outcome", o.Reason, "fact", kind)
	// A fact is told when the status changes, and told again when the event of an end is delivered again: whoever
	// died in between may not have told it. Its id stays the same.
	if kind == "" || equality.Semantic.DeepEqual(before.Status, task.Status) && !(task.Final() && o.Succeeded != metav1.ConditionUnknown) {
		return nil, nil
	}
	return events.NewTaskFact(kind, "status", task), nil
}

// taskRun reads the TaskRun of a run, nil if it has none.
func (h *Handler) taskRun(ctx context.Context, run *tekton.PipelineRun) (*tekton.TaskRun, error) {
	for _, child := range run.Status.ChildReferences {
		if child.PipelineTaskName != v1alpha1.UserContainer {
			continue
		}
		tr, err := h.Tekton.TaskRuns(run.Namespace).Get(ctx, child.Name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("get TaskRun %s/%s: %w", run.Namespace, child.Name, err)
		}
		return tr, nil
	}
	return nil, nil
}
