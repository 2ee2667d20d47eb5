package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// notEnded selects the Tasks that have no completion time: it is a selectable field of the CRD.
const notEnded = "status.completionTime="

// atOnce is how many Tasks a resync looks at side by side, so that a thousand that run are not a thousand requests at once.
const atOnce = 16

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
		name := pipelinerun.TaskOf(&run)
		if name == "" {
			return nil, nil
		}
		task, err := client.Find(ctx, h.Kf.Tasks(run.Namespace), run.Namespace, name)
		if err != nil || task == nil || !pipelinerun.Owned(&run, task) { // else it is of an older Task of the same name
			return nil, err
		}
		return h.record(ctx, task, Sighting{Run: &run, Deleted: e.Type() == events.ResourceDeleted})
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("status does not handle events of type %q", e.Type()))
}

// resync looks at every Task that has started and not ended, whatever events came or did not.
func (h *Handler) resync(ctx context.Context) error {
	started := metav1.ListOptions{FieldSelector: notEnded, LabelSelector: v1alpha1.VersionLabel}
	return resync.Each(ctx, atOnce, client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(""), started), func(task *v1alpha1.Task) error {
		run, err := client.Find(ctx, h.Tekton.PipelineRuns(task.Namespace), task.Namespace, task.Name)
		if err != nil {
			return err
		}
		seen := Sighting{Run: run, Fresh: true}
		if run == nil {
			seen.Run, seen.Deleted = &tekton.PipelineRun{}, true
		} else if !pipelinerun.Owned(run, task) {
			return nil // runtask says so on the Task
		}
		fact, err := h.record(ctx, task, seen)
		if fact != nil {
			return h.Emit(ctx, *fact)
		}
		return err
	})
}

// record writes what is seen of a run into its Task.
func (h *Handler) record(ctx context.Context, task *v1alpha1.Task, seen Sighting) (*cloudevents.Event, error) {
	if seen.Deleted && task.DeletionTimestamp != nil {
		return nil, nil // the whole Task goes
	}
	if seen.Run.IsDone() || seen.Fresh {
		var err error
		if seen.TaskRun, err = h.taskRun(ctx, seen.Run); err != nil {
			return nil, err
		}
	}

	o := Observe(seen)

	before := task
	task, err := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { Apply(t, o, h.Now()) })
	if err != nil {
		return nil, client.IgnoreNotFound(err)
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
		if child.PipelineTaskName == v1alpha1.UserContainer {
			return client.Find(ctx, h.Tekton.TaskRuns(run.Namespace), run.Namespace, child.Name)
		}
	}
	return nil, nil
}
