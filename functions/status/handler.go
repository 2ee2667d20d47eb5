package main

import (
	"context"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/outcome"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
	"github.com/kf-tasks/kf-tasks/shared/waiting"
)

// notEnded selects the Tasks that have no completion time: it is a selectable field of the CRD.
const notEnded = "status.completionTime="

// atOnce is how many Tasks a resync looks at side by side, so that a thousand that run are not a thousand requests at once.
const atOnce = 16

// Handler writes what PipelineRuns say into the status of their Tasks.
type Handler struct {
	Kf     *client.Client
	Tekton tektonclient.TektonV1Interface
	// Events reads the warnings about a namespace's Pods.
	Events func(ctx context.Context, namespace string) ([]*corev1.Event, error)
	Emit   func(context.Context, cloudevents.Event) error
	Now    func() time.Time

	resyncs resync.Rounds
}

// Handle handles a hint about a PipelineRun, or a ping to look at every Task that has not ended.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated, events.ResourceDeleted:
		hint, look, err := events.About(e, func(run *tekton.PipelineRun) bool {
			return pipelinerun.TaskOf(run) == run.Name && (e.Type() == events.ResourceDeleted || !accepted(run))
		})
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !look {
			return nil, nil
		}
		task, err := client.Find(ctx, h.Kf.Tasks(hint.Namespace), hint.Namespace, hint.Name)
		if err != nil || task == nil {
			return nil, err
		}
		return nil, h.reconcile(ctx, task, hint, nil)
	case events.Ping:
		return nil, h.resyncs.Do(ctx, h.resync)
	}
	return nil, receiver.Permanent(fmt.Errorf("status does not handle events of type %q", e.Type()))
}

// accepted says of a run that nothing is to be written about it yet: it is made, or Tekton has accepted it, and there is no TaskRun.
func accepted(run *tekton.PipelineRun) bool {
	c := run.Status.GetCondition(apis.ConditionSucceeded)
	first := c.GetReason() == "" || c.GetReason() == tekton.PipelineRunReasonStarted.String()
	return c.IsUnknown() && first && run.Spec.Status == "" && run.DeletionTimestamp == nil
}

// resync looks at every Task that has started and not ended, whatever events came or did not.
func (h *Handler) resync(ctx context.Context) error {
	started := metav1.ListOptions{FieldSelector: notEnded, LabelSelector: v1alpha1.HandledLabel}
	asked := waiting.Ask(h.Events)
	return resync.Each(ctx, atOnce, client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(""), started), func(task *v1alpha1.Task) error {
		return h.reconcile(ctx, task, events.Hint{}, asked)
	})
}

// reconcile reads the run of a Task, and writes what it says into the Task: of the run that the hint is about, where it names one.
// asked, where given, knows what a Pod that has not started waits for, which changes without an event.
//
// The run is read after the Task, and written only if nobody has written the Task since: so whoever wrote before has seen
// the run no later, and a status never goes back. What is written is told before that: whoever dies in between tells it again, under
// the same id, and nobody looks again at what was written.
func (h *Handler) reconcile(ctx context.Context, task *v1alpha1.Task, hint events.Hint, asked *waiting.Asked) error {
	for tasks := h.Kf.Tasks(task.Namespace); ; {
		facts, telling, err := h.gather(ctx, task, hint)
		if err != nil || !telling {
			return err
		}

		o := outcome.Observe(facts)

		if o.Vague && asked != nil {
			if facts.Words, err = asked.About(ctx, task.Namespace, facts.Pod(), task.CreationTimestamp.Time); err != nil {
				return err
			}
			facts.Asked = true
			o = outcome.Observe(facts)
		}
		if !o.Settled(task, h.Now()) || asked == nil && o.OnlyStarts(task) {
			return nil // the resync comes back to it
		}
		after := task.DeepCopy()
		outcome.Apply(after, o, h.Now())
		if err := outcome.Tell(ctx, h.Emit, task, after, o, "status"); err != nil {
			return err
		}
		written, err := client.PatchStatusOnce(ctx, tasks, task, func(t *v1alpha1.Task) { outcome.Apply(t, o, h.Now()) })
		switch {
		case err == nil:
			if written.Final() && !task.Final() {
				telemetry.TaskEnded(ctx, o.Reason)
				telemetry.Ran(ctx, written)
			}
			name := task.Namespace + "/" + task.Name
			logging.FromContext(ctx).Infow("observed", "task", name, "outcome", o.Reason, "fact", outcome.Fact(written))
			return nil
		case !apierrors.IsConflict(err):
			return client.IgnoreNotFound(err)
		}
		if task, err = client.FindAgain(ctx, tasks, task); err != nil || task == nil {
			return err
		}
	}
}

// gather reads the run of a Task, and its TaskRun. It tells nothing where there is no such run, nor has been one.
func (h *Handler) gather(ctx context.Context, task *v1alpha1.Task, hint events.Hint) (facts outcome.Facts, telling bool, err error) {
	facts.Task = task
	run, err := client.Find(ctx, h.Tekton.PipelineRuns(task.Namespace), task.Namespace, task.Name)
	switch {
	case err != nil:
		return facts, false, err
	case run == nil || task.Restored(): // of one that is not handled there may have been none yet; with the Task going, it goes too
		return facts, (task.HandledBefore() || task.Restored()) && task.DeletionTimestamp == nil, nil
	case !pipelinerun.Owned(run, task): // the Task's own is gone, where it had one; else runtask says that a stranger is in the way
		return facts, task.HandledBefore() && task.DeletionTimestamp == nil, nil
	case !hint.Is(run):
		return facts, false, nil
	}
	facts.Run = run
	facts.TaskRun, facts.StrangeTaskRun, err = h.taskRun(ctx, run)
	return facts, true, err
}

// taskRun reads the TaskRun of a run, nil if it has none, or another's.
func (h *Handler) taskRun(ctx context.Context, run *tekton.PipelineRun) (own *tekton.TaskRun, strange bool, err error) {
	for _, child := range run.Status.ChildReferences {
		if child.PipelineTaskName == v1alpha1.UserContainer {
			tr, err := client.Find(ctx, h.Tekton.TaskRuns(run.Namespace), run.Namespace, child.Name)
			if tr == nil || !metav1.IsControlledBy(tr, run) {
				return nil, tr != nil, err
			}
			return tr, false, nil
		}
	}
	return nil, false, nil
}
