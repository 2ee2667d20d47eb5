package job

import (
	"math"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// KnownRun is one run of a Job that is still known of.
type KnownRun struct {
	At       time.Time // the instant, or when its Task was made
	Task     string
	Outcome  v1alpha1.TaskOutcome
	Duration *metav1.Duration // nil if it is not known, or the Task has not ended
	ByHand   bool             // or by an event
}

// KnownRuns are those of a Job that are known, newest first: the records of its history, and its Tasks that are kept.
func KnownRuns(j *v1alpha1.TaskSchedule, tasks []*v1alpha1.Task) []KnownRun {
	kept := map[string]*v1alpha1.Task{}
	for _, t := range tasks {
		kept[t.Name] = t
	}
	var runs []KnownRun
	for _, d := range j.Status.History {
		if d.Outcome != v1alpha1.OutcomeRan {
			continue
		}
		r := KnownRun{At: d.Instant.UTC(), Task: d.Task, Outcome: outcomeOf(d.Result), Duration: d.Duration}
		if t := kept[d.Task]; t != nil {
			r.Outcome, r.Duration = t.Outcome(), t.Status.Duration
			delete(kept, d.Task)
		}
		runs = append(runs, r)
	}
	for _, t := range kept {
		r := KnownRun{At: t.Instant(), Task: t.Name, Outcome: t.Outcome(), Duration: t.Status.Duration, ByHand: t.Instant().IsZero()}
		if r.ByHand {
			r.At = t.CreationTimestamp.UTC()
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b KnownRun) int { return b.At.Compare(a.At) })
	return runs
}

// outcomeOf is what a result in the history says; of a Task whose end no tick saw it says nothing.
func outcomeOf(result string) v1alpha1.TaskOutcome {
	t := v1alpha1.Task{Status: v1alpha1.TaskStatus{Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionFalse, Reason: result}}}}
	switch result {
	case "":
		return v1alpha1.TaskUnended
	case v1alpha1.ReasonSucceeded:
		return v1alpha1.TaskSucceeded
	}
	return t.Outcome()
}

// Statistics is what a Job's runs show together.
type Statistics struct {
	Runs, ByHand                  int
	From, To                      time.Time // of the oldest and the newest
	Succeeded, Failed, Terminated int
	Unended                       int // they run, or their end is not known
	// P50, P95 and Max are how long those took that succeeded and whose duration is known, which are Timed.
	Timed         int
	P50, P95, Max time.Duration
}

// Summarize counts runs, newest first.
func Summarize(runs []KnownRun) Statistics {
	s := Statistics{Runs: len(runs)}
	if len(runs) > 0 {
		s.From, s.To = runs[len(runs)-1].At, runs[0].At
	}
	var took []time.Duration
	for _, r := range runs {
		if r.ByHand {
			s.ByHand++
		}
		switch r.Outcome {
		case v1alpha1.TaskSucceeded:
			if s.Succeeded++; r.Duration != nil {
				took = append(took, r.Duration.Duration)
			}
		case v1alpha1.TaskFailed:
			s.Failed++
		case v1alpha1.TaskTerminated:
			s.Terminated++
		default:
			s.Unended++
		}
	}
	slices.Sort(took)
	if s.Timed = len(took); s.Timed > 0 {
		s.P50, s.P95, s.Max = nearestRank(took, 0.5), nearestRank(took, 0.95), took[len(took)-1]
	}
	return s
}

// nearestRank is the smallest of sorted values that so large a part of them does not exceed: one that was measured, not one between two.
func nearestRank(sorted []time.Duration, part float64) time.Duration {
	return sorted[max(int(math.Ceil(part*float64(len(sorted))))-1, 0)]
}

// Rate is how many in a hundred succeeded, of those that succeeded or failed; ok is false where there are none.
func (s Statistics) Rate() (percent float64, ok bool) {
	ended := s.Succeeded + s.Failed
	if ended == 0 {
		return 0, false
	}
	return 100 * float64(s.Succeeded) / float64(ended), true
}

// NotRun counts the instants of a Job's history that did not run, by what was decided for them.
func NotRun(j *v1alpha1.TaskSchedule) map[v1alpha1.Outcome]int64 {
	count := map[v1alpha1.Outcome]int64{}
	for _, d := range j.Status.History {
		if d.Outcome != v1alpha1.OutcomeRan {
			count[d.Outcome] += max(d.Count, 1)
		}
	}
	return count
}
