package job

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// situation is all that the rules look at. No rule changes it.
type situation struct {
	job   *v1alpha1.TaskSchedule
	when  timetable
	facts Facts
	due   time.Time // the instant that is due, if any
	now   time.Time

	owed *v1alpha1.Owed // what the instant is of, if it is one that is run after its time

	decidedUntil *metav1.Time // the watermark of the present epoch
}

// A rule says whether it applies, and what a user should know or do then.
type rule func(situation) (message string, applies bool)

// verdicts say what becomes of the instant that is due. The first that applies does.
var verdicts = []struct {
	outcome v1alpha1.Outcome
	rule    rule
}{
	{undecided, situation.blackoutUnreadable},
	{undecided, taskNotCreated},
	{v1alpha1.OutcomeRan, alreadyCreated},
	{undecided, situation.mustWait},
	{v1alpha1.OutcomePaused, situation.underPause},
	{v1alpha1.OutcomeBlackedOut, situation.leftOut},
	{deferred, situation.heldBack},
	{v1alpha1.OutcomeRefused, invalidJob},
	{v1alpha1.OutcomeRefused, appNotFound},
	{v1alpha1.OutcomeRefused, taskRefused},
	{v1alpha1.OutcomeMissed, situation.tooLate},
	{v1alpha1.OutcomeMissed, deadlinePassed},
	{v1alpha1.OutcomeSkipped, stillRunning},
	{v1alpha1.OutcomeRan, always},
}

// undecided leaves the watermark before the instant, so that the next tick looks at it again.
const undecided v1alpha1.Outcome = ""

func (s situation) verdict() (v1alpha1.Outcome, string) {
	for _, v := range verdicts {
		if message, applies := v.rule(s); applies {
			return v.outcome, message
		}
	}
	return undecided, ""
}

// readiness says what the condition Ready says. The first that applies does; docs/jobs.md tells the user what to do.
var readiness = []struct {
	status metav1.ConditionStatus
	reason string
	rule   rule
}{
	{metav1.ConditionFalse, v1alpha1.ReasonInvalidJob, invalidJob},
	{metav1.ConditionFalse, v1alpha1.ReasonInvalidTimeZone, invalidTimeZone},
	{metav1.ConditionFalse, v1alpha1.ReasonInvalidSchedule, invalidSchedule},
	{metav1.ConditionFalse, v1alpha1.ReasonAppNotFound, appNotFound},
	{metav1.ConditionFalse, v1alpha1.ReasonBlackoutUnreadable, situation.blackoutUnreadable},
	{metav1.ConditionFalse, v1alpha1.ReasonTaskRefused, taskRefused},
	{metav1.ConditionFalse, v1alpha1.ReasonTaskNotCreated, taskNotCreated},
	{metav1.ConditionTrue, v1alpha1.ReasonSuspended, suspended},
	{metav1.ConditionTrue, v1alpha1.ReasonPaused, paused},
	{metav1.ConditionTrue, v1alpha1.ReasonNoSchedule, noSchedule},
	{metav1.ConditionTrue, v1alpha1.ReasonOver, over},
	{metav1.ConditionFalse, v1alpha1.ReasonWatermarkInFuture, watermarkInFuture},
	{metav1.ConditionTrue, v1alpha1.ReasonScheduled, always},
}

func (s situation) ready() metav1.Condition {
	for _, r := range readiness {
		if message, applies := r.rule(s); applies {
			return metav1.Condition{Type: v1alpha1.ConditionReady, Status: r.status, Reason: r.reason, Message: message}
		}
	}
	return metav1.Condition{}
}

// invalidJob: it is older than its schema, which takes no such Job any more.
func invalidJob(s situation) (string, bool) {
	return s.job.Unreadable + ": change it, and the Job goes on", s.job.Unreadable != ""
}

func invalidTimeZone(s situation) (string, bool) {
	return fmt.Sprint(s.when.zoneErr), s.when.zoneErr != nil
}

