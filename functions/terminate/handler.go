package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"golang.org/x/sync/singleflight"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// atOnce is how many Tasks a resync works on: most of the time they wait for a grace period to pass.
const atOnce = 64

// Handler stops Tasks, and delivers what they wrote.
type Handler struct {
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Pods    corev1client.PodsGetter
	Streams corev1client.PodsGetter // for logs, on connections of their own
	Sink    sink.Sink
	Archive Archive
	Me      string // see delivery.Instance
	Now     func() time.Time
	Limits  Limits

	once     singleflight.Group // by the hint
	underWay sync.WaitGroup
}

// Handle handles a Task's event, or a ping to look for Tasks whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		hint, unfinished, err := events.About(e, func(t *v1alpha1.Task) bool {
			return t.Stopping(h.Now()) && !t.Status.Termination.Finished() && t.DeletionTimestamp == nil && !delivery.Held(t, h.Now())
		})
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !unfinished {
			return nil, nil // most updates are status writes of others, or our own
		}
		return nil, h.terminate(ctx, hint)
	case events.Ping:
		return nil, errors.Join(h.resync(ctx, client.Terminated()), h.resync(ctx, client.Limited()))
	}
	return nil, receiver.Permanent(fmt.Errorf("terminate does not handle events of type %q", e.Type()))
}

// resync finds the Tasks that are to stop and are not done with.
func (h *Handler) resync(ctx context.Context, which metav1.ListOptions) error {
	found := client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(""), which)
	return resync.Each(ctx, atOnce, found, func(t *v1alpha1.Task) error {
		if !t.Stopping(h.Now()) || delivery.Held(t, h.Now()) {
			return nil
		}
		return h.terminate(ctx, events.HintAt(t))
	})
}

// terminate sees to it that the Task is stopped, once at a time in this process. The work goes on when the sender of
// the event hangs up, and a redelivery joins it.
func (h *Handler) terminate(ctx context.Context, hint events.Hint) error {
	done := make(chan error, 1)
	h.underWay.Go(func() { // Do and not DoChan: Drain waits for what is under way, and DoChan's own goroutine can't be waited for
		_, err, _ := h.once.Do(fmt.Sprint(hint), func() (any, error) {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.Limits.Whole)
			defer cancel()
			return nil, h.step(work, hint)
		})
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("Task %s/%s is still being stopped: %w", hint.Namespace, hint.Name, ctx.Err())
	}
}

// Drain waits until no Task is being stopped.
func (h *Handler) Drain() { h.underWay.Wait() }

// step reads, decides and acts, again after an act that leads to another.
func (h *Handler) step(ctx context.Context, hint events.Hint) error {
	namespace, name := hint.Namespace, hint.Name
	for {
		task, err := client.Find(ctx, h.Kf.Tasks(namespace), namespace, name)
		if err != nil || task == nil || !hint.Is(task) { // gone: nothing is left to be done
			return err
		}
		if task.Spec.Count > 0 && task.Spec.Terminated {
			return h.stopArray(ctx, task)
		}
		run, err := client.Find(ctx, h.Tekton.PipelineRuns(namespace), namespace, name)
		if err != nil {
			return err
		}

		d := Decide(Facts{Task: task, Run: run, Me: h.Me, Now: h.Now()})

		logging.FromContext(ctx).Infow("decided", "task", namespace+"/"+name, "action", d.Action, "reason", d.Message)
		switch d.Action {
		case Nothing:
			return nil
		case Leave, Wait:
			return fmt.Errorf("Task %s/%s: %s", namespace, name, d.Message)
		case CreateCancelled:
			_, err := client.CreateOnce(ctx, h.Tekton.PipelineRuns(namespace), pipelinerun.Tombstone(task))
			if err != nil { // one that is there is read next, whosever it is
				return fmt.Errorf("create cancelled PipelineRun %s/%s: %w", namespace, name, err)
			}
		case Finish:
			_, err := client.PatchStatus(ctx, h.Kf.Tasks(namespace), task, func(t *v1alpha1.Task) {
				delivery.Finish(t, delivery.Progress{}, d.Log, d.Message, h.Now())
			})
			return client.IgnoreNotFound(err)
		case Deliver:
			return client.IgnoreNotFound(h.deliver(ctx, task, run))
		}
	}
}
