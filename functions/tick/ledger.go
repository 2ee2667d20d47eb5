package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// record notes what was decided for an instant and moves the watermark to it. An instant whose Task is there has run,
// whatever would be decided now: a predecessor was killed before it could say so.
func (p *Plan) record(job *v1alpha1.TaskSchedule, known Known, instant time.Time, outcome v1alpha1.Outcome, task, message string) {
	switch {
	case known.Made[instant.Unix()]:
		outcome, task, message = v1alpha1.OutcomeRan, job.TaskName(instant), ""
	case known.Made == nil && outcome != v1alpha1.OutcomeRan:
		p.Ask = AskMade
	}
	s := &p.Status
	d := v1alpha1.Decision{Instant: metav1.Time{Time: instant}, Outcome: outcome, Task: task, Message: message}
	// Records of the same kind are folded only while nothing lies between them, such as an edit of the schedule: then
	// the latest instant and the count say which they were.
	follows := len(s.History) > 0 && s.History[0].Instant.Time.Equal(s.DecidedUntil.Time)
	s.History = fold(s.History, d, follows)
	p.Records = fold(p.Records, d, len(p.Records) > 0)
	if outcome == v1alpha1.OutcomeRan {
		s.LastScheduleTime = &d.Instant
	}
	s.DecidedUntil = &d.Instant
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

// result notes what became of a Task that has ended.
func (p *Plan) result(task, result string) {
	for i, d := range p.Status.History {
		if d.Outcome == v1alpha1.OutcomeRan && d.Task == task {
			p.Status.History[i].Result = result
		}
	}
}

// instantsOf are the instants whose Tasks are among these, by Unix seconds.
func instantsOf(job *v1alpha1.TaskSchedule, tasks []v1alpha1.Task) map[int64]bool {
	made := map[int64]bool{}
	for _, t := range tasks {
		suffix, ours := strings.CutPrefix(t.Name, job.Name+"-")
		if seconds, err := strconv.ParseInt(suffix, 10, 64); ours && err == nil && metav1.IsControlledBy(&t, job) {
			made[seconds] = true
		}
	}
	return made
}
