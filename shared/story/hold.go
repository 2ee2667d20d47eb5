package story

import (
	"strings"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// owed: it is past, and the Job says that it is still to run.
func owed(f JobFacts) *finding {
	for _, o := range f.Job.Status.Owed {
		if !f.Instant.After(o.After.Time) || f.Instant.After(o.Until.Time) || !after(f.Job, f.Instant.Add(-1)).Equal(f.Instant) {
			continue
		}
		why := o.Message + "; it is still to run"
		if now := f.Holds.But(f.Job, f.Now); now != "" {
			why += ". A run of now " + now
		} else if f.Job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyForbid || f.Job.Spec.ConcurrencyPolicy == v1alpha1.ConcurrencyReplace {
			why += ", when no other Task of the Job runs"
		}
		return &finding{"Held back", why, "Job", "kf run-job JOB runs it now, and once more when it is its turn"}
	}
	return nil
}

// remedyOfHold is what to do about an instant that a pause or a blackout has left out.
func remedyOfHold(d v1alpha1.Decision, now string) string {
	at := stamp(d.Instant.Time)
	if d.Outcome == v1alpha1.OutcomePaused {
		whose := "JOB"
		switch words := strings.Fields(d.Message); {
		case strings.HasPrefix(d.Message, "App ") && len(words) > 1:
			whose = "--app " + words[1]
		case strings.HasPrefix(d.Message, "Space "):
			whose = "--all"
		}
		return now + "; kf resume-job " + whose + " lifts the pause; after it, kf backfill JOB --from " + at + " --to " + at + " runs this instant"
	}
	return now + "; kf backfill JOB --from " + at + " --to " + at + " runs this instant"
}
