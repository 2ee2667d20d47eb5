package job

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Settle adds to a plan what follows from how Tasks have ended: results in the history, whether the Job is overdue
// (overdue.go), and whether it is to be paused (failures.go). ended are the Tasks that plan.Ended names and that are still
// there, or with all, those of the Job.
//
// What a tick sees ending is what it saw running, and that is all Tasks of the schedule. One that was run by hand, or by an
// event, may have come and gone between two ticks: so before it is said that the Job has not succeeded, Settle asks for all
// (survey), and begins anew with them.
func Settle(j *v1alpha1.TaskSchedule, plan Plan, ended []*v1alpha1.Task, all bool, now time.Time) (settled Plan, survey bool) {
	s := settling{job: j, plan: plan, surveyed: all, now: now}
	if plan.Status != nil {
		s.status = *plan.Status.DeepCopy()
	} else {
		s.status = *j.Status.DeepCopy()
	}
	ended = byEnd(ended)
	s.status.History = withResults(s.status.History, ended)
	s.begin()
	s.learn(ended)
	if s.watch != nil && s.watch.Since != nil && !(s.judgeFailures() && s.judgeSuccess()) {
		return Plan{}, true
	}
	s.plan.Status, s.plan.Watch = nil, false
	if !equality.Semantic.DeepEqual(s.status, j.Status) {
		s.plan.Status = &s.status
	}
	return s.plan, false
}

// settling is a plan that is being settled.
type settling struct {
	job      *v1alpha1.TaskSchedule
	plan     Plan
	status   v1alpha1.TaskScheduleStatus
	watch    *v1alpha1.Watch // that of the status; nil if the Job has none
	surveyed bool            // all Tasks of the Job were read
	now      time.Time
	found    bool           // a Task that succeeded, and was not known to have
	last     *v1alpha1.Task // that failed, and made the row as long as it may be
}

// watched says whether the Job asks for any of it. To others none of it applies, and costs nothing.
func watched(j *v1alpha1.TaskSchedule) bool {
	return j.Spec.ExpectSuccessWithin != nil || j.Spec.PauseAfterFailures > 0
}

// held says whether the Job's schedule starts nothing by the will of its user, and by what.
func held(j *v1alpha1.TaskSchedule, now time.Time) (reason string, is bool) {
	switch p := j.Spec.Pause; {
	case j.Spec.Suspend:
		return v1alpha1.ReasonSuspended, true
	case p != nil && (p.Until == nil || now.Before(p.Until.Time)):
		return v1alpha1.ReasonPaused, true
	case len(j.Status.History) > 0 && j.Status.History[0].Outcome == v1alpha1.OutcomePaused: // by its App or Space, at the latest instant
		return v1alpha1.ReasonPaused, true
	}
	return "", false
}

// watchDue says whether a Job that is at rest is to be settled: its watch begins or ends, its time is over, or it is overdue and may
// have succeeded since.
func watchDue(j *v1alpha1.TaskSchedule, now time.Time) bool {
	w := j.Status.Watch
	if !watched(j) || w == nil {
		return watched(j) != (w != nil)
	}
	if _, is := held(j, now); is || w.Since == nil {
		return is != (w.Since == nil)
	}
	return w.SuccessDueBy != nil && now.After(w.SuccessDueBy.Time) || pauseOwed(j)
}

// watching is a plan that says whether the Job is to be settled besides.
func (p Plan) watching(j *v1alpha1.TaskSchedule, now time.Time) Plan {
	p.Watch = j.DeletionTimestamp == nil && watchDue(j, now)
	return p
}

