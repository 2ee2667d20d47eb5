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
	return s.DecidedUntil == nil || s.ScheduleHash != when.hash || j.Generation > s.ObservedGeneration+1
}

// enterEpoch is the Job's status in its present epoch, and what was decided on what the one before still owed.
func (s situation) enterEpoch() (v1alpha1.TaskScheduleStatus, []v1alpha1.Decision) {
	status := *s.job.Status.DeepCopy()
	status.ScheduleHash, status.ObservedGeneration = s.when.hash, s.job.Generation
	if !newEpoch(s.job, s.when) {
		return status, nil
	}
	began := changedAt(s.job, s.now)
	var closed []v1alpha1.Decision
	if status.DecidedUntil != nil {
		closed = closeEpoch(s.job, s.when, s.facts.Made, began)
	}
	status = record(status, closed)
	if status.DecidedUntil == nil || status.DecidedUntil.Time.Before(began) {
		status.DecidedUntil = &metav1.Time{Time: began}
	}
	return status, closed
}

// closeEpoch decides what the epoch before still owed when the present one began, oldest first.
func closeEpoch(j *v1alpha1.TaskSchedule, when timetable, made Instants, began time.Time) []v1alpha1.Decision {
	from, was := j.Status.DecidedUntil.Time, j.Status.ScheduleHash
	if strings.TrimSuffix(was, suspendedMark) != strings.TrimSuffix(when.hash, suspendedMark) {
		var ran []v1alpha1.Decision // of schedules that were replaced only the runs are known
		for _, seconds := range slices.Sorted(maps.Keys(made)) {
			if t := time.Unix(seconds, 0).UTC(); t.After(from) && !t.After(began) {
				ran = append(ran, decision(j, t, v1alpha1.OutcomeRan, ""))
			}
		}
		return ran
	}
	outcome, why := v1alpha1.OutcomeSuspended, "the Job was suspended"
	switch {
	case j.Spec.Suspend && !strings.HasSuffix(was, suspendedMark):
		outcome, why = v1alpha1.OutcomeMissed, "the Job was suspended before it could run"
	case was == when.hash && !j.Spec.Suspend:
		outcome, why = v1alpha1.OutcomeMissed, "the Job was edited several times, and maybe suspended, before it could run"
	}
	passed, _ := when.Between(from, began.Add(time.Second), maxMissed)
	return passedBy(j, made, passed, outcome, why)
}

// changedAt is when the Job got the schedule that it has: its creation, or the last time that anybody changed its spec,
// as the API server recorded it to the second; now if it did not.
func changedAt(j *v1alpha1.TaskSchedule, now time.Time) time.Time {
	at := j.CreationTimestamp.Time
	if j.Generation > 1 {
		at = time.Time{}
		for _, m := range j.ManagedFields {
			ofSpec := m.Subresource == "" && strings.Contains(m.FieldsV1.GetRawString(), `"f:spec":`)
			if m.Time != nil && ofSpec && m.Time.After(at) {
				at = m.Time.Time
			}
		}
	}
	if at.IsZero() || at.After(now) {
		at = now
	}
	return at.UTC().Truncate(time.Second)
}
