package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// tick runs what is due, then waits for what its jitter makes due within this minute. When the event was sent is of no
// account: it may have been delayed, and what was missed before it is found as well.
func (h *Handler) tick(ctx context.Context) error {
	later, err := h.round(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(later, func(a, b decided) int { return a.plan.Start.Compare(b.plan.Start) })
	var group errgroup.Group
	group.SetLimit(h.Workers)
	for _, d := range later {
		select {
		case <-h.After(d.plan.Start.Sub(h.Now())):
			group.Go(func() error { return h.again(ctx, hintOf(d.job), job.Decide) })
		case <-ctx.Done():
			return errors.Join(ctx.Err(), group.Wait())
		}
	}
	return group.Wait()
}

// round decides every Job once. First all Tasks are created, for that is what people wait for, then the Jobs are
// written. It returns those that start before the next tick.
func (h *Handler) round(ctx context.Context) ([]decided, error) {
	h.ticking.Lock()
	defer h.ticking.Unlock()
	r := &round{Handler: h, facts: h.gatherer(ctx, "", v1alpha1.TaskScheduleLabel), began: h.Now()}
	err := r.createTasks(ctx)
	created := h.Now()
	r.writeJobs(ctx)
	logging.FromContext(ctx).Infow("tick", "jobs", r.jobs, "acted", len(r.acted), "failed", r.failed, "later", len(r.later),
		"created", created.Sub(r.began).Round(time.Millisecond).String(), "took", h.Now().Sub(r.began).Round(time.Millisecond).String())
	if err == nil && r.failed > 0 {
		err = fmt.Errorf("%d of %d Jobs were not done", r.failed, r.jobs)
	}
	return r.later, err
}

type round struct {
	*Handler
	facts *gatherer
	began time.Time
	jobs  int

	mu     sync.Mutex
	acted  []decided // the plan is carried out, and is to be written into the Job
	later  []decided // the next run starts before the next tick
	failed int
}

type decided struct {
	job  *v1alpha1.TaskSchedule
	plan job.Plan
}

// createTasks decides all Jobs and creates their Tasks.
func (r *round) createTasks(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(r.Workers)
	defer func() { _ = group.Wait() }() // no step returns an error
	// Not from a cache that may be behind: a Job that looks undecided though it was decided would run again if its Task was deleted.
	for j, err := range client.All[*v1alpha1.TaskSchedule](ctx, r.Kf.TaskSchedules(""), metav1.ListOptions{Limit: r.PageSize}) {
		if err != nil {
			return err
		}
		r.jobs++
		if plan, need := job.Decide(j, job.Facts{}, r.began); need == job.NeedNothing && plan.Empty() {
			r.keep(j, plan)
		} else {
			group.Go(r.step(ctx, j, func() error { return r.createTask(ctx, j) }))
		}
	}
	return nil
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
}

// writeJobs writes what was decided into the Jobs.
func (r *round) writeJobs(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(r.Workers)
	for _, a := range r.acted {
		group.Go(r.step(ctx, a.job, func() error {
			err := r.record(ctx, a.job, a.plan)
			if apierrors.IsConflict(err) { // another tick, or an edit
				return r.again(ctx, hintOf(a.job), job.Decide)
			}
			return err
		}))
	}
	_ = group.Wait() // no step returns an error
}

// step is one for a Job, side by side with the others. One that fails costs its Job alone: it is counted, and the first
// are told.
func (r *round) step(ctx context.Context, j *v1alpha1.TaskSchedule, do func() error) func() error {
	return func() error {
		if err := do(); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.failed++; r.failed <= 10 {
				logging.FromContext(ctx).Warnw("not done; to be tried again", "job", j.Namespace+"/"+j.Name, "error", err)
			}
		}
		return nil
	}
}
