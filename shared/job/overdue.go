package job

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// dueBy is when a Job is overdue that has not succeeded since a time. Where its schedule names no instant until then, none could
// have succeeded: then it counts from the next that it names, if it names any.
func dueBy(j *v1alpha1.TaskSchedule, since time.Time, within time.Duration) time.Time {
	when, by := timetableOf(j), since.Add(within)
	if next := nextInstant(j, when, since); next.After(by) {
		by = next.Add(when.jitter + within)
	}
	return by
}

// judgeSuccess says whether the Job is overdue. It is false if all Tasks must be known for that.
func (s *settling) judgeSuccess() bool {
	within, w := s.job.Spec.ExpectSuccessWithin, s.watch
	if within == nil {
		w.SuccessDueBy, w.OverdueSince = nil, nil
		meta.RemoveStatusCondition(&s.status.Conditions, v1alpha1.ConditionOverdue)
		return true
	}
	since, succeeded := w.Since.Time, s.status.LastSuccessTime
	if succeeded != nil && succeeded.After(since) {
		since = succeeded.Time
	}
	by := metav1.Time{Time: dueBy(s.job, since, within.Duration)}
	w.SuccessDueBy = &by
	late := s.now.After(by.Time)
	switch {
	case late && !s.surveyed:
		return false
	case late:
		s.overdue(by)
	case s.found && w.OverdueSince != nil:
		s.recovered()
		fallthrough
	case succeeded != nil && since.Equal(succeeded.Time):
		s.setOverdue(metav1.ConditionFalse, v1alpha1.ReasonSucceededInTime,
			fmt.Sprintf("Task %s succeeded; the next success is due by %s", s.status.LastSuccessTask, stamp(by.Time)))
	default:
		s.setOverdue(metav1.ConditionFalse, v1alpha1.ReasonAwaited, "it is to succeed by "+stamp(by.Time))
	}
	return true
}

// overdue tells it once for each time that the Job is.
func (s *settling) overdue(by metav1.Time) {
	message := "no Task of it has succeeded"
	if at := s.status.LastSuccessTime; at != nil {
		message += " since " + stamp(at.Time)
	}
	message += fmt.Sprintf(", and it is expected to within %s: kf job-history %s shows what it did",
		s.job.Spec.ExpectSuccessWithin.Duration, s.job.Name)
	if !meta.IsStatusConditionTrue(s.job.Status.Conditions, v1alpha1.ConditionOverdue) {
		s.watch.OverdueSince = &by
		s.notice(v1alpha1.Notice{At: by, What: v1alpha1.NoticeOverdue, OverdueSince: &by, Message: message})
	}
	s.setOverdue(metav1.ConditionTrue, v1alpha1.ReasonNotSucceeded, message)
}

func (s *settling) recovered() {
	s.notice(v1alpha1.Notice{At: *s.status.LastSuccessTime, What: v1alpha1.NoticeRecovered, Task: s.status.LastSuccessTask,
		OverdueSince: s.watch.OverdueSince, Message: fmt.Sprintf("Task %s succeeded; it was overdue since %s",
			s.status.LastSuccessTask, stamp(s.watch.OverdueSince.Time))})
	s.watch.OverdueSince = nil
}

func (s *settling) setOverdue(is metav1.ConditionStatus, reason, message string) {
	if s.job.Spec.ExpectSuccessWithin != nil {
		v1alpha1.SetCondition(s.job, &s.status.Conditions,
			metav1.Condition{Type: v1alpha1.ConditionOverdue, Status: is, Reason: reason, Message: message}, s.now)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
