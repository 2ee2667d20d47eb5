// Package build reads what the steps of a build write, one after the other, as it comes. Its importers call it buildlog.
package build

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

const (
	runLabel   = "tekton.dev/pipelineRun" // of a Pod: the PipelineRun that it belongs to
	stepPrefix = "step-"                  // of a container: what follows is the step's name
	// lookEvery is how often the Pod is looked at. Steps take seconds to minutes.
	lookEvery = 500 * time.Millisecond
)

// Reader reads logs of one namespace. Pods is used to look, Streams to read.
type Reader struct{ Pods, Streams corev1client.PodInterface }

// Run delivers what the steps of a PipelineRun's Pod write, until the last of them has ended, the Pod is gone or ctx ends. It waits for the
// Pod. Deliver is called by one goroutine.
func (r *Reader) Run(ctx context.Context, run string, deliver func(step string, line follow.Line) error) error {
	pod, err := r.pod(ctx, run)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watched{pods: r.Pods, streams: r.Streams, pod: pod, changed: make(chan struct{})}
	go w.run(ctx)
	for _, c := range pod.Spec.Containers {
		step, is := strings.CutPrefix(c.Name, stepPrefix)
		if !is || w.skipped(c.Name) {
			continue
		}
		_, err := follow.Log(ctx, container{w, c.Name}, follow.Options{Follow: true}, func(l follow.Line) error { return deliver(step, l) })
		if err != nil {
			return fmt.Errorf("step %s: %w", step, err)
		}
	}
	return nil
}

// pod is the newest Pod of a run, once there is one: an older one was lost with its node.
func (r *Reader) pod(ctx context.Context, run string) (*corev1.Pod, error) {
	of := metav1.ListOptions{LabelSelector: labels.Set{runLabel: run}.String()}
	for {
		list, err := r.Pods.List(ctx, of)
		switch {
		case err != nil && follow.Denied(err):
			return nil, fmt.Errorf("find the Pod of %s: %w", run, err)
		case err == nil && len(list.Items) > 0:
			newest := slices.MaxFunc(list.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
			return &newest, nil
		}
		if err := follow.Wait(ctx, nil, lookEvery); err != nil {
			return nil, err
		}
	}
}

// watched is a Pod as it was last seen.
type watched struct {
	pods, streams corev1client.PodInterface

	mu      sync.Mutex
	pod     *corev1.Pod
	gone    bool
	changed chan struct{}
}

// run looks at the Pod until it is gone, or ctx ends.
func (w *watched) run(ctx context.Context) {
	for follow.Wait(ctx, nil, lookEvery) == nil {
		now, err := w.pods.Get(ctx, w.pod.Name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			continue
		}
		w.mu.Lock()
		if w.gone = err != nil || now.UID != w.pod.UID; !w.gone {
			w.pod = now
		}
		close(w.changed)
		w.changed = make(chan struct{})
		gone := w.gone
		w.mu.Unlock()
		if gone {
			return
		}
	}
}

// skipped says that a container has ended, and never began: there is no log.
func (w *watched) skipped(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.pod.Status.ContainerStatuses {
		if s.Name == name && s.State.Terminated != nil {
			return s.State.Terminated.ContainerID == ""
		}
	}
	return false
}

// container is one container of the Pod, as a follow.Source.
type container struct {
	*watched
	name string
}

func (c container) Open(ctx context.Context, q follow.Query) (io.ReadCloser, error) {
	o := &corev1.PodLogOptions{Container: c.name, Follow: q.Follow, Timestamps: true, TailLines: q.Tail}
	if !q.Since.IsZero() {
		o.SinceTime = &metav1.Time{Time: q.Since}
	}
	return c.streams.GetLogs(c.pod.Name, o).Stream(ctx)
}

func (c container) State() (follow.State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stateOf(c.pod, c.name, c.gone), c.changed
}

func stateOf(pod *corev1.Pod, name string, gone bool) follow.State {
	if gone {
		return follow.Gone
	}
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.Name != name:
		case s.State.Terminated != nil && s.State.Terminated.ContainerID == "":
			return follow.Gone // it never began
		case s.State.Terminated != nil:
			return follow.Ended
		case s.State.Running != nil:
			return follow.Running
		}
	}
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return follow.Gone // evicted, or failed before it began
	}
	return follow.Waiting
}
