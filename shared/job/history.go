package job

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

const (
	maxHistory = 50   // records, as the CRD has it
	maxMissed  = 1000 // instants that are counted after an outage: two milliseconds
)

// Instants is a set of them, by Unix seconds.
type Instants map[int64]bool

// Made are the instants whose Tasks are among these.
func Made(j *v1alpha1.TaskSchedule, tasks []*v1alpha1.Task) Instants {
	made := Instants{}
	for _, t := range tasks {
		if instant, ok := instantOf(j, t); ok {
			made[instant.Unix()] = true
		}
	}
	return made
}

// decision is the record of an instant. Where it ran, it names its Task.
func decision(j *v1alpha1.TaskSchedule, instant time.Time, outcome v1alpha1.Outcome, message string) v1alpha1.Decision {
	d := v1alpha1.Decision{Instant: metav1.Time{Time: instant}, Outcome: outcome, Message: message}
	if outcome == v1alpha1.OutcomeRan {
		d.Task = j.TaskName(instant)
	}
	return d
}

// passedBy decides instants that were passed by, newest first as the timetable has them: those whose Task is there have
// run. The decisions are oldest first.
func passedBy(j *v1alpha1.TaskSchedule, made Instants, passed []time.Time, outcome v1alpha1.Outcome, why string) []v1alpha1.Decision {
	var decisions []v1alpha1.Decision
	for _, instant := range slices.Backward(passed) {
		if made[instant.Unix()] {
			decisions = append(decisions, decision(j, instant, v1alpha1.OutcomeRan, ""))
		} else {
			decisions = append(decisions, decision(j, instant, outcome, why))
		}
	}
	return decisions
}

// record moves the watermark of a status over decisions, oldest first, and notes them in its history. Records of the
// same kind are folded only while nothing lies between them, such as an edit of the schedule: then the latest instant
// and the count say which they were.
func record(s v1alpha1.TaskScheduleStatus, when timetable, decisions []v1alpha1.Decision) v1alpha1.TaskScheduleStatus {
	for i, d := range decisions {
		known := i > 0 || len(s.History) > 0 && (s.History[0].Instant.Time.Equal(s.DecidedUntil.Time) ||
			!d.Instant.After(s.DecidedUntil.Time)) // or it was owed
		s.History = fold(s.History, d, known && when.follows(s.History, d))
		if last := s.LastScheduleTime; d.Outcome == v1alpha1.OutcomeRan && (last == nil || last.Time.Before(d.Instant.Time)) {
			s.LastScheduleTime = &d.Instant
		}
		if s.DecidedUntil.Time.Before(d.Instant.Time) {
			s.DecidedUntil = &d.Instant
		}
	}
	return s
}

// follows says whether an instant is the next after that of the newest record: others between them may be owed.
func (t timetable) follows(records []v1alpha1.Decision, d v1alpha1.Decision) bool {
	return len(records) > 0 && t.Next(records[0].Instant.Time).Equal(d.Instant.Time)
}

// fold puts a record before the others, newest first, or into the newest one if that says the same.
func fold(records []v1alpha1.Decision, d v1alpha1.Decision, follows bool) []v1alpha1.Decision {
	if follows && d.Outcome != v1alpha1.OutcomeRan {
		last := records[0]
		if last.Outcome == d.Outcome && last.Task == d.Task && last.Message == d.Message {
			d.Count = max(last.Count, 1) + 1
			return slices.Concat([]v1alpha1.Decision{d}, records[1:])
		}
	}
	records = slices.Concat([]v1alpha1.Decision{d}, records)
	return records[:min(len(records), maxHistory)]
}
