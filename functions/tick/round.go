package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/resync"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// tick runs what is due, then waits for what starts before the next tick: by jitter, or because this one came before its minute.
// When the event was sent is of no account: it may have been delayed, and what was missed before it is found as well.
func (h *Handler) tick(ctx context.Context, of events.Shard) error {
	later, owing, err := h.all(ctx, of)
	if err != nil {
		return err
	}
	var catchUp errgroup.Group // beside what starts before the next tick, which is not to wait for it
	catchUp.Go(func() error { return h.catchUp(ctx, owing) })
	return errors.Join(h.runLater(ctx, of, later), catchUp.Wait())
}

// runLater runs what starts before the next tick, each at its second.
func (h *Handler) runLater(ctx context.Context, of events.Shard, later []decided) error {
	slices.SortFunc(later, func(a, b decided) int { return a.plan.Start.Compare(b.plan.Start) })
	var group errgroup.Group
	for len(later) > 0 {
		start := later[0].plan.Start
		n := slices.IndexFunc(later, func(d decided) bool { return d.plan.Start.After(start) })
		if n < 0 {
			n = len(later)
		}
		these := later[:n]
		later = later[n:]
		select {
		case <-h.After(start.Sub(h.Now())):
			group.Go(func() error { return h.round(of).run(ctx, resync.Of(these)) })
		case <-ctx.Done():
			return errors.Join(ctx.Err(), group.Wait())
		}
	}
	return group.Wait()
}

// catchUp runs what Jobs owe for a time before, the oldest first: so many instants of a Job each minute, for all of them at once would
// be in the way of all else. What is left, and what failed, is the next tick's.
func (h *Handler) catchUp(ctx context.Context, owing []decided) error {
	end := job.NextTick(h.Now())
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

// all runs what is due now of a shard, and returns the Jobs that start before the next tick, and those that owe more.
func (h *Handler) all(ctx context.Context, of events.Shard) (later, owing []decided, err error) {
	unlock := h.ticking.lock(of)
	defer unlock()
	r := h.round(of)
	err = r.run(ctx, r.dueFirst(ctx))
	telemetry.JobsOverdue(ctx, r.overdue)
	return r.later, r.owing, err
}

// round is some Jobs decided once. First all Tasks are created, for that is what people wait for, then the Jobs are written.
type round struct {
	*Handler
	shard events.Shard
	facts *gatherer
	began time.Time

	jobs    int // that were looked at
	overdue int // that have not succeeded in time, as they said before this round

	mu    sync.Mutex
	acted []decided // the plan is carried out, and is to be written into the Job
	later []decided // the next run starts before the next tick
	owing []decided // something that is past may start now
}

type decided struct {
	*v1alpha1.TaskSchedule
	plan job.Plan
	read time.Time // when the Job was
}

func (h *Handler) round(of events.Shard) *round {
	return &round{Handler: h, shard: of, began: h.Now()}
}

// run decides Jobs that are not at rest.
func (r *round) run(ctx context.Context, jobs iter.Seq2[decided, error]) error {
	r.facts = r.gatherer(ctx, "", v1alpha1.TaskScheduleLabel)
	_, failed, err := resync.Count(ctx, r.Workers, jobs, func(d decided) error { return r.createTask(ctx, d) })
	created := r.Now()
	failed += r.writeJobs(ctx)
	logging.FromContext(ctx).Infow("tick", "shard", r.shard.String(), "jobs", r.jobs,
		"acted", len(r.acted), "failed", failed, "later", len(r.later), "overdue", r.overdue,
		"created", created.Sub(r.began).Round(time.Millisecond).String(), "took", r.Now().Sub(r.began).Round(time.Millisecond).String())
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d Jobs were not done", failed)
	}
	return err
}

// createTask decides a Job and creates its Task. One that was read long ago, or written since, is read again.
func (r *round) createTask(ctx context.Context, d decided) error {
	j := d.TaskSchedule
	if r.Now().Sub(d.read) >= r.Stale || !d.plan.Empty() {
		var err error
		if j, err = client.FindAgain(ctx, r.Kf.TaskSchedules(j.Namespace), j); j == nil {
			return err
		}
	}
	plan, err := r.act(ctx, r.facts, j, job.Decide)
	if err == nil {
		r.keep(decided{j, plan, d.read})
	}
	return err
}

// keep keeps what is left of a plan: what is to be written, and what starts later.
func (r *round) keep(d decided) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !d.plan.Empty() {
		r.acted = append(r.acted, d)
	}
	if !d.plan.Start.IsZero() {
		r.later = append(r.later, d)
	}
	if d.plan.More {
		r.owing = append(r.owing, d)
	}
}

// writeJobs writes what was decided into the Jobs. That an instant did not run is decided anew, for since then another tick may have run
// it, which knew nothing of a pause or a blackout as yet.
func (r *round) writeJobs(ctx context.Context) (failed int) {
	_, failed, _ = resync.Count(ctx, r.Workers, resync.Of(r.acted), func(d decided) error {
		if d.plan.Withholds() {
			return r.again(ctx, events.HintAt(d), job.Decide, d.plan.Created()...)
		}
		err := r.record(ctx, d.TaskSchedule, d.plan)
		if apierrors.IsConflict(err) { // another tick, or an edit
			return r.again(ctx, events.HintAt(d), job.Decide, d.plan.Created()...)
		}
		return err
	})
	return failed
}
