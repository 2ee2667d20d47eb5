package job

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// pauseOwed says that a Job whose status says that it has failed often enough is not paused: who wrote that died before it
// could pause it.
func pauseOwed(j *v1alpha1.TaskSchedule) bool {
	w, limit := j.Status.Watch, j.Spec.PauseAfterFailures
	return w != nil && w.Since != nil && limit > 0 && w.FailuresInRow >= limit
}

// endRow begins the row anew: a Task has succeeded.
func (s *settling) endRow() {
	if s.watch != nil {
		s.watch.FailuresInRow, s.last = 0, nil
	}
}

// lengthenRow counts a failure, unless it was before the Job was resumed.
func (s *settling) lengthenRow(t *v1alpha1.Task) {
	if s.watch == nil || s.watch.Since == nil || endOf(t).Before(s.watch.Since.Time) {
		return
	}
	if s.watch.FailuresInRow++; s.watch.FailuresInRow == s.job.Spec.PauseAfterFailures {
		s.last = t
	}
}

// judgeFailures pauses the Job if it has failed too often. It is false if all Tasks must be known for that: one by hand may have
// succeeded. The status comes first, and the pause after it: what a crash leaves undone, the next tick does.
func (s *settling) judgeFailures() bool {
	limit := s.job.Spec.PauseAfterFailures
	if limit == 0 {
		s.watch.FailuresInRow = 0
		return true
	}
	if s.watch.FailuresInRow < limit {
		return true
	}
	if !s.surveyed {
		return false
	}
	note := fmt.Sprintf("%d Tasks failed in a row", s.watch.FailuresInRow)
	if s.last != nil {
		note += fmt.Sprintf(", the last is %s: %s", s.last.Name, v1alpha1.Reason(s.last.Status.Conditions, v1alpha1.ConditionSucceeded))
		s.notice(v1alpha1.Notice{At: metav1.Time{Time: endOf(s.last)}, What: v1alpha1.NoticePaused, Task: s.last.Name, Message: note})
	}
	s.plan.Pause = &v1alpha1.Pause{Note: note + " (pauseAfterFailures)"}
	return true
}
