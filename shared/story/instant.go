package story

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// JobFacts are what was read of an instant of a Job.
type JobFacts struct {
	Job     *v1alpha1.TaskSchedule
	Instant time.Time      // zero if the Job has none to tell of
	Task    *Facts         // of the instant's Task; nil if there is none
	Other   *v1alpha1.Task // that is on record as in the way; nil if there is none
	Holds   *job.Holds     // pauses and blackouts of its App and its Space; nil if they are not known
	Unread  Unread
	Now     time.Time
}

// Subject is the instant that a Job's story is about, where none was asked for: the first that is due and not decided, else the latest
// that was, else the next. Zero if there is none.
func Subject(j *v1alpha1.TaskSchedule, now time.Time) time.Time {
	next := now
	if j.Status.DecidedUntil != nil && !j.Spec.Suspend {
		next = j.Status.DecidedUntil.Time
	}
	due := after(j, next)
	if !due.IsZero() && !due.After(now) || len(j.Status.History) == 0 {
		return due
	}
	return j.Status.History[0].Instant.UTC()
}

// InTheWay is the name of the Task that an instant was skipped for, "" if it was not.
func InTheWay(j *v1alpha1.TaskSchedule, instant time.Time) string {
	if d, _ := record(j, instant); d != nil && d.Outcome == v1alpha1.OutcomeSkipped {
		return d.Task
	}
	return ""
}

// finding is what is said of an instant: what became of it, why, which object says so, and what to do.
type finding struct{ outcome, why, by, do string }

// findings say what became of an instant. The first that applies does.
var findings = []func(JobFacts) *finding{
	noSchedule, owed, recorded, ranUnrecorded, beforeTheJob, notOnSchedule, toCome, undecided, overtaken,
}

// OfInstant tells what became of an instant of a Job, and of its Task, if it has one.
func OfInstant(f JobFacts) Story {
	s := Story{About: "Job " + f.Job.Name, Unknown: f.Unread.said()}
	if !f.Instant.IsZero() {
		s.About += " at " + stamp(f.Instant)
	}
	for _, find := range findings {
		if found := find(f); found != nil {
			s.Outcome, s.Do = found.outcome, fill(found.do, map[string]string{"JOB": f.Job.Name})
			s.Lines = append(s.Lines, Line{f.Instant, found.outcome + ": " + found.why, found.by})
			break
		}
	}
	s.Lines = ordered(append(s.Lines, f.around()...))
	if f.Task != nil {
		of := OfTask(*f.Task)
		s.Lines = ordered(append(s.Lines, of.Lines...))
		s.About, s.Outcome, s.Do = s.About+", "+of.About, of.Outcome, of.Do
		s.Unknown = append(s.Unknown, of.Unknown...)
	}
	return s
}

