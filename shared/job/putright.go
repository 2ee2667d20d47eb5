package job

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Created is the Task that the plan creates, if any.
func (p Plan) Created() []*v1alpha1.Task {
	if p.Create == nil {
		return nil
	}
	return []*v1alpha1.Task{p.Create}
}

// Withholds says that by the plan an instant did not run.
func (p Plan) Withholds() bool {
	return slices.ContainsFunc(p.Records, func(d v1alpha1.Decision) bool { return d.Outcome != v1alpha1.OutcomeRan })
}

// HavingRun puts on record that these Tasks, which a tick has created for the Job, run, where the history does not say so. Two ticks at
// once may have read a Job, its App and its Space before and after an edit: then one runs an instant, and the other has put on record
// that a blackout left it out, or that the schedule no more names it. What ran is what counts.
func (p Plan) HavingRun(j *v1alpha1.TaskSchedule, tasks []*v1alpha1.Task) Plan {
	when := timetableOf(j)
	status := j.Status.DeepCopy()
	if p.Status != nil {
		status = p.Status.DeepCopy()
	}
	for _, t := range tasks {
		d := decision(j, t.Instant(), v1alpha1.OutcomeRan, "")
		recorded := func(r v1alpha1.Decision) bool { return r.Outcome == v1alpha1.OutcomeRan && r.Task == t.Name }
		if status.DecidedUntil == nil || open(*status, when, d.Instant.Time) || slices.ContainsFunc(status.History, recorded) {
			continue
		}
		status.History = putRight(status.History, when, d)
		status.Active = newest(append(status.Active, corev1.LocalObjectReference{Name: t.Name}))
		if last := status.LastScheduleTime; last == nil || last.Time.Before(d.Instant.Time) {
			status.LastScheduleTime = &d.Instant
		}
		p.Status, p.Records = status, slices.Concat([]v1alpha1.Decision{d}, p.Records)
	}
	return p
}

// putRight puts a record in its place among others, newest first, and in place of what one of them says of its instant: one that stands
// for several is parted there.
func putRight(records []v1alpha1.Decision, when timetable, d v1alpha1.Decision) []v1alpha1.Decision {
	instant := d.Instant.Time
	newer := func(r v1alpha1.Decision) int64 { // how many of those that it stands for are
		instants, _ := when.Between(instant, r.Instant.Add(time.Second), maxMissed)
		return int64(len(instants))
	}
	at := 0
	for at < len(records) && records[at].Instant.Time.After(instant) && newer(records[at]) >= max(records[at].Count, 1) {
		at++
	}
	before, after := records[:at:at], records[at:]
	if len(after) > 0 && !after[0].Instant.Time.Before(instant) {
		r, n := after[0], newer(after[0])
		before = append(before, standsFor(r, r.Instant.Time, n)...)
		last := when.MostRecent(instant.AddDate(-1, 0, 0), instant.Add(-time.Second))
		after = append(standsFor(r, last, max(r.Count, 1)-n-1), after[1:]...)
	}
	records = slices.Concat(before, []v1alpha1.Decision{d}, after)
	return records[:min(len(records), maxHistory)]
}

// standsFor is a record that says the same of as many instants up to the last one.
func standsFor(r v1alpha1.Decision, last time.Time, count int64) []v1alpha1.Decision {
	if r.Instant = (metav1.Time{Time: last}); count < 1 {
		return nil
	}
	if r.Count = count; count == 1 {
		r.Count = 0
	}
	return []v1alpha1.Decision{r}
}
