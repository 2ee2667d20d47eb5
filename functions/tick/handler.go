package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// staleAfter is how old what was listed may be when a Task is created from it. After that the Job is read again: it may
// have been decided, and its Task deleted, by another tick meanwhile.
const staleAfter = 10 * time.Second

// Handler runs Jobs.
type Handler struct {
	Kf       *client.Client
	Emit     func(context.Context, cloudevents.Event) error
	Now      func() time.Time
	Sleep    func(context.Context, time.Duration) error
	Workers  int
	PageSize int64

	ticking sync.Mutex // one tick after the other: the second of two that come at once finds nothing left to do
}

// Handle handles the ping of every minute, the ping that looks for new Jobs whose event was lost, a change of a Job, or
// the command to run one.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.Ping:
		if strings.HasSuffix(e.Source(), "/pingsources/resync") {
			return nil, h.resync(ctx)
		}
		return nil, h.tick(ctx)
	case events.ResourceAdded, events.ResourceUpdated:
		var job v1alpha1.TaskSchedule
		if err := events.Object(e, &job); err != nil {
			return nil, receiver.Permanent(err)
		}
		return nil, h.settle(ctx, &job)
	case events.JobRun:
		return nil, h.run(ctx, e)
	}
	return nil, receiver.Permanent(fmt.Errorf("tick does not handle events of type %q", e.Type()))
}

// tick runs what is due, then waits for what its jitter makes due within this minute. When the event was sent is of no
// account: it may have been delayed, and what was missed before it is found as well.
func (h *Handler) tick(ctx context.Context) error {
	later, err := h.all(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(later, func(a, b start) int { return a.at.Compare(b.at) })
	var group errgroup.Group
	group.SetLimit(h.Workers)
	for _, s := range later {
		if err := h.Sleep(ctx, s.at.Sub(h.Now())); err != nil {
			return err
		}
		group.Go(func() error { return h.again(ctx, s.job, false) })
	}
	return group.Wait()
}

// start is a Job whose next run starts before the next tick.
type start struct {
	at  time.Time
	job *v1alpha1.TaskSchedule
}

// all decides every Job once. First all Tasks are created, for that is what people wait for, then the Jobs are written.
func (h *Handler) all(ctx context.Context) (later []start, err error) {
	h.ticking.Lock()
	defer h.ticking.Unlock()
	began, log := h.Now(), logging.FromContext(ctx)
	type planned struct {
		job  *v1alpha1.TaskSchedule
		plan Plan
	}
	var (
		mu     sync.Mutex
		acted  []planned
		jobs   int
		failed atomic.Int32
		read   = h.reader(ctx, "", v1alpha1.TaskScheduleLabel)
	)
	fail := func(job *v1alpha1.TaskSchedule, err error) {
		if failed.Add(1) <= 10 { // the first tell enough
			log.Warnw("not done; to be tried again", "job", job.Namespace+"/"+job.Name, "error", err)
		}
	}
	listed := time.Now()
	var acting errgroup.Group
	acting.SetLimit(h.Workers)
	err = h.each(ctx, metav1.ListOptions{}, func(job *v1alpha1.TaskSchedule) {
		jobs++
		plan := Decide(job, Known{}, began)
		if !plan.Needed(job) {
			if !plan.Start.IsZero() {
				mu.Lock()
				later = append(later, start{plan.Start, job})
				mu.Unlock()
			}
			return
		}
		acting.Go(func() error {
			if time.Since(listed) > staleAfter {
				return h.again(ctx, job, false)
			}
			plan, err := h.act(ctx, read, job, false)
			if err != nil {
				fail(job, err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if plan.Needed(job) {
				acted = append(acted, planned{job, plan})
			}
			if !plan.Start.IsZero() {
				later = append(later, start{plan.Start, job})
			}
			return nil
		})
	})
	acting.Wait()
	created := h.Now().Sub(began)
	var recording errgroup.Group
	recording.SetLimit(h.Workers)
	for _, p := range acted {
		recording.Go(func() error {
			if err := h.record(ctx, p.job, p.plan, false); err != nil {
				fail(p.job, err)
			}
			return nil
		})
	}
	recording.Wait()
	log.Infow("tick", "jobs", jobs, "acted", len(acted), "failed", failed.Load(), "later", len(later),
		"created", created.Round(time.Millisecond).String(), "took", h.Now().Sub(began).Round(time.Millisecond).String())
	if err == nil && failed.Load() > 0 {
		err = fmt.Errorf("%d of %d Jobs were not done", failed.Load(), jobs)
	}
	return later, err
}

// resync settles new Jobs whose event was lost: the label comes last, so those without it are not done.
func (h *Handler) resync(ctx context.Context) error {
	var failed error
	err := h.each(ctx, metav1.ListOptions{LabelSelector: "!" + v1alpha1.SuspendLabel}, func(job *v1alpha1.TaskSchedule) {
		if err := h.settle(ctx, job); err != nil {
			failed = err
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// settle brings a Job's status up to date with its spec. It runs nothing: an event may bring a Job as it was long ago.
func (h *Handler) settle(ctx context.Context, job *v1alpha1.TaskSchedule) error {
	if plan := Decide(job, Known{NoTick: true}, h.Now()); !plan.Needed(job) {
		return nil // most events are of our own writes
	}
	return h.again(ctx, job, true)
}

// Sleep waits for a time, or for the end of the request.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
