package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// timetable is when a Job runs.
type timetable struct {
	schedule.Schedule
	// jitter is how long after its instants the Job starts: always the same for one Job.
	jitter time.Duration
	// problem is the reason why there is no schedule, and message says what to do about it.
	problem, message string
	hash             string
}

// suspended is what tells the hash of a suspended Job from the same Job's when it is not.
const suspended = "-suspended"

func timetableOf(job *v1alpha1.TaskSchedule) timetable {
	expressions := job.Expressions()
	sum := sha256.Sum256([]byte(strings.Join(append(expressions, job.Spec.TimeZone), "\x00")))
	t := timetable{hash: hex.EncodeToString(sum[:8])}
	if job.Spec.Suspend {
		t.hash += suspended
	}
	zone, err := schedule.LoadZone(job.Spec.TimeZone)
	if err != nil {
		t.problem, t.message = ReasonInvalidTimeZone, err.Error()
		return t
	}
	if len(expressions) == 0 {
		return t
	}
	t.Schedule, err = schedule.Parse(zone, expressions...)
	if err != nil && !(job.Spec.Suspend && errors.Is(err, schedule.ErrNever)) {
		t.problem, t.message = ReasonInvalidSchedule, err.Error()
	}
	if job.Spec.JitterSeconds > 0 {
		h := fnv.New64a()
		h.Write([]byte(job.UID))
		t.jitter = time.Duration(h.Sum64()%uint64(job.Spec.JitterSeconds)) * time.Second
	}
	return t
}

// due is the latest instant that is due, the zero time if none is.
func (t timetable) due(job *v1alpha1.TaskSchedule, s v1alpha1.TaskScheduleStatus, known Known, now time.Time) time.Time {
	if known.NoTick || job.Spec.Suspend {
		return time.Time{}
	}
	return t.MostRecent(s.DecidedUntil.Time, now.Add(-t.jitter))
}
