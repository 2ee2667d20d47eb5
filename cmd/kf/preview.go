package main

import (
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// checkSchedules refuses what would schedule nothing: an empty schedule, one of a day that never comes, or one that can't
// be read. A Job that is on record without a schedule may have such; nobody who gives one means it.
func checkSchedules(timeZone string, expressions []string) error {
	zone, err := schedule.LoadZone(timeZone)
	if err != nil {
		return err
	}
	_, err = schedule.Parse(zone, expressions...)
	return err
}

// preview are the next five instants of a Job, as the function tick will decide them.
func preview(j *v1alpha1.TaskSchedule, now time.Time) ([]time.Time, error) {
	return job.Preview(j, now, 5)
}

func (t *target) printNext(j *v1alpha1.TaskSchedule, now time.Time) error {
	next, err := preview(j, now)
	if err != nil || len(next) == 0 {
		return err
	}
	t.printf("Next runs of Job %s (%s):\n", j.Name, next[0].Location())
	for _, instant := range next {
		t.printf("  %s\n", instant.Format("Mon 2006-01-02 15:04 MST"))
	}
	return nil
}
