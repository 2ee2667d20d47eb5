package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

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
			if time.Since(listed) >= h.Stale {
				now, err := h.read(ctx, job)
				if err != nil {
					fail(job, err)
				}
				if now == nil {
					return nil
				}
				job = now
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
			err := h.record(ctx, p.job, p.plan)
			if errors.IsConflict(err) { // another tick, or an edit
				err = h.again(ctx, p.job, false)
			}
			if err != nil {
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
