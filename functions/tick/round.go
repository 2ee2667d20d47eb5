package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// tick runs what is due, then waits for what its jitter makes due within this minute. When the event was sent is of no
// account: it may have been delayed, and what was missed before it is found as well.
func (h *Handler) tick(ctx context.Context) error {
	later, owing, err := h.round(ctx)
	if err != nil {
		return err
	}
	var catchUp errgroup.Group // beside what starts within this minute, which is not to wait for it
	catchUp.Go(func() error { return h.catchUp(ctx, owing) })
	return errors.Join(h.runLater(ctx, later), catchUp.Wait())
}

// runLater runs what jitter makes due within this minute, each at its second.
func (h *Handler) runLater(ctx context.Context, later []decided) error {
	slices.SortFunc(later, func(a, b decided) int { return a.plan.Start.Compare(b.plan.Start) })
	var group errgroup.Group
	group.SetLimit(h.Workers)
	for _, d := range later {
		select {
		case <-h.After(d.plan.Start.Sub(h.Now())):
			group.Go(func() error { return h.again(ctx, events.HintAt(d), job.Decide) })
		case <-ctx.Done():
			return errors.Join(ctx.Err(), group.Wait())
		}
	}
	return group.Wait()
}

// catchUp runs what Jobs owe for a time before, the oldest first: so many instants of a Job each minute, for all of them at once would
// be in the way of all else. What is left, and what failed, is the next tick's.
func (h *Handler) catchUp(ctx context.Context, owing []decided) error {
	end := h.Now().Truncate(time.Minute).Add(time.Minute)
	_, failed, err := resync.Count(ctx, h.Workers, resync.Of(owing), func(d decided) error {
		for range job.PerTick {
			plan, err := h.once(ctx, events.HintAt(d), job.Decide)
			if err != nil || !plan.More || !h.Now().Before(end) {
				return err
			}
		}
		return nil
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("what %d of %d Jobs owed was not run", failed, len(owing))
	}
	return err
}

// round decides every Job once. First all Tasks are created, for that is what people wait for, then the Jobs are
// written. It returns those that start before the next tick, and those that owe more.
func (h *Handler) round(ctx context.Context) (later, owing []decided, err error) {
	h.ticking.Lock()
	defer h.ticking.Unlock()
	r := &round{Handler: h, facts: h.gatherer(ctx, "", v1alpha1.TaskScheduleLabel), began: h.Now()}
	jobs, failed, err := r.createTasks(ctx)
	created := h.Now()
	failed += r.writeJobs(ctx)
	logging.FromContext(ctx).Infow("tick", "jobs", jobs, "acted", len(r.acted), "failed", failed, "later", len(r.later),
		"overdue", r.overdue.Load(), "created", created.Sub(r.began).Round(time.Millisecond).String(),
		"took", h.Now().Sub(r.began).Round(time.Millisecond).String())
	telemetry.JobsOverdue(ctx, int(r.overdue.Load()))
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d Jobs were not done", failed, jobs)
	}
	return r.later, r.owing, err
}

type round struct {
	*Handler
	facts *gatherer
	began time.Time

	overdue atomic.Int64 // Jobs that have not succeeded in time, as they said before this round

	mu    sync.Mutex
	acted []decided // the plan is carried out, and is to be written into the Job
	later []decided // the next run starts before the next tick
	owing []decided // something that is past may start now
}

type decided struct {
	*v1alpha1.TaskSchedule
	plan job.Plan
}

// createTasks decides all Jobs and creates their Tasks.
func (r *round) createTasks(ctx context.Context) (jobs, failed int, err error) {
	// Not from a cache that may be behind: a Job that looks undecided though it was decided would run again if its Task was deleted.
	all := client.All[*v1alpha1.TaskSchedule](ctx, r.Kf.TaskSchedules(""), metav1.ListOptions{Limit: r.PageSize})
	return resync.Count(ctx, r.Workers, all, func(j *v1alpha1.TaskSchedule) error {
		if meta.IsStatusConditionTrue(j.Status.Conditions, v1alpha1.ConditionOverdue) {
			r.overdue.Add(1)
		}
		plan, need := job.Decide(j, job.Facts{}, r.began)
		if need == job.NeedNothing && plan.Empty() { // as most are: at rest
			r.keep(j, plan)
			return nil
		}
		return r.createTask(ctx, j)
	})
}

func (r *round) createTask(ctx context.Context, j *v1alpha1.TaskSchedule) error {
	if r.Now().Sub(r.began) >= r.Stale {
		var err error
		if j, err = client.FindAgain(ctx, r.Kf.TaskSchedules(j.Namespace), j); j == nil {
			return err
		}
	}
	plan, err := r.act(ctx, r.facts, j, job.Decide)
	if err == nil {
		r.keep(j, plan)
	}
	return err
}

// keep keeps what is left of a plan: what is to be written, and what starts later.
func (r *round) keep(j *v1alpha1.TaskSchedule, plan job.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !plan.Empty() {
		r.acted = append(r.acted, decided{j, plan})
	}
	if !plan.Start.IsZero() {
		r.later = append(r.later, decided{j, plan})
	}
	if plan.More {
		r.owing = append(r.owing, decided{j, plan})
	}
}

// writeJobs writes what was decided into the Jobs.
func (r *round) writeJobs(ctx context.Context) (failed int) {
	_, failed, _ = resync.Count(ctx, r.Workers, resync.Of(r.acted), func(d decided) error {
		err := r.record(ctx, d.TaskSchedule, d.plan)
		if apierrors.IsConflict(err) { // another tick, or an edit
			return r.again(ctx, events.HintAt(d), job.Decide)
		}
		return err
	})
	return failed
}
