package main

import (
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

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
