package job

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/calendar"
)

// Holds are what a Job's App and Space say of when Jobs run: pauses and blackouts. The zero Holds hold nothing back.
type Holds struct {
	pauses    []pause
	blackouts calendar.Calendar
	// unreadable says of a blackout that it can't be read, and what to write: until somebody does, nobody knows when it is.
	unreadable string
}

// pause is one, and whose it is.
type pause struct {
	v1alpha1.Pause
	of string
}

// HoldsOf are those of an App and a Space; either may be nil.
func HoldsOf(app *v1alpha1.App, space *v1alpha1.Space) *Holds {
	h := &Holds{}
	if app != nil {
		h.add("App "+app.Name, app.Spec.Pause, app.Spec.Blackouts)
	}
	if space != nil {
		h.add("Space "+space.Name, space.Spec.Pause, space.Spec.Blackouts)
	}
	return h
}

func (h *Holds) add(of string, p *v1alpha1.Pause, blackouts []v1alpha1.Blackout) {
	if p != nil {
		h.pauses = append(h.pauses, pause{*p, of})
	}
	windows, err := calendar.Of(of, blackouts)
	if err != nil {
		h.unreadable = err.Error()
	}
	h.blackouts = append(h.blackouts, windows...)
}

// holding says whether a pause holds a time back.
func (p pause) holding(t time.Time) bool { return p.Until == nil || t.Before(p.Until.Time) }

// paused is the pause that holds a time back: the Job's own before its App's and its Space's.
func (h *Holds) paused(j *v1alpha1.TaskSchedule, t time.Time) (message string, is bool) {
	var all []pause
	if j.Spec.Pause != nil {
		all = append(all, pause{*j.Spec.Pause, "Job " + j.Name})
	}
	if h != nil {
		all = append(all, h.pauses...)
	}
	for _, p := range all {
		if p.holding(t) {
			return fmt.Sprintf("%s is paused%s%s", p.of, untilText(p.Until), noted(p.Note)), true
		}
	}
	return "", false
}

// blackout is the one that decides about an instant: that which it is in, or, where it is late, that which is on now.
func (h *Holds) blackout(instant, now time.Time) (calendar.Blackout, bool) {
	if h == nil {
		return calendar.Blackout{}, false
	}
	if b, in := h.blackouts.At(instant); in {
		return b, true
	}
	return h.blackouts.At(now)
}

// held says whether nothing of the Job may start now.
func (h *Holds) held(j *v1alpha1.TaskSchedule, now time.Time) bool {
	if _, is := h.paused(j, now); is || h == nil {
		return is
	}
	_, in := h.blackouts.At(now)
	return in || h.unreadable != ""
}

func untilText(until *metav1.Time) string {
	if until == nil {
		return ""
	}
	return " until " + until.UTC().Format(time.RFC3339)
}

// maxNote is how many characters of a note go into each record of a history: the object has it whole.
const maxNote = 200

func noted(note string) string {
	runes := []rune(note)
	if len(runes) > maxNote {
		note = string(runes[:maxNote]) + "..."
	}
	if note != "" {
		note = ": " + note
	}
	return note
}

// named is a blackout in a history.
func named(b calendar.Blackout) string {
	return fmt.Sprintf("blackout %s of %s%s", b.Name, b.Of, noted(b.Note))
}