func invalidSchedule(s situation) (string, bool) {
	return fmt.Sprint(s.when.scheduleErr), s.when.scheduleErr != nil
}

func appNotFound(s situation) (string, bool) {
	return fmt.Sprintf("there is no App %q in namespace %q: push it, or name another one in taskTemplate.appRef",
		s.job.Spec.TaskTemplate.AppRef.Name, s.job.Namespace), s.facts.App != nil && !*s.facts.App
}

// taskRefused: the API server will never take the Task as it is.
func taskRefused(s situation) (string, bool) { return s.facts.Refused, s.facts.Refused != "" }

// taskNotCreated: a quota or a right keeps the API server from taking the Task now.
func taskNotCreated(s situation) (string, bool) { return s.facts.Blocked, s.facts.Blocked != "" }

func suspended(s situation) (string, bool) {
	return "no schedule runs it: kf schedule-job, or suspend: false", s.job.Spec.Suspend
}

// paused is about the Job's own pause. Those of its App and its Space are not looked at while nothing is due.
func paused(s situation) (string, bool) {
	message, is := (*Holds)(nil).paused(s.job, s.now)
	return message + "; kf resume-job lifts it", is
}

// over: it has a schedule, which names no more instants.
func over(s situation) (string, bool) {
	return "its schedule names no instant any more: the time of each @at has passed, or endDate has. kf schedule-job gives it another",
		s.when.Next(s.decidedUntil.Time).IsZero()
}

func noSchedule(s situation) (string, bool) {
	return "no schedule runs it: kf schedule-job gives it one", len(s.job.Expressions()) == 0
}

// watermarkInFuture: a clock was ahead and was put right, or the Job comes from where one was. What ran early must not run
// again, so the watermark stays until somebody says that it is to begin anew.
func watermarkInFuture(s situation) (string, bool) {
	if !ahead(s.decidedUntil, s.now) {
		return "", false
	}
	return fmt.Sprintf("all instants up to %s, which is yet to come, are on record as decided: a clock was ahead, or the Job was "+
		"restored from elsewhere. Nothing runs before that. To begin anew from now, suspend it and resume it: "+
		"kf delete-job-schedule, then kf schedule-job", s.decidedUntil.UTC().Format(time.RFC3339)), true
}

// alreadyCreated: the instant has run, or runs, whatever would be decided now. A predecessor died before it could say so.
func alreadyCreated(s situation) (string, bool) { return "", s.there() }

// there: the Task of the instant that is due is known to be there, or to have been.
func (s situation) there() bool {
	return s.facts.Made[s.due.Unix()] || len(s.others()) < len(s.facts.Running)
}

// minDeadline is what every instant is given at the least: a tick comes a little late by its nature.
const minDeadline = 10 * time.Second

func deadlinePassed(s situation) (string, bool) {
	limit := s.job.Spec.StartingDeadlineSeconds
	if limit == nil {
		return "", false
	}
	late := s.now.Add(-s.when.jitter).Sub(s.due)
	heldBack := s.owed != nil && s.owed.Reason != v1alpha1.OwedCatchUp // by a blackout, and so on purpose
	return fmt.Sprintf("startingDeadlineSeconds, %d, had passed", *limit),
		late.Seconds() > max(float64(*limit), minDeadline.Seconds()) && !heldBack
}

func stillRunning(s situation) (string, bool) {
	return "it still ran, and concurrencyPolicy is Forbid",
		s.job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyForbid && len(s.others()) > 0
}

func always(situation) (string, bool) { return "", true }

// others are the Job's Tasks that have not ended, but for the one of the instant that is due.
func (s situation) others() []v1alpha1.Task {
	name := s.job.TaskName(s.due)
	return slices.DeleteFunc(slices.Clone(s.facts.Running), func(t v1alpha1.Task) bool { return t.Name == name })
}
