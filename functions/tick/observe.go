package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Reasons of a Job's condition Ready.
const (
	ReasonScheduled = "Scheduled"
	// These two are True as well: such a Job runs when it is told to.
	ReasonSuspended  = "Suspended"
	ReasonNoSchedule = "NoSchedule"

	ReasonInvalidTimeZone = "InvalidTimeZone"
	ReasonInvalidSchedule = "InvalidSchedule"
	ReasonAppNotFound     = "AppNotFound"
	ReasonTaskRefused     = "TaskRefused"
	ReasonTaskNotCreated  = "TaskNotCreated"
)

// settled says whether the Job says nothing new, and nothing is to be looked up for it.
func (p *Plan) settled(job *v1alpha1.TaskSchedule, when timetable, known Known) bool {
	s := job.Status
	return s.DecidedUntil != nil && s.ScheduleHash == when.hash && s.ObservedGeneration == job.Generation && p.Labels == nil &&
		p.reason() != "" && (known.NoTick || len(s.Active) == 0 && p.reason() != ReasonAppNotFound)
}

// observe takes note of what the Job says, and reports whether that is news. When its schedule, zone or suspension
// changed, the watermark moves to that moment: the Job owes nothing for the time before. A suspension and its end leave
// the hash as it was, so two edits that nobody saw one by one are taken for that.
func (p *Plan) observe(job *v1alpha1.TaskSchedule, when timetable, known Known, now time.Time) bool {
	s := &p.Status
	if s.DecidedUntil == nil || s.ScheduleHash != when.hash || job.Generation > s.ObservedGeneration+1 {
		since := metav1.Time{Time: changedAt(job, now)}
		if s.DecidedUntil != nil {
			p.handOver(job, when, known, since.Time)
		}
		if s.DecidedUntil == nil || s.DecidedUntil.Before(&since) {
			s.DecidedUntil = &since
		}
	}
	changed := s.ScheduleHash != when.hash || s.ObservedGeneration != job.Generation || p.reason() == ""
	s.ScheduleHash, s.ObservedGeneration = when.hash, job.Generation
	return changed
}

// handOver writes into the history what is owed no more. Of a schedule that was replaced only the runs are known.
func (p *Plan) handOver(job *v1alpha1.TaskSchedule, when timetable, known Known, until time.Time) {
	if known.Made == nil {
		p.Ask = AskMade
		return
	}
	from := p.Status.DecidedUntil.Time
	if strings.TrimSuffix(p.Status.ScheduleHash, suspended) != strings.TrimSuffix(when.hash, suspended) {
		for _, seconds := range slices.Sorted(maps.Keys(known.Made)) {
			if t := time.Unix(seconds, 0).UTC(); t.After(from) && !t.After(until) {
				p.record(job, known, t, v1alpha1.OutcomeRan, job.TaskName(t), "")
			}
		}
		return
	}
	outcome, why := v1alpha1.OutcomeSuspended, "the Job was suspended"
	switch {
	case job.Spec.Suspend && !strings.HasSuffix(p.Status.ScheduleHash, suspended):
		outcome, why = v1alpha1.OutcomeMissed, "the Job was suspended before it could run"
	case p.Status.ScheduleHash == when.hash && !job.Spec.Suspend:
		outcome, why = v1alpha1.OutcomeMissed, "the Job was edited several times, and maybe suspended, before it could run"
	}
	passed, _ := when.Between(from, until.Add(time.Second), maxMissed)
	for _, instant := range slices.Backward(passed) {
		p.record(job, known, instant, outcome, "", why)
	}
}

// changedAt is when the Job got the schedule that it has: its creation, or the last time that anybody changed its spec,
// as the API server recorded it to the second; now if it did not.
func changedAt(job *v1alpha1.TaskSchedule, now time.Time) time.Time {
	at := job.CreationTimestamp.Time
	if job.Generation > 1 {
		at = time.Time{}
		for _, m := range job.ManagedFields {
			if m.Time != nil && m.Subresource == "" && m.FieldsV1 != nil && strings.Contains(string(m.FieldsV1.Raw), `"f:spec":`) && m.Time.After(at) {
				at = m.Time.Time
			}
		}
	}
	if at.IsZero() || at.After(now) {
		at = now
	}
	return at.UTC().Truncate(time.Second)
}

// judge says whether the Job can run as it stands.
func (p *Plan) judge(job *v1alpha1.TaskSchedule, when timetable, known Known, now time.Time) {
	switch {
	case when.problem != "":
		p.ready(job, metav1.ConditionFalse, when.problem, when.message, now)
	case !*known.App:
		p.ready(job, metav1.ConditionFalse, ReasonAppNotFound, appNotFound(job), now)
	case known.Refused != "":
		p.ready(job, metav1.ConditionFalse, ReasonTaskRefused, known.Refused, now)
	case known.Blocked != "":
		p.ready(job, metav1.ConditionFalse, ReasonTaskNotCreated, known.Blocked, now)
	case job.Spec.Suspend:
		p.ready(job, metav1.ConditionTrue, ReasonSuspended, "no schedule runs it: kf schedule-job, or suspend: false", now)
	case len(job.Expressions()) == 0:
		p.ready(job, metav1.ConditionTrue, ReasonNoSchedule, "no schedule runs it: kf schedule-job gives it one", now)
	default:
		p.ready(job, metav1.ConditionTrue, ReasonScheduled, "", now)
	}
}

func (p *Plan) ready(job *v1alpha1.TaskSchedule, status metav1.ConditionStatus, reason, message string, now time.Time) {
	meta.SetStatusCondition(&p.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: status, Reason: reason, Message: message,
		ObservedGeneration: job.Generation, LastTransitionTime: metav1.NewTime(now),
	})
}

// reason is that of the condition Ready, "" if there is none yet.
func (p *Plan) reason() string {
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

func appNotFound(job *v1alpha1.TaskSchedule) string {
	return fmt.Sprintf("there is no App %q in namespace %q: push it, or name another one in taskTemplate.appRef",
		job.Spec.TaskTemplate.AppRef.Name, job.Namespace)
}

// missingLabels are those of Kf's that the Job has not, or not as its spec is.
func missingLabels(job *v1alpha1.TaskSchedule) map[string]string {
	missing := v1alpha1.TaskScheduleLabels(job.Spec.Suspend)
	for k, v := range missing {
		if job.Labels[k] == v {
			delete(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return missing
}
