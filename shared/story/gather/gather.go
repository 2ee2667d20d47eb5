// Package gather reads what a story is told from, with the rights of whoever asks.
package gather

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/story"
)

var (
	pipelineRuns = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "pipelineruns"}
	taskRuns     = schema.GroupVersionResource{Group: "tekton.dev", Version: "v1", Resource: "taskruns"}
)

// runLabel is Tekton's, on a TaskRun: the PipelineRun that it is of.
const runLabel = "tekton.dev/pipelineRun"

// Reader reads with the credentials of its configuration.
type Reader struct {
	Kf      *client.Client
	Core    corev1client.CoreV1Interface
	Dynamic dynamic.Interface
}

// New returns a Reader. It does no I/O.
func New(cfg *rest.Config) (*Reader, error) {
	kf, err := client.New(cfg)
	if err != nil {
		return nil, err
	}
	core, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	d, err := dynamic.NewForConfig(cfg)
	return &Reader{kf, core, d}, err
}

// Task reads what there is of a Task. What can't be read is noted, and does not keep the rest from being told.
func (o *Reader) Task(ctx context.Context, task *v1alpha1.Task, now time.Time) story.Facts {
	f := story.Facts{Task: task, Unread: story.Unread{}, Now: now}
	f.App = Look(f.Unread, story.PartApp, func() (*v1alpha1.App, error) {
		return client.Find(ctx, o.Kf.Apps(task.Namespace), task.Namespace, task.Spec.AppRef.Name)
	})
	f.Run = Look(f.Unread, story.PartRun, func() (*story.Run, error) { return o.runOf(ctx, task) })
	if f.Run != nil {
		f.TaskRun = Look(f.Unread, story.PartTaskRun, func() (*story.Run, error) { return o.taskRunOf(ctx, f.Run) })
	}
	f.Pod = Look(f.Unread, story.PartPod, func() (*corev1.Pod, error) { return o.podOf(ctx, f) })
	f.Events = Look(f.Unread, story.PartEvents, func() ([]*corev1.Event, error) { return o.eventsOf(ctx, f) })
	return f
}

// Look reads a part of a story. None, and one that can't be read, are nil; why it can't is noted.
func Look[T any](unread story.Unread, part story.Part, read func() (T, error)) (got T) {
	found, err := read()
	switch {
	case err == nil:
		return found
	case apierrors.IsForbidden(err):
		unread[part] = "you may not (" + err.Error() + ")"
	default:
		unread[part] = err.Error()
	}
	return got
}

// runOf is the Task's PipelineRun, nil if it has none: another's that has the name is not taken for it.
func (o *Reader) runOf(ctx context.Context, task *v1alpha1.Task) (*story.Run, error) {
	found, err := o.Dynamic.Resource(pipelineRuns).Namespace(task.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && !client.Nameless(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !metav1.IsControlledBy(found, task) {
		return nil, nil
	}
	return storied(found)
}

// taskRunOf is the TaskRun of a PipelineRun of one task.
func (o *Reader) taskRunOf(ctx context.Context, run *story.Run) (*story.Run, error) {
	ofRun := metav1.ListOptions{LabelSelector: runLabel + "=" + run.Name}
	list, err := o.Dynamic.Resource(taskRuns).Namespace(run.Namespace).List(ctx, ofRun)
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], run) {
			return storied(&list.Items[i])
		}
	}
	return nil, nil
}

func storied(o *unstructured.Unstructured) (*story.Run, error) {
	r := &story.Run{}
	return r, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, r)
}

// podOf is the Pod of the Task's last try: by its name, and by its UID or its owner, for another may have the name by now.
func (o *Reader) podOf(ctx context.Context, f story.Facts) (*corev1.Pod, error) {
	names := podNames(f)
	if len(names) == 0 {
		return nil, nil
	}
	pod, err := client.Find(ctx, o.Core.Pods(f.Task.Namespace), f.Task.Namespace, names[0])
	if pod == nil || err != nil {
		return nil, err
	}
	begun := func(s v1alpha1.TaskStart) bool { return s.PodUID == pod.UID }
	if slices.ContainsFunc(f.Task.Status.Starts, begun) || f.TaskRun != nil && metav1.IsControlledBy(pod, f.TaskRun) {
		return pod, nil
	}
	return nil, nil
}

// podNames are the Pods that are on record, the last first.
func podNames(f story.Facts) (names []string) {
	if f.TaskRun != nil && f.TaskRun.Status.PodName != "" {
		names = append(names, f.TaskRun.Status.PodName)
	}
	for _, s := range slices.Backward(f.Task.Status.Starts) {
		if !slices.Contains(names, s.Pod) {
			names = append(names, s.Pod)
		}
	}
	return names
}

// maxPods is of how many Pods Events are read: a Task that was tried a hundred times has as many.
const maxPods = 5

// eventsOf are Kubernetes' Events about the Task and what was made for it.
func (o *Reader) eventsOf(ctx context.Context, f story.Facts) (events []*corev1.Event, err error) {
	pods := podNames(f)
	names := append([]string{f.Task.Name}, pods[:min(len(pods), maxPods)]...) // the PipelineRun has the Task's
	if f.TaskRun != nil {
		names = append(names, f.TaskRun.Name)
	}
	for _, name := range names {
		about := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("involvedObject.name", name).String()}
		found, err := client.Collect(client.All[*corev1.Event](ctx, o.Core.Events(f.Task.Namespace), about))
		if err != nil {
			return nil, err
		}
		events = append(events, found...)
	}
	return events, nil
}
