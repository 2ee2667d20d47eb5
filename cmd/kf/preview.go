package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// checkSchedules refuses what would schedule nothing: an empty schedule, one of a day that never comes or of a time that has passed, or
// one that can't be read. A Job that is on record without a schedule may have such; nobody who gives one means it.
func checkSchedules(timeZone string, expressions []string, now time.Time) error {
	zone, err := schedule.LoadZone(timeZone)
	if err != nil {
		return err
	}
	for _, e := range expressions {
		s, err := schedule.Parse(zone, schedule.Spread("", []string{e})...)
		if err != nil {
			return err
		}
		if schedule.Once(e) && s.Next(now).IsZero() {
			return fmt.Errorf("schedule %.60q is over: give a time that is to come, in the zone %s; kf run-job runs a Job now", e, zone)
		}
	}
	if len(expressions) == 0 {
		return errors.New("no schedule")
	}
	return nil
}

// preview are the next five instants of a Job, as the function tick will decide them.
func preview(j *v1alpha1.TaskSchedule, holds *job.Holds, now time.Time) ([]job.Run, error) {
	return job.Upcoming(j, holds, now, 5)
}

// holds are what a Job's App and Space say of when it runs, as far as the user may read them.
func (t *target) holds(ctx context.Context, j *v1alpha1.TaskSchedule) *job.Holds {
	app, err := client.Find(ctx, t.kf.Apps(t.space), t.space, j.Spec.TaskTemplate.AppRef.Name)
	space, notRead := client.Find(ctx, t.kf.Spaces(), "", t.space)
	if err = errors.Join(err, notRead); err != nil {
		t.progress("Pauses and blackouts of the App and the Space can't be read: %v", err)
	}
	return job.HoldsOf(app, space)
}

func (t *target) printNext(j *v1alpha1.TaskSchedule, holds *job.Holds, now time.Time) error {
	next, err := preview(j, holds, now)
	if err != nil || len(next) == 0 {
		return err
	}
	t.printf("Next runs of Job %s (%s):\n", j.Name, next[0].Instant.Location())
	for _, run := range next {
		t.printf("  %s", run.Instant.Format("Mon 2006-01-02 15:04 MST"))
		if run.But != "" {
			t.printf("  %s", run.But)
		}
		t.printf("\n")
	}
	if !slices.ContainsFunc(next, func(r job.Run) bool { return r.But == "" }) && len(next) == 5 {
		t.printf("  none of these runs at its time\n")
	}
	return nil
}
