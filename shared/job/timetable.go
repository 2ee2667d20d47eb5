package job

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// timetable is when a Job runs, as its spec says.
type timetable struct {
	schedule.Schedule
	zone *time.Location
	// jitter is how long after its instants the Job starts: always the same for one Job.
	jitter time.Duration
	// hash tells one epoch from another: schedules, zone, suspension.
	hash string
	// zoneErr and scheduleErr say why there is no schedule, and what to write instead.
	zoneErr, scheduleErr error
}

// suspendedMark is what tells the hash of a suspended Job from the same Job's when it is not.
const suspendedMark = "-suspended"

func timetableOf(j *v1alpha1.TaskSchedule) timetable {
	expressions := j.Expressions()
	said := append(slices.Clip(expressions), j.Spec.TimeZone)
	from, to := dates(j)
	if !from.IsZero() || !to.IsZero() {
		said = append(said, fmt.Sprint(from.Unix(), to.Unix()))
	}
	sum := sha256.Sum256([]byte(strings.Join(said, "\x00")))
	t := timetable{hash: hex.EncodeToString(sum[:8]), jitter: Jitter(j)}
	if j.Spec.Suspend {
		t.hash += suspendedMark
	}
	if t.zone, t.zoneErr = schedule.LoadZone(j.Spec.TimeZone); t.zoneErr != nil || len(expressions) == 0 {
		return t
	}
	t.Schedule, t.scheduleErr = schedule.Parse(t.zone, schedule.Spread(j.Namespace+"/"+j.Name, expressions)...)
	t.Schedule = t.Within(from, to)
	if j.Spec.Suspend && errors.Is(t.scheduleErr, schedule.ErrNever) {
		t.scheduleErr = nil // Kf suspends Jobs that have no schedule so
	}
	return t
}

// dates are between which a Job runs; a zero time is no bound.
func dates(j *v1alpha1.TaskSchedule) (from, to time.Time) {
	if j.Spec.StartDate != nil {
		from = j.Spec.StartDate.Time
	}
	if j.Spec.EndDate != nil {
		to = j.Spec.EndDate.Time
	}
	return from, to
}

// err says what is wrong with the schedule.
func (t timetable) err() error {
	if t.zoneErr != nil {
		return t.zoneErr
	}
	return t.scheduleErr
}

// Jitter is how long after its instants a Job starts: always the same for one Job, below spec.jitterSeconds.
func Jitter(j *v1alpha1.TaskSchedule) time.Duration {
	if j.Spec.JitterSeconds <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(j.UID))
	return time.Duration(h.Sum64()%uint64(j.Spec.JitterSeconds)) * time.Second
}

// Preview is the first n instants of a Job's schedule after now, in its zone, whether or not it is suspended; none if
// it has no schedule. The error says what is wrong with the schedule, and what to write instead.
func Preview(j *v1alpha1.TaskSchedule, now time.Time, n int) ([]time.Time, error) {
	when := timetableOf(j)
	if err := when.err(); err != nil {
		return nil, err
	}
	instants := when.NextN(now, n)
	for i := range instants {
		instants[i] = instants[i].In(when.zone)
	}
	return instants, nil
}

// nextInstant is when the Job is due next after its watermark; the zero time if no schedule runs it.
func nextInstant(j *v1alpha1.TaskSchedule, when timetable, decidedUntil time.Time) time.Time {
	if j.Spec.Suspend {
		return time.Time{}
	}
	if p := j.Spec.Pause; p != nil && p.Until == nil {
		return time.Time{}
	} else if p != nil && p.Until.After(decidedUntil) {
		decidedUntil = p.Until.Add(-time.Second)
	}
	return when.Next(decidedUntil)
}

// early is how much sooner than its minute a tick may come: the clock of who sends it may be ahead of ours.
const early = 10 * time.Second

// NextTick is when the tick after one that comes now is to come. One that comes shortly before a minute is that minute's.
func NextTick(now time.Time) time.Time {
	return now.Add(early).Truncate(time.Minute).Add(time.Minute)
}

// startWithin is when the next run starts if that is after now and before the next tick comes, because of jitter or because this
// tick is early; else the zero time.
func startWithin(when timetable, next, now time.Time) time.Time {
	start := next.Add(when.jitter)
	if next.IsZero() || !start.After(now) || !start.Before(NextTick(now)) {
		return time.Time{}
	}
	return start
}
