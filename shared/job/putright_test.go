package job

import (
	"fmt"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestWhatRanIsPutRight: two ticks at once have seen a Job before and after an edit, so that one has run what the other left out.
func TestWhatRanIsPutRight(t *testing.T) {
	out := func(at string, count int64) v1alpha1.Decision {
		return v1alpha1.Decision{Instant: *mt(at), Outcome: v1alpha1.OutcomeBlackedOut, Count: count}
	}
	ran := func(at string) v1alpha1.Decision {
		return v1alpha1.Decision{Instant: *mt(at), Outcome: v1alpha1.OutcomeRan}
	}
	for name, c := range map[string]struct {
		history []v1alpha1.Decision // newest first
		owed    bool
		until   string
		want    string
	}{
		"nothing is on record":            {nil, false, "12:00", "Ran 12:00"},
		"it is on record as left out":     {[]v1alpha1.Decision{out("12:00", 0), ran("11:00")}, false, "12:00", "Ran 12:00, Ran 11:00"},
		"the latest of those left out":    {[]v1alpha1.Decision{out("12:00", 3)}, false, "12:00", "Ran 12:00, BlackedOut 11:00 x2"},
		"one in the middle":               {[]v1alpha1.Decision{out("14:00", 5)}, false, "14:00", "BlackedOut 14:00 x2, Ran 12:00, BlackedOut 11:00 x2"},
		"the oldest of two":               {[]v1alpha1.Decision{out("13:00", 2), ran("11:00")}, false, "13:00", "BlackedOut 13:00, Ran 12:00, Ran 11:00"},
		"later ones alone are on record":  {[]v1alpha1.Decision{out("14:00", 2), ran("11:00")}, false, "14:00", "BlackedOut 14:00 x2, Ran 12:00, Ran 11:00"},
		"it is said already":              {[]v1alpha1.Decision{ran("12:00")}, false, "12:00", "Ran 12:00"},
		"it is yet to be decided":         {[]v1alpha1.Decision{ran("11:00")}, false, "11:00", "Ran 11:00"},
		"it is owed, and so decided then": {nil, true, "12:00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := settled("0 * * * *", c.until)
			j.Status.History = c.history
			for i, d := range j.Status.History {
				if d.Outcome == v1alpha1.OutcomeRan {
					j.Status.History[i].Task = j.TaskName(d.Instant.Time)
				}
			}
			if c.owed {
				owing(j, "11:00", "12:00")
			}
			task := j.NewTask()
			task.Name = j.TaskName(day("12:00"))
			plan := Plan{}.HavingRun(j, []*v1alpha1.Task{task})
			history, got := j.Status.History, ""
			if plan.Status != nil {
				history = plan.Status.History
			}
			for i, d := range history {
				if i > 0 {
					got += ", "
				}
				got += fmt.Sprint(d.Outcome, " ", d.Instant.UTC().Format("15:04"))
				if d.Count > 0 {
					got += fmt.Sprint(" x", d.Count)
				}
			}
			if got != c.want {
				t.Errorf("the history is %q, want %q", got, c.want)
			}
			changed := plan.Status != nil
			if changed != (len(plan.Records) == 1) || changed && (len(plan.Status.Active) != 1 || plan.Status.LastScheduleTime == nil) {
				t.Errorf("the plan is %+v", plan)
			}
		})
	}
}
