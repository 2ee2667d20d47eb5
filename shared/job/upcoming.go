package job

import (
	"errors"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Run is an instant that is to come, in the Job's zone, and what becomes of it as things stand: "" if it runs.
type Run struct {
	Instant time.Time
	But     string
}

// Upcoming is Preview with what pauses and blackouts will do to each instant. holds may be nil.
func Upcoming(j *v1alpha1.TaskSchedule, holds *Holds, now time.Time, n int) ([]Run, error) {
	instants, err := Preview(j, now, n)
	if err != nil {
		return nil, err
	}
	if holds != nil && holds.unreadable != "" {
		return nil, errors.New(holds.unreadable)
	}
	var runs []Run
	for _, t := range instants {
		runs = append(runs, Run{t, holds.But(j, t)})
	}
	return runs, nil
}

// But says why an instant does not run at its time, and when it does, as things stand; "" if it runs.
func (h *Holds) But(j *v1alpha1.TaskSchedule, t time.Time) string {
	if why, is := h.paused(j, t); is {
		return "does not run: " + why
	}
	b, in := h.blackout(t, t)
	if !in {
		return ""
	}
	if b.Policy == v1alpha1.BlackoutSkip {
		return "does not run: " + named(b)
	}
	at := "when that is over, which nobody can tell"
	if over, ok := h.blackouts.Over(t); ok {
		at = "at " + over.In(t.Location()).Format("Mon 2006-01-02 15:04 MST")
	}
	if b.Policy == v1alpha1.BlackoutRunAfter {
		return "runs " + at + ", if it is the latest that is held back: " + named(b)
	}
	return "runs " + at + ": " + named(b)
}