// around is what else is on record of the time.
func (f JobFacts) around() (lines []Line) {
	j := f.Job
	lines = append(lines, Line{j.CreationTimestamp.Time, "Job " + j.Name + " was made", "Job"})
	if at := j.Status.SpecChangedAt; at != nil && at.After(j.CreationTimestamp.Time) {
		lines = append(lines, Line{at.Time, "its spec was changed, the last time that is on record", "Job"})
	}
	if o := f.Other; o != nil {
		lines = append(lines, Line{o.CreationTimestamp.Time, "Task " + o.Name + " was made, which was in the way", "Task"})
		if o.Status.CompletionTime != nil {
			lines = append(lines, Line{o.Status.CompletionTime.Time, "Task " + o.Name + " ended: " + outcome(o), "Task"})
		} else {
			lines = append(lines, Line{What: "Task " + o.Name + " has not ended: kf why " + o.Name, By: "Task"})
		}
	}
	if c := meta.FindStatusCondition(j.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse {
		lines = append(lines, Line{What: "the Job can't run as it stands: " + c.Reason + ": " + c.Message, By: "Job"})
	}
	lines = append(lines, watched(j)...)
	if next := j.Status.NextScheduleTime; next != nil && next.After(f.Instant) {
		lines = append(lines, Line{What: "it is due next at " + stamp(next.Time), By: "Job"})
	}
	return lines
}

// watched is what was told of its Tasks taken together, and whether it is overdue.
func watched(j *v1alpha1.TaskSchedule) (lines []Line) {
	if w := j.Status.Watch; w != nil {
		for _, n := range w.Notices {
			lines = append(lines, Line{n.At.Time, string(n.What) + ": " + n.Message, "Job"})
		}
	}
	if c := meta.FindStatusCondition(j.Status.Conditions, v1alpha1.ConditionOverdue); c != nil && c.Status == metav1.ConditionTrue {
		lines = append(lines, Line{What: "the Job is overdue: " + c.Message, By: "Job"})
	}
	return lines
}

// noSchedule: nothing asks the Job to run.
func noSchedule(f JobFacts) *finding {
	if !f.Instant.IsZero() {
		return nil
	}
	why := "it has no schedule"
	if _, err := job.Preview(f.Job, f.Now, 1); err != nil {
		why = err.Error()
	}
	return &finding{"Not scheduled", why + ", and no instant is on record", "Job",
		"kf schedule-job JOB gives it a schedule, kf run-job JOB runs it once"}
}

// recorded: the Job's history has the instant.
func recorded(f JobFacts) *finding {
	d, among := record(f.Job, f.Instant)
	if d == nil {
		return nil
	}
	why := d.Message
	switch d.Outcome {
	case v1alpha1.OutcomeRan:
		why = "as Task " + d.Task
		if f.Task == nil && f.Unread[PartTask] == "" {
			why += ", which is gone: it was pruned, or somebody deleted it"
		}
		if d.Result != "" {
			why += "; it ended: " + d.Result
		}
		if d.Message != "" {
			why += "; " + d.Message
		}
	case v1alpha1.OutcomeSkipped:
		why = "Task " + d.Task + ": " + d.Message
		if f.Other == nil && f.Unread[PartOther] == "" {
			why += "; it is gone since"
		}
	}
	if among {
		why += fmt.Sprintf(" (one of %d instants up to %s that are one record)", d.Count, stamp(d.Instant.Time))
	}
	return &finding{string(d.Outcome), why, "Job", remedy(*d, f.Instant)}
}

func remedy(d v1alpha1.Decision, instant time.Time) string {
	const now = "kf run-job JOB runs it now"
	switch {
	case d.Outcome == v1alpha1.OutcomeSkipped:
		return now + "; so that it does not skip: concurrencyPolicy Always or Replace, or a timeout for its Tasks"
	case d.Outcome == v1alpha1.OutcomeMissed && strings.Contains(d.Message, "startingDeadlineSeconds"):
		return now + "; a larger startingDeadlineSeconds lets it start later after an outage"
	case d.Outcome == v1alpha1.OutcomeMissed:
		return now
	case d.Outcome == v1alpha1.OutcomePaused || d.Outcome == v1alpha1.OutcomeBlackedOut:
		return remedyOfHold(d, instant, now)
	case d.Outcome == v1alpha1.OutcomeSuspended:
		return now + ", suspended or not"
	case d.Outcome == v1alpha1.OutcomeRefused:
		return "mend what the message names, then: " + now
	}
	return ""
}

// record is that of an instant. among says that it stands for several, and that by the schedule as it is now the instant is one of them.
func record(j *v1alpha1.TaskSchedule, instant time.Time) (d *v1alpha1.Decision, among bool) {
	for i, d := range j.Status.History {
		if d.Instant.Time.Equal(instant) {
			return &j.Status.History[i], false
		}
		if d.Count < 2 || instant.After(d.Instant.Time) {
			continue
		}
		older := j.Status.History[i+1:]
		if len(older) > 0 && !instant.After(older[0].Instant.Time) {
			continue
		}
		since, err := job.Preview(j, instant.Add(-time.Second), int(min(d.Count, maxFolded)))
		is := func(at time.Time) bool { return at.Equal(d.Instant.Time) }
		if err == nil && len(since) > 0 && since[0].Equal(instant) && slices.ContainsFunc(since, is) {
			return &j.Status.History[i], true
		}
	}
	return nil, false
}

// maxFolded is how many instants of one record are looked through: a minute's schedule of a week.
const maxFolded = 10080

// ranUnrecorded: its Task is there, and the history has no record of it, or none any more.
func ranUnrecorded(f JobFacts) *finding {
	if f.Task == nil {
		return nil
	}
	return &finding{string(v1alpha1.OutcomeRan), "its Task is there; the Job's history has no record of it, or none any more", "Task", ""}
}

func beforeTheJob(f JobFacts) *finding {
	if !f.Instant.Before(f.Job.CreationTimestamp.Time) {
		return nil
	}
	return &finding{"Not owed", "the Job was made at " + stamp(f.Job.CreationTimestamp.Time) +
		", and owes nothing for the time before", "Job", ""}
}

func notOnSchedule(f JobFacts) *finding {
	if after(f.Job, f.Instant.Add(-time.Second)).Equal(f.Instant) {
		return nil
	}
	why := "the schedule, as it is now, does not name it: " + strings.Join(f.Job.Expressions(), ", ") + " in " + zone(f.Job)
	if next := after(f.Job, f.Instant); !next.IsZero() {
		why += "; the next after it is " + stamp(next)
	}
	if at := f.Job.Status.SpecChangedAt; at != nil && at.After(f.Instant) {
		why += "; it was changed since, and what it said then is not on record"
	}
	return &finding{"Not on schedule", why, "Job", ""}
}

func toCome(f JobFacts) *finding {
	switch {
	case !f.Instant.After(f.Now):
		return nil
	case f.Job.Spec.Suspend:
		return &finding{"To come", "the Job is suspended, and will not run then unless it is resumed before", "Job",
			"kf schedule-job JOB resumes it"}
	}
	if but := f.Holds.But(f.Job, f.Instant); but != "" {
		return &finding{"To come", "it is not due yet, and as things stand it " + but, "Job", ""}
	}
	return &finding{"To come", "it is not due yet", "Job", ""}
}

// undecided: it is due, and the watermark is before it.
func undecided(f JobFacts) *finding {
	until := f.Job.Status.DecidedUntil
	switch {
	case until != nil && !until.Time.Before(f.Instant):
		return nil
	case f.Job.Spec.Suspend:
		return &finding{"Suspended", "the Job is suspended; its history says so of what was due when it is resumed", "Job",
			"kf schedule-job JOB resumes it, kf run-job JOB runs it now"}
	case f.Now.Sub(f.Instant) < 2*time.Minute:
		return &finding{"Not decided yet", "it is due, and the tick that decides it comes within a minute", "Job", ""}
	}
	do := "kf doctor says which part does not run; when it does, it is run, or recorded as missed"
	if c := meta.FindStatusCondition(f.Job.Status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse {
		do = "mend what the Job's condition says; it is tried again each minute, until a later instant takes its place"
	}
	return &finding{"Not decided yet", "it is due since " + f.Now.Sub(f.Instant).Round(time.Second).String() +
		", and the function tick has not decided it", "Job", do}
}

// overtaken: the watermark is past it, and there is no record.
func overtaken(f JobFacts) *finding {
	const why = "the Job was made, resumed or rescheduled after it and owed nothing for the time before; "
	if n := len(f.Job.Status.History); n > 0 && f.Instant.Before(f.Job.Status.History[n-1].Instant.Time) {
		return &finding{"Not on record", "the oldest record that is kept is of " + stamp(f.Job.Status.History[n-1].Instant.Time) +
			": either its record is older, or " + strings.TrimSuffix(why, "; "), "Job", ""}
	}
	return &finding{"Not owed", why + "all up to " + stamp(f.Job.Status.DecidedUntil.Time) + " is decided", "Job", ""}
}

// after is the first instant of the Job's schedule after a time, as the schedule is now; zero if there is none.
func after(j *v1alpha1.TaskSchedule, t time.Time) time.Time {
	if next, err := job.Preview(j, t, 1); err == nil && len(next) > 0 {
		return next[0].UTC()
	}
	return time.Time{}
}

func zone(j *v1alpha1.TaskSchedule) string {
	if j.Spec.TimeZone == "" {
		return "UTC"
	}
	return j.Spec.TimeZone
}
