package story

import (
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// owed: it is past, and the Job says that it is still to run.
func owed(f JobFacts) *finding {
	for _, o := range f.Job.Status.Owed {
		within := f.Instant.After(o.After.Time) && !f.Instant.After(o.Until.Time)
		if !within || !after(f.Job, f.Instant.Add(-time.Second)).Equal(f.Instant) {
			continue
		}
		why := o.Message + "; it is still to run"
		if now := f.Holds.But(f.Job, f.Now); now != "" {
			why += ". Now, a run " + now
		} else if p := f.Job.Spec.ConcurrencyPolicy; p == v1alpha1.ConcurrencyForbid || p == v1alpha1.ConcurrencyReplace {
			why += ", when no other Task of the Job runs"
		}
		return &finding{"Held back", why, "Job", "kf run-job JOB runs it now, and once more when it is its turn"}
	}
	return nil
}

// remedyOfHold is what to do about an instant that a pause or a blackout has left out.
func remedyOfHold(d v1alpha1.Decision, instant time.Time, now string) string {
	at := stamp(instant)
	if d.Outcome == v1alpha1.OutcomePaused {
		whose := "JOB"
		switch words := strings.Fields(d.Message); {
		case strings.HasPrefix(d.Message, "App ") && len(words) > 1:
			whose = "--app " + words[1]
		case strings.HasPrefix(d.Message, "Space "):
			whose = "--all"
		}
		now += "; kf resume-job " + whose + " lifts the pause"
	}
	return now + "; kf backfill JOB --from " + at + " --to " + at + " runs this instant"
}
