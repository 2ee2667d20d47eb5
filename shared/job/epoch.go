package job

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// newEpoch says whether the Job's schedules, zone or suspension are others than those that its status is about. A
// suspension and its end leave the hash as it was, so two edits that nobody saw one by one are taken for that.
func newEpoch(j *v1alpha1.TaskSchedule, when timetable) bool {
	s := j.Status
	return s.DecidedUntil == nil || s.ScheduleHash != when.hash || j.Generation > s.ObservedGeneration+1 || restored(j)
}

// restored says that the status is that of another Job: from a backup, or from another cluster.
func restored(j *v1alpha1.TaskSchedule) bool {
	of := j.Status.JobUID
	return of != "" && of != j.UID
}

// migrated says that the status is not of this system but of Kf, which has no watermark.
func migrated(j *v1alpha1.TaskSchedule) bool {
	s := j.Status
	return s.DecidedUntil == nil && (s.ObservedGeneration > 0 || s.LastScheduleTime != nil || len(s.Conditions)+len(s.Active) > 0)
}

// maxAhead is how far two clocks may differ without a word: a tick comes every minute.
const maxAhead = time.Minute

// ahead says that a watermark is in the future.
func ahead(decidedUntil *metav1.Time, now time.Time) bool {
	return decidedUntil != nil && decidedUntil.Time.After(now.Add(maxAhead))
}

// enterEpoch is the Job's status in its present epoch, and what was decided on what the one before still owed.
func (s situation) enterEpoch() (v1alpha1.TaskScheduleStatus, []v1alpha1.Decision) {
	status := *s.job.Status.DeepCopy()
	status.ScheduleHash, status.ObservedGeneration, status.JobUID, status.SpecChangedAt = s.when.hash, s.job.Generation, s.job.UID, nil
	if at := recordedAt(s.job); !at.IsZero() {
		status.SpecChangedAt = &metav1.Time{Time: at}
	}
	if !newEpoch(s.job, s.when) {
		return status, nil
	}
	began := changedAt(s.job, s.when, s.now)
	var closed []v1alpha1.Decision
	if status.DecidedUntil != nil && !restored(s.job) {
		for _, o := range status.Owed {
			why := o.Message + "; the Job was suspended or rescheduled before it could run"
			closed = append(closed, s.give(o, v1alpha1.OutcomeMissed, why)...)
		}
		closed = append(closed, closeEpoch(s.job, s.when, s.facts.Made, began)...)
	}
	status.Owed = nil
	status = record(status, s.when, closed)
	if status.DecidedUntil == nil || status.DecidedUntil.Time.Before(began) || ahead(status.DecidedUntil, s.now) {
		status.DecidedUntil = &metav1.Time{Time: began}
	}
	return status, closed
}

// closeEpoch decides what the epoch before still owed when the present one began, oldest first.
func closeEpoch(j *v1alpha1.TaskSchedule, when timetable, made Instants, began time.Time) []v1alpha1.Decision {
	from, was := j.Status.DecidedUntil.Time, j.Status.ScheduleHash
	if !sameSchedule(j, when) { // of schedules that were replaced only the runs are known
		ran := madeWithin(j, made, from, began)
		for _, d := range madeWithin(j, made, began, began.Add(maxAhead)) { // by a clock that was ahead of the edit's
			if t := d.Instant.Time; !when.MostRecent(t.Add(-time.Second), t).Equal(t) {
				ran = append(ran, d) // else the present epoch decides it
			}
		}
		return ran
	}
	outcome, why := v1alpha1.OutcomeSuspended, "the Job was suspended"
	switch {
	case j.Spec.Suspend && !wasSuspended(j):
		outcome, why = v1alpha1.OutcomeMissed, "the Job was suspended before it could run"
	case was == when.hash && !j.Spec.Suspend:
		outcome, why = v1alpha1.OutcomeMissed, "the Job was edited several times, and maybe suspended, before it could run"
	}
	passed, _ := when.Between(from, began.Add(time.Second), maxMissed)
	return passedBy(j, made, passed, outcome, why)
}

// madeWithin are the runs after one time and up to another, oldest first.
func madeWithin(j *v1alpha1.TaskSchedule, made Instants, from, to time.Time) (ran []v1alpha1.Decision) {
	for _, seconds := range slices.Sorted(maps.Keys(made)) {
		if t := time.Unix(seconds, 0).UTC(); t.After(from) && !t.After(to) {
			ran = append(ran, decision(j, t, v1alpha1.OutcomeRan, ""))
		}
	}
	return ran
}

// sameSchedule says that schedules and zone are those of the epoch before; wasSuspended, that the Job did not run then.
func sameSchedule(j *v1alpha1.TaskSchedule, when timetable) bool {
	return strings.TrimSuffix(j.Status.ScheduleHash, suspendedMark) == strings.TrimSuffix(when.hash, suspendedMark)
}

func wasSuspended(j *v1alpha1.TaskSchedule) bool {
	return strings.HasSuffix(j.Status.ScheduleHash, suspendedMark)
}

// changedAt is when the Job got the schedule that it has: its creation, or the last time that anybody changed its spec,
// as the API server recorded it to the second; now if it did not, for the time before must not be owed. A clock that is
// behind the API server's, however far, does not make the change earlier.
func changedAt(j *v1alpha1.TaskSchedule, when timetable, now time.Time) time.Time {
	at := recordedAt(j)
	if migrated(j) || unrecorded(j, when, at) || at.IsZero() {
		at = now
	}
	return at.UTC().Truncate(time.Second)
}

// unrecorded says that the API server has no time of the change that began the epoch. It keeps none of an edit that only
// removes fields: such an edit leaves the latest time as it was when the status was written, and a Job that is resumed
// by removing spec.suspend leaves nobody as who set that.
func unrecorded(j *v1alpha1.TaskSchedule, when timetable, at time.Time) bool {
	s := j.Status
	if s.DecidedUntil == nil || restored(j) {
		return false
	}
	seen := s.SpecChangedAt
	if seen == nil {
		seen = s.DecidedUntil // written by a version that did not keep it
	}
	resumed := !j.Spec.Suspend && wasSuspended(j) && sameSchedule(j, when)
	return !at.After(seen.Time) || resumed && !slices.ContainsFunc(j.ManagedFields, func(m metav1.ManagedFieldsEntry) bool {
		return ofSpec(m) && strings.Contains(m.FieldsV1.GetRawString(), `"f:suspend":`)
	})
}

// recordedAt is the latest time that the API server has on record for a change of the spec; zero if it has none.
func recordedAt(j *v1alpha1.TaskSchedule) (at time.Time) {
	if j.Generation <= 1 {
		return j.CreationTimestamp.UTC()
	}
	for _, m := range j.ManagedFields {
		if m.Time != nil && ofSpec(m) && m.Time.After(at) {
			at = m.Time.UTC()
		}
	}
	return at
}

func ofSpec(m metav1.ManagedFieldsEntry) bool {
	return m.Subresource == "" && strings.Contains(m.FieldsV1.GetRawString(), `"f:spec":`)
}