// begin begins the watch, or ends it: it lasts while the Job is neither suspended nor paused.
func (s *settling) begin() {
	if restored(s.job) { // what another Job did
		s.status.Watch, s.status.LastSuccessTime, s.status.LastSuccessTask = nil, nil, ""
	}
	if !watched(s.job) {
		s.status.Watch = nil
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionOverdue)
		return
	}
	if s.status.Watch == nil {
		s.status.Watch = &v1alpha1.Watch{}
	}
	s.watch = s.status.Watch
	reason, is := held(s.job, s.now)
	switch {
	case is:
		s.watch.Since, s.watch.SuccessDueBy = nil, nil
		s.setOverdue(metav1.ConditionFalse, reason, "nothing is expected of it until it is resumed; then it has the whole time again")
	case s.watch.Since == nil || pauseOwed(s.job) && s.job.Generation != s.job.Status.ObservedGeneration:
		// It was resumed. So it was if it had been paused, and resumed, before anybody looked.
		s.watch.Since, s.watch.FailuresInRow = &metav1.Time{Time: resumedAt(s.job, s.now)}, 0
	case newEpoch(s.job, timetableOf(s.job)): // by its new schedule it might have been due long ago
		s.watch.Since = &metav1.Time{Time: resumedAt(s.job, s.now)}
	}
}

// resumedAt is when the Job was made or resumed, as far as that is known; now if it is not.
func resumedAt(j *v1alpha1.TaskSchedule, now time.Time) time.Time {
	if p := j.Spec.Pause; p != nil && p.Until != nil && j.Generation == j.Status.ObservedGeneration {
		return p.Until.UTC() // nobody has edited it since
	}
	return changedAt(j, timetableOf(j), now)
}

// learn notes which Tasks have succeeded and failed, in the order in which they ended.
func (s *settling) learn(ended []*v1alpha1.Task) {
	for _, t := range ended {
		at := metav1.Time{Time: endOf(t)}
		switch known := s.status.LastSuccessTime; {
		case t.Outcome() == v1alpha1.TaskSucceeded && ownWork(s.job, t) && (known == nil || known.Time.Before(at.Time)):
			s.status.LastSuccessTime, s.status.LastSuccessTask, s.found = &at, t.Name, true
			s.endRow()
		case t.Outcome() == v1alpha1.TaskFailed && !t.Instant().IsZero() && (s.found || slices.Contains(s.plan.Ended, t.Name)):
			s.lengthenRow(t) // counted before, if the success that began the row anew was not known then
		}
	}
}

// ownWork says whether a Task did what the Job is there for: it was made by its schedule, or runs what the Job would now.
func ownWork(j *v1alpha1.TaskSchedule, t *v1alpha1.Task) bool {
	of, runs := j.Spec.TaskTemplate, t.Spec
	return !t.Instant().IsZero() || of.Command == runs.Command && slices.Equal(of.Args, runs.Args) && of.Process == runs.Process
}

// byEnd are the Tasks that have ended, in the order in which they did.
func byEnd(tasks []*v1alpha1.Task) []*v1alpha1.Task {
	tasks = slices.DeleteFunc(slices.Clone(tasks), func(t *v1alpha1.Task) bool { return !t.Final() })
	slices.SortStableFunc(tasks, func(a, b *v1alpha1.Task) int { return endOf(a).Compare(endOf(b)) })
	return tasks
}

func endOf(t *v1alpha1.Task) time.Time {
	if t.Status.CompletionTime != nil {
		return t.Status.CompletionTime.UTC()
	}
	return t.CreationTimestamp.UTC()
}

// withResults is a history that says besides what became of Tasks that have ended, and how long they took.
func withResults(history []v1alpha1.Decision, ended []*v1alpha1.Task) []v1alpha1.Decision {
	history = slices.Clone(history)
	for _, t := range ended {
		for i, d := range history {
			if d.Outcome == v1alpha1.OutcomeRan && d.Task == t.Name {
				history[i].Result = v1alpha1.Reason(t.Status.Conditions, v1alpha1.ConditionSucceeded)
				history[i].Duration = t.Status.Duration
			}
		}
	}
	return history
}

const maxNotices = 20 // as the CRD has it

// notice tells of the Job, and notes it.
func (s *settling) notice(n v1alpha1.Notice) {
	s.plan.Notices = append(s.plan.Notices, n)
	s.watch.Notices = slices.Concat([]v1alpha1.Notice{n}, s.watch.Notices)
	s.watch.Notices = s.watch.Notices[:min(len(s.watch.Notices), maxNotices)]
}
