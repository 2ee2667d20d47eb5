package job

import (
	"fmt"
	"slices"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// MaxBackfill is how many instants one backfill runs at the most.
const MaxBackfill = 1000

// maxCounted is how many instants are counted to say how many there are.
const maxCounted = 200_000

// Backfill is what a range of instants of a Job comes to.
type Backfill struct {
	Run                                 []time.Time // those to run, oldest first
	Instants, Made, Ran, Owed, Unstored int
	Until                               time.Time // how far it goes: later instants are the function tick's
}

// BackfillOf says which of a Job's instants, from one up to and with another, are to be run: not those that have their Task, that are
// on record as run, or that are owed and so run by themselves; nor those that tick has yet to decide. Of instants that are older than
// the history nobody knows whether they ran and were pruned: Unstored counts those of Run.
func BackfillOf(j *v1alpha1.TaskSchedule, made Instants, from, to, now time.Time) (Backfill, error) {
	when := timetableOf(j)
	if err := when.err(); err != nil {
		return Backfill{}, err
	}
	b := Backfill{Until: now}
	if w := j.Status.DecidedUntil; w != nil && !j.Spec.Suspend {
		b.Until = w.Time
	}
	if to.Before(b.Until) {
		b.Until = to
	}
	instants, more := when.Between(from.Add(-time.Second), b.Until.Add(time.Second), maxCounted)
	if more {
		return b, fmt.Errorf("the range has more than %d instants: narrow it to at most %d with --from and --to", maxCounted, MaxBackfill)
	}
	ran, oldest := map[int64]bool{}, now
	for _, d := range j.Status.History {
		ran[d.Instant.Unix()] = ran[d.Instant.Unix()] || d.Outcome == v1alpha1.OutcomeRan
		if d.Instant.Time.Before(oldest) {
			oldest = d.Instant.Time
		}
	}
	b.Instants = len(instants)
	for _, t := range slices.Backward(instants) {
		owed := slices.ContainsFunc(j.Status.Owed, func(o v1alpha1.Owed) bool { return t.After(o.After.Time) && !t.After(o.Until.Time) })
		switch {
		case made[t.Unix()]:
			b.Made++
		case ran[t.Unix()]:
			b.Ran++
		case owed:
			b.Owed++
		default:
			b.Run = append(b.Run, t)
			if t.Before(oldest) {
				b.Unstored++
			}
		}
	}
	if len(b.Run) > MaxBackfill {
		return b, fmt.Errorf("the range has %d instants to run, from %s to %s, and one backfill runs at most %d: narrow it with "+
			"--from and --to", len(b.Run), b.Run[0].Format(time.RFC3339), b.Run[len(b.Run)-1].Format(time.RFC3339), MaxBackfill)
	}
	return b, nil
}
