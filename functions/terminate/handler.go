package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// notSettled selects the Tasks that were asked to stop and are not done with; both are selectable fields of the CRD.
const notSettled = "spec.terminated=true,status.termination.log!=None,status.termination.log!=Complete,status.termination.log!=Incomplete"

// Handler stops Tasks, and hands on what they wrote.
type Handler struct {
	Kf      *client.Client
	Tekton  tektonclient.TektonV1Interface
	Pods    corev1.PodsGetter
	Streams corev1.PodsGetter // for logs, on connections of their own
	Sink    sink.Sink
	Me      string // POD/START
	Now     func() time.Time
	Limits  Limits

	mu      sync.Mutex
	flights map[types.UID]*flight
	wg      sync.WaitGroup
}

// flight is a Task being stopped; whoever else comes for it waits for the same.
type flight struct {
	done chan struct{}
	err  error
}

// Handle handles a Task's event, a command to terminate one, or a ping to look for Tasks whose event was lost.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.ResourceAdded, events.ResourceUpdated:
		var t v1alpha1.Task
		if err := events.Object(e, &t); err != nil {
			return nil, receiver.Permanent(err)
		}
		if !t.Spec.Terminated || Settled(&t) || t.DeletionTimestamp != nil || h.echo(&t) {
			return nil, nil // most updates are status writes of others, or our own
		}
		return nil, h.terminate(ctx, &t)
	case events.TaskTerminate:
		return nil, h.command(ctx, e)
	case events.Ping:
		return nil, h.resync(ctx)
	}
	return nil, receiver.Permanent(fmt.Errorf("terminate does not handle events of type %q", e.Type()))
}

// echo says that the event tells of a status write of an instance that is stopping the Task now: the event that it
// works on has not been acknowledged yet, so nothing is lost by taking this one as read.
func (h *Handler) echo(t *v1alpha1.Task) bool {
	s := t.Status.Termination
	return s != nil && s.Log == v1alpha1.LogDelivering && s.RenewedAt != nil && h.Now().Sub(s.RenewedAt.Time) < claimTime
}

// resync finds the Tasks that were asked to stop and are not done with.
func (h *Handler) resync(ctx context.Context) error {
	found, err := h.Kf.Tasks("").List(ctx, metav1.ListOptions{FieldSelector: notSettled})
	if err != nil {
		return fmt.Errorf("list Tasks to be stopped: %w", err)
	}
	var group errgroup.Group
	group.SetLimit(64) // most of the time they wait for a grace period to pass
	for _, t := range found.Items {
		if h.echo(&t) {
			continue
		}
		group.Go(func() error { return h.terminate(ctx, &t) })
	}
	return group.Wait()
}

// terminate sees to it that the Task is stopped, once at a time in this process. The work goes on when the sender of
// the event hangs up, and a redelivery joins it.
func (h *Handler) terminate(ctx context.Context, t *v1alpha1.Task) error {
	h.mu.Lock()
	f, ok := h.flights[t.UID]
	if !ok {
		f = &flight{done: make(chan struct{})}
		if h.flights == nil {
			h.flights = map[types.UID]*flight{}
		}
		h.flights[t.UID] = f
		h.wg.Go(func() {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.Limits.Whole)
			defer cancel()
			f.err = h.step(work, t.Namespace, t.Name, t.UID)
			h.mu.Lock()
			delete(h.flights, t.UID)
			h.mu.Unlock()
			close(f.done)
		})
	}
	h.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("Task %s/%s is still being stopped: %w", t.Namespace, t.Name, ctx.Err())
	}
}

// Drain waits until no Task is being stopped.
func (h *Handler) Drain() { h.wg.Wait() }

// step reads, decides and acts, again after each act that leads to another.
func (h *Handler) step(ctx context.Context, namespace, name string, uid types.UID) error {
	log := logging.FromContext(ctx).With("task", namespace+"/"+name)
	for {
		task, err := h.Kf.Tasks(namespace).Get(ctx, name, metav1.GetOptions{})
		if errors.IsNotFound(err) || err == nil && task.UID != uid {
			log.Infow("decided", "action", Nothing, "reason", "the Task is gone")
			return nil
		}
		if err != nil {
			return fmt.Errorf("get Task %s/%s: %w", namespace, name, err)
		}
		run, err := h.Tekton.PipelineRuns(namespace).Get(ctx, name, metav1.GetOptions{})
		if errors.IsNotFound(err) {
			run = nil
		} else if err != nil {
			return fmt.Errorf("get PipelineRun %s/%s: %w", namespace, name, err)
		}

		d := Decide(task, run, h.Me, h.Now())

		log.Infow("decided", "action", d.Action, "reason", d.Message)
		switch d.Action {
		case Nothing:
			return nil
		case Leave, Wait:
			return fmt.Errorf("Task %s/%s: %s", namespace, name, d.Message)
		case Bury:
			_, err := h.Tekton.PipelineRuns(namespace).Create(ctx, pipelinerun.Tombstone(task), metav1.CreateOptions{})
			if err != nil && !errors.IsAlreadyExists(err) { // if it exists, it is looked at next
				return fmt.Errorf("create cancelled PipelineRun %s/%s: %w", namespace, name, err)
			}
		case Settle:
			_, err := client.PatchStatus(ctx, h.Kf.Tasks(namespace), task, func(t *v1alpha1.Task) {
				Finish(t, Progress{}, d.Log, d.Message, h.Now())
			})
			return ignoreGone(err)
		case Deliver:
			return ignoreGone(h.deliver(ctx, task, run))
		}
	}
}

// cancel asks Tekton to stop the run. What has ended stays as it is.
func (h *Handler) cancel(ctx context.Context, run *tekton.PipelineRun) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": run.UID},
		"spec":     map[string]any{"status": tekton.PipelineRunSpecStatusCancelled},
	})
	if err != nil {
		return err
	}
	_, err = h.Tekton.PipelineRuns(run.Namespace).Patch(ctx, run.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err == nil || errors.IsNotFound(err) {
		return nil
	}
	// Tekton's admission refuses to change a run that has ended; then there is nothing to cancel.
	if now, gerr := h.Tekton.PipelineRuns(run.Namespace).Get(ctx, run.Name, metav1.GetOptions{}); gerr == nil && now.IsDone() {
		return nil
	}
	return fmt.Errorf("cancel PipelineRun %s/%s: %w", run.Namespace, run.Name, err)
}

// ignoreGone: a Task that was deleted meanwhile needs nothing more.
func ignoreGone(err error) error {
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
