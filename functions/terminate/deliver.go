package main

import (
	"context"
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// Limits are how long terminate waits for what.
type Limits struct {
	// Open: for a running container's log to be opened. A node that does not answer must not keep a Task running.
	Open time.Duration
	// Gone: for the Pod to go after its container has ended.
	Gone time.Duration
	// Whole: for everything. It is less than Knative's timeout of a request, so that the sender hears of it.
	Whole time.Duration
}

// DefaultLimits are what the function runs with.
var DefaultLimits = Limits{Open: 20 * time.Second, Gone: time.Minute, Whole: 590 * time.Second}

// deliver stops a Task whose PipelineRun is there: it opens the log, cancels the run, so that the process gets its signal
// and its grace period, delivers the log to its end, and sees the Pod gone. doc.go says why in this order.
func (h *Handler) deliver(ctx context.Context, task *v1alpha1.Task, pr *tekton.PipelineRun) error {
	lease, err := delivery.AcquireLease(ctx, h.Kf.Tasks(task.Namespace), task, h.Me, h.Now)
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	to, spool := h.Archive.sinks(h.Sink, task)
	defer func() { spool.Close() }()
	s := h.startReading(ctx, lease, pr, to)
	go lease.Keep(ctx, s.log.Progress, giveUp)

	if err := s.openLog(ctx); err != nil {
		return err
	}
	if task.Spec.Terminated {
		if err := s.cancel(ctx, h.Now); err != nil {
			return err
		}
	}
	if err := s.readToTheEnd(ctx, h.stillToCancel(task, s)); err != nil {
		return err
	}
	progress, log, message := s.verdict(ctx)
	telemetry.Log(ctx, progress.Lines, log == v1alpha1.LogIncomplete)
	logging.FromContext(ctx).Infow("stopped", "task", s.name, "log", log, "lines", progress.Lines, "message", message)
	if err := lease.Finish(ctx, progress, log, message); err != nil {
		return err
	}
	spool = h.keep(ctx, task, spool, NotKept(lease.Before, log, message))
	return s.seePodsGone(ctx)
}

// cancel cancels the run.
func (s *stop) cancel(ctx context.Context, now func() time.Time) error {
	cancelled, err := pipelinerun.Cancel(ctx, s.run.tekton, s.run.PipelineRun)
	if cancelled {
		s.log.Note(func(a *delivery.Account) { a.CancelledAt = now() })
	}
	return err
}

// stillToCancel cancels the run of a Task whose limit is waited for, should somebody ask for its end before that.
func (h *Handler) stillToCancel(task *v1alpha1.Task, s *stop) func(context.Context) error {
	return func(ctx context.Context) error {
		if task.Spec.Terminated {
			return nil
		}
		now, err := client.FindAgain(ctx, h.Kf.Tasks(task.Namespace), task)
		if err != nil || now == nil || !now.Spec.Terminated {
			return err
		}
		task = now
		return s.cancel(ctx, h.Now)
	}
}

// stop is a Task being stopped.
type stop struct {
	name   string // NAMESPACE/NAME
	run    *run
	pods   corev1client.PodInterface
	log    *delivery.Delivery
	limits Limits
}

// startReading watches the run's Pods and reads their logs.
func (h *Handler) startReading(ctx context.Context, lease *delivery.Lease, pr *tekton.PipelineRun, to sink.Sink) *stop {
	s := &stop{name: pr.Namespace + "/" + pr.Name, run: &run{h.Tekton, pr}, pods: h.Pods.Pods(pr.Namespace), limits: h.Limits}
	s.log = delivery.Start(ctx, lease, delivery.Settings{
		Pods: tasklog.WatchPods(ctx, s.pods, pipelinerun.Selector(pr)), Streams: h.Streams.Pods(pr.Namespace), Sink: to, Now: h.Now,
		Of: func(p tasklog.Pod) bool { return !p.Created.Before(pr.CreationTimestamp.Time) }, // not of an earlier run of the name
	})
	return s
}

// openLog returns when the log of every container that runs is being received.
func (s *stop) openLog(ctx context.Context) error {
	expired, err := s.log.Within(ctx, s.limits.Open, func(pods []tasklog.Reading) (bool, error) {
		for _, p := range pods {
			if p.Done && apierrors.IsForbidden(p.Err) { // a right can be granted: better late than without its log
				return false, p.Err
			}
		}
		return tasklog.Every(pods, tasklog.Reading.Received), nil
	})
	if expired {
		logging.FromContext(ctx).Warnw("stopping a Task whose log can't be opened", "task", s.name)
	}
	return err
}

// readToTheEnd returns when the run has ended and every Pod's log has been delivered.
func (s *stop) readToTheEnd(ctx context.Context, meanwhile func(context.Context) error) error {
	if err := s.run.awaitEnd(ctx, meanwhile, s.log.Refresh); err != nil {
		return err
	}
	done := func(p tasklog.Reading) bool { return p.Done }
	return s.log.Until(ctx, func(pods []tasklog.Reading) (bool, error) { return tasklog.Every(pods, done), s.sweep(ctx, pods) })
}

func (s *stop) verdict(ctx context.Context) (delivery.Progress, v1alpha1.LogDelivery, string) {
	a := s.log.Account()
	a.Stopped, a.Reason = pipelinerun.Stopped(s.run.PipelineRun), pipelinerun.Reason(s.run.PipelineRun)
	a.Started = !a.PodSeen && s.run.started(ctx)
	log, message := a.Verdict()
	return a.Progress, log, message
}

// seePodsGone waits for the Pods of a stopped run to go.
func (s *stop) seePodsGone(ctx context.Context) error {
	if !pipelinerun.Stopped(s.run.PipelineRun) {
		return nil
	}
	expired, err := s.log.Within(ctx, s.limits.Gone, func(pods []tasklog.Reading) (bool, error) {
		return tasklog.Every(pods, tasklog.Reading.Gone), s.sweep(ctx, pods)
	})
	if expired {
		return fmt.Errorf("the Pod of Task %s is still there", s.name)
	}
	return err
}

// sweep deletes the Pods of a cancelled run that Tekton leaves: one that it was making at that moment, which would run
// on; those of earlier tries; and one that a cluster-wide setting of Tekton's keeps. None goes before its log is being
// received.
func (s *stop) sweep(ctx context.Context, pods []tasklog.Reading) error {
	if !pipelinerun.Stopped(s.run.PipelineRun) {
		return nil
	}
	for _, p := range pods {
		if p.Gone() || p.Deleting || !p.Expendable() {
			continue
		}
		err := s.pods.Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete Pod %s of Task %s: %w", p.Name, s.name, err)
		}
	}
	return nil
}
