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
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/outcome"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// atOnce is how many Pods a resync looks at side by side.
const atOnce = 16

// unended selects the Pods of which a container may yet start, or runs.
const unended = "status.phase!=Succeeded,status.phase!=Failed"

// Handler lets commands begin.
type Handler struct {
	Kf     *client.Client
	Tekton tektonclient.TektonV1Interface
	Core   corev1client.CoreV1Interface
	Emit   func(context.Context, cloudevents.Event) error
	Now    func() time.Time

	resyncs resync.Rounds
}

// Handle handles a Pod's event, or a ping to look at the Pods that have not ended.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		hint, open, err := events.About(e, worth)
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !open {
			return nil, nil // most updates tell of a Pod on its way
		}
		return nil, h.reconcile(ctx, hint)
	case events.Ping:
		return nil, h.resyncs.Do(ctx, h.resync)
	}
	return nil, receiver.Permanent(fmt.Errorf("start does not handle events of type %q", e.Type()))
}

// resync looks at the Pods that have not ended.
func (h *Handler) resync(ctx context.Context) error {
	ofTasks := metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel, FieldSelector: unended}
	found := client.All[*corev1.Pod](ctx, h.Core.Pods(""), ofTasks)
	return resync.Each(ctx, atOnce, found, func(p *corev1.Pod) error { return h.reconcile(ctx, events.HintAt(p)) })
}

// worth says whether there may be something to do about a Pod: it is new, its containers are up, or it goes.
func worth(p *corev1.Pod) bool {
	started := p.Labels[v1alpha1.StartLabel] != ""
	return p.DeletionTimestamp != nil || shutDown(p) || !started && (p.Spec.NodeName == "" || p.Status.Phase == corev1.PodRunning)
}

// reconcile reads a Pod and what it belongs to, decides, and acts. The Task is read first, and written only if nobody has written it
// since: of two that decide about two Pods at once, one decides again.
func (h *Handler) reconcile(ctx context.Context, hint events.Hint) error {
	for {
		facts, err := h.gather(ctx, hint)
		if err != nil || facts.Pod == nil {
			return err
		}

		d := Decide(facts)

		if d.Action != Nothing {
			logging.FromContext(ctx).Infow("decided", "pod", hint.Namespace+"/"+hint.Name, "action", d.Action, "reason", d.Reason)
		}
		err = h.act(ctx, facts, d)
		if !apierrors.IsConflict(err) {
			return client.IgnoreNotFound(err)
		}
	}
}

// gather reads what a decision needs. A Pod is read again after what it belongs to: what began meanwhile is known.
func (h *Handler) gather(ctx context.Context, hint events.Hint) (f Facts, err error) {
	f.Now = h.Now()
	pods, namespace := h.Core.Pods(hint.Namespace), hint.Namespace
	pod, err := client.Find(ctx, pods, namespace, hint.Name)
	if err != nil || pod == nil || !hint.Is(pod) || pod.Labels[v1alpha1.TaskLabel] == "" {
		return f, err
	}
	f.Task, err = client.Find(ctx, h.Kf.Tasks(namespace), namespace, pod.Labels[v1alpha1.TaskLabel])
	if err != nil {
		return f, err
	}
	f.TaskRun, err = owner(ctx, h.Tekton.TaskRuns(namespace), pod, "TaskRun")
	if err != nil {
		return f, err
	}
	if f.TaskRun != nil {
		f.Run, err = owner(ctx, h.Tekton.PipelineRuns(namespace), f.TaskRun, "PipelineRun")
	}
	if err != nil {
		return f, err
	}
	if f.Task != nil && len(f.Task.Status.Starts) > 0 {
		f.Node, err = client.Find(ctx, h.Core.Nodes(), "", f.Task.Status.Starts[len(f.Task.Status.Starts)-1].Node)
	}
	if err != nil {
		return f, err
	}
	f.Pod, err = client.FindAgain(ctx, pods, pod)
	return f, err
}

// owner reads the object that controls another, nil if that is gone, whoever has its name by now.
func owner[T any, O interface {
	*T
	metav1.Object
}](ctx context.Context, c interface {
	Get(context.Context, string, metav1.GetOptions) (*T, error)
}, of metav1.Object, kind string,
) (*T, error) {
	ref := metav1.GetControllerOf(of)
	if ref == nil || ref.Kind != kind || ref.APIVersion != tekton.SchemeGroupVersion.String() {
		return nil, nil
	}
	got, err := client.Find(ctx, c, of.GetNamespace(), ref.Name)
	if got == nil || O(got).GetUID() != ref.UID {
		return nil, err
	}
	return got, nil
}

// act carries out a decision. What is to be known of it later is written first.
func (h *Handler) act(ctx context.Context, f Facts, d Decision) error {
	switch d.Action {
	case Permit:
		if err := h.begin(ctx, f); err != nil {
			return err
		}
		return h.label(ctx, f.Pod)
	case Label:
		return h.label(ctx, f.Pod)
	case NoteLoss:
		return h.noteLoss(ctx, f, d.Reason)
	case EndRun:
		if f.Task != nil && d.Reason != v1alpha1.ReasonRestored {
			err := h.noteLoss(ctx, f, d.Reason)
			if err != nil {
				return err
			}
		}
		_, err := pipelinerun.Cancel(ctx, h.Tekton, f.Run)
		return err
	case EndTaskRun:
		return pipelinerun.CancelTaskRun(ctx, h.Tekton, f.TaskRun)
	case Remove:
		this := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &f.Pod.UID}}
		return h.Core.Pods(f.Pod.Namespace).Delete(ctx, f.Pod.Name, this)
	}
	return nil
}

// begin writes the start into the Task's status, with all that status would write of a Task that runs: so nobody writes that a second
// time. As there, it is told first: whoever dies in between tells it again, under the same id.
func (h *Handler) begin(ctx context.Context, f Facts) error {
	o := f.observed()
	begin := func(t *v1alpha1.Task) {
		Begin(t, f.Pod, f.lostBy(), f.Now)
		outcome.Apply(t, o, f.Now)
	}
	after := f.Task.DeepCopy()
	begin(after)
	if err := outcome.Tell(ctx, h.Emit, f.Task, after, o, "start"); err != nil {
		return err
	}
	_, err := client.PatchStatusOnce(ctx, h.Kf.Tasks(f.Pod.Namespace), f.Task, begin)
	return err
}

// label lets the command in a Pod begin.
func (h *Handler) label(ctx context.Context, pod *corev1.Pod) error {
	started := client.Change{Labels: map[string]string{v1alpha1.StartLabel: string(pod.UID)}}
	_, err := client.Merge(ctx, h.Core.Pods(pod.Namespace), pod, started)
	return err
}

// noteLoss writes into the Task's status why its Pod was lost.
func (h *Handler) noteLoss(ctx context.Context, f Facts, why string) error {
	lose := func(t *v1alpha1.Task) { Lose(t, f.Pod.Name, why) }
	_, err := client.PatchStatusOnce(ctx, h.Kf.Tasks(f.Task.Namespace), f.Task, lose)
	return err
}
