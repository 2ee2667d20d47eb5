package main

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Ask says what must be read before a Job can be decided. Most Jobs are decided by what they say themselves.
type Ask string

// What can be asked for.
const (
	AskNothing Ask = ""
	AskApp     Ask = "app"     // whether the Job's App is there
	AskRunning Ask = "running" // the Job's Tasks that have not ended
	AskMade    Ask = "made"    // which instants have their Task already
)

// Known is what was read. What is nil was not.
type Known struct {
	App     *bool
	Running []v1alpha1.Task
	Made    map[int64]bool // by Unix seconds

	Refused string // the API server's word that this Task can never be created
	Blocked string // its word that it can't be created now

	NoTick bool // only what the Job says of itself is of interest, not what is due
}

// Plan is what to do with a Job: create, terminate, then write what is to stand in the Job.
type Plan struct {
	Nothing   bool // is to be done or written
	Ask       Ask  // if set, nothing else is of meaning
	Create    *v1alpha1.Task
	Terminate []string
	Status    v1alpha1.TaskScheduleStatus
	Records   []v1alpha1.Decision // those of this plan alone, newest first
	Labels    map[string]string   // that the Job lacks
	Ended     []string            // Tasks that were active, and are no more
	Start     time.Time           // when, within this minute, the Job's next run starts; zero if not
}

const (
	maxHistory = 50   // records, as the CRD has it
	maxActive  = 100  // names
	maxMissed  = 1000 // instants that are counted after an outage: two milliseconds
	// minDeadline is what every instant is given at the least: a tick comes a little late by its nature.
	minDeadline = 10 * time.Second
)

// Decide says what to do with a Job now. The watermark, status.decidedUntil, is the heart of it: instants up to it were
// decided, and of those after it the latest that has come is due. The others are missed.
//
// The Task is created before the watermark is written. Killed in between, the next plan is the same, and the Task's name
// is taken; once it is written, the Task does not come back, even when it has been deleted.
func Decide(job *v1alpha1.TaskSchedule, known Known, now time.Time) Plan {
	when := timetableOf(job)
	p := Plan{Status: job.Status, Labels: missingLabels(job)}
	if job.DeletionTimestamp != nil || p.settled(job, when, known) && when.due(job, p.Status, known, now).IsZero() {
		p.Nothing = true // most Jobs, most of the time
		p.next(job, when, now)
		return p
	}
	p.Status = *job.Status.DeepCopy()
	changed := p.observe(job, when, known, now)
	due := when.due(job, p.Status, known, now)
	policy := job.Spec.ConcurrencyPolicy
	overlaps := policy == v1alpha1.ConcurrencyForbid || policy == v1alpha1.ConcurrencyReplace
	refresh := len(job.Status.Active) > 0 && !known.NoTick
	judge := changed || !due.IsZero() || p.reason() == ReasonAppNotFound && !known.NoTick
	switch {
	case p.Ask != AskNothing:
		return p
	case known.Running == nil && (refresh || overlaps && !due.IsZero()):
		return Plan{Ask: AskRunning}
	case known.App == nil && judge && when.problem == "":
		return Plan{Ask: AskApp}
	}
	if judge {
		p.judge(job, when, known, now)
	}
	p.active(known)
	if !due.IsZero() && known.Blocked == "" { // else the watermark stays, and the next tick tries again
		p.decide(job, when, known, due, now)
	}
	p.next(job, when, now)
	return p
}

// next says when the Job is due next, and whether it starts before the next tick comes.
func (p *Plan) next(job *v1alpha1.TaskSchedule, when timetable, now time.Time) {
	p.Status.NextScheduleTime = nil
	if job.Spec.Suspend || p.Status.DecidedUntil == nil {
		return
	}
	next := when.Next(p.Status.DecidedUntil.Time)
	if next.IsZero() {
		return
	}
	p.Status.NextScheduleTime = &metav1.Time{Time: next}
	start := next.Add(when.jitter)
	if when.jitter > 0 && start.After(now) && start.Before(now.Truncate(time.Minute).Add(time.Minute)) {
		p.Start = start
	}
}

// decide decides the instant that is due, and those before it that have not been.
func (p *Plan) decide(job *v1alpha1.TaskSchedule, when timetable, known Known, due, now time.Time) {
	missed, more := when.Between(p.Status.DecidedUntil.Time, due, maxMissed)
	superseded := "a later instant was due when the system recovered"
	if more {
		superseded += fmt.Sprintf("; more than %d had passed", maxMissed)
	}
	for _, instant := range slices.Backward(missed) {
		p.record(job, known, instant, v1alpha1.OutcomeMissed, "", superseded)
	}

	name := job.TaskName(due)
	others := slices.DeleteFunc(slices.Clone(known.Running), func(t v1alpha1.Task) bool { return t.Name == name })
	late := now.Add(-when.jitter).Sub(due)
	switch limit := job.Spec.StartingDeadlineSeconds; {
	case known.App != nil && !*known.App:
		p.record(job, known, due, v1alpha1.OutcomeRefused, "", appNotFound(job))
	case known.Refused != "":
		p.record(job, known, due, v1alpha1.OutcomeRefused, "", known.Refused)
	case limit != nil && late > max(time.Duration(*limit)*time.Second, minDeadline):
		p.record(job, known, due, v1alpha1.OutcomeMissed, "", fmt.Sprintf("startingDeadlineSeconds, %d, had passed", *limit))
	case job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyForbid && len(others) > 0:
		p.record(job, known, due, v1alpha1.OutcomeSkipped, others[0].Name, "it still ran, and concurrencyPolicy is Forbid")
	default:
		if job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyReplace {
			for _, t := range others {
				if !t.Spec.Terminated {
					p.Terminate = append(p.Terminate, t.Name)
				}
			}
		}
		p.record(job, known, due, v1alpha1.OutcomeRan, name, "")
		if !known.Made[due.Unix()] {
			p.Create = job.NewTask()
			p.Create.Name = name
			p.run(name)
		}
	}
}

// active brings the list of active Tasks up to date, as far as they were read.
func (p *Plan) active(known Known) {
	if known.Running == nil {
		return
	}
	was := p.Status.Active
	p.Status.Active = nil
	running := slices.Clone(known.Running)
	slices.SortFunc(running, func(a, b v1alpha1.Task) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, t := range running {
		p.run(t.Name)
	}
	for _, t := range was {
		if !slices.Contains(p.Status.Active, t) {
			p.Ended = append(p.Ended, t.Name)
		}
	}
}

func (p *Plan) run(task string) {
	ref := corev1.LocalObjectReference{Name: task}
	if !slices.Contains(p.Status.Active, ref) {
		p.Status.Active = append(p.Status.Active, ref)
	}
	if over := len(p.Status.Active) - maxActive; over > 0 {
		p.Status.Active = p.Status.Active[over:]
	}
}
