// Package calendar says which times are in the blackouts of an App or a Space, what they mean there, and when they are over. It is
// pure: a Blackout is read once, and then asked about times. ical.go has what of iCalendar is read.
package calendar

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// Calendar are the windows of all blackouts that hold for a Job. The zero Calendar has none.
type Calendar []window

// window is a blackout: many windows, of one length or less.
type window struct {
	Blackout
	events []event
}

// Blackout is one blackout as it holds at a time.
type Blackout struct {
	Name, Note, Of string
	Policy         v1alpha1.BlackoutPolicy
	Ends           time.Time // of the window that the time is in
}

// event is a time that recurs, or that there is once.
type event struct {
	begins time.Time // the first time; its zone is that in which it recurs
	lasts  time.Duration
	ends   func(begins time.Time) time.Time // where the length is one by the clock; nil where it is lasts
	on     func(day time.Time) bool         // on which days it begins again; nil if it does once
}

// maxRecurring bounds how many days are looked at: an event that recurs is shorter than this.
const maxRecurring = 32 * 24 * time.Hour

// Of reads the blackouts of an App or a Space. of names it, for the history: "App shop", "Space prod". The error says what can't be
// read, and what to write.
func Of(of string, blackouts []v1alpha1.Blackout) (Calendar, error) {
	var all Calendar
	for _, b := range blackouts {
		events, err := eventsOf(b)
		if err != nil {
			return nil, fmt.Errorf("blackout %.63q of %s: %w", b.Name, of, err)
		}
		all = append(all, window{Blackout{b.Name, b.Note, of, cmp.Or(b.Policy, v1alpha1.BlackoutSkip), time.Time{}}, events})
	}
	return all, nil
}

func eventsOf(b v1alpha1.Blackout) ([]event, error) {
	zone, err := schedule.LoadZone(b.TimeZone)
	switch {
	case err != nil:
		return nil, err
	case b.From != nil && b.To != nil:
		return []event{{begins: b.From.Time, lasts: b.To.Sub(b.From.Time)}}, nil
	case b.Weekly != nil:
		return weekly(*b.Weekly, zone)
	case b.ICalendar != "":
		return parseICalendar(b.ICalendar, zone)
	}
	return nil, fmt.Errorf("it says nothing of when: from and to, weekly, or iCalendar")
}

// weekly is an event that begins on days of each week, by a clock: where that is changed the window is longer or shorter.
func weekly(w v1alpha1.WeeklyWindow, zone *time.Location) ([]event, error) {
	from, err := time.Parse("15:04", w.From)
	to, wrong := time.Parse("15:04", w.To)
	if err = cmp.Or(err, wrong); err != nil {
		return nil, fmt.Errorf("weekly is from and to times of day, such as 22:00 and 06:00: %w", err)
	}
	days := map[string]bool{}
	for _, d := range w.Days {
		days[d] = true
	}
	days24 := 0
	if !to.After(from) {
		days24 = 1
	}
	return []event{{
		begins: time.Date(1970, 1, 1, from.Hour(), from.Minute(), 0, 0, zone),
		lasts:  to.Sub(from) + time.Duration(days24)*24*time.Hour,
		ends: func(b time.Time) time.Time {
			return time.Date(b.Year(), b.Month(), b.Day()+days24, to.Hour(), to.Minute(), 0, 0, zone)
		},
		on: func(day time.Time) bool { return len(days) == 0 || days[day.Format("Mon")] },
	}}, nil
}

// At is the blackout that decides about a time: of those that hold, Skip before RunAfter before Shift, and of those the one that
// ends last. ok is false if none holds.
func (c Calendar) At(t time.Time) (b Blackout, ok bool) {
	for _, w := range c {
		ends, in := w.ends(t)
		if !in {
			continue
		}
		if !ok || rank[w.Policy] > rank[b.Policy] || w.Policy == b.Policy && ends.After(b.Ends) {
			b, ok = w.Blackout, true
			b.Ends = ends
		}
	}
	return b, ok
}

var rank = map[v1alpha1.BlackoutPolicy]int{
	v1alpha1.BlackoutSkip: 3, v1alpha1.BlackoutRunAfter: 2, v1alpha1.BlackoutShift: 1,
}

// ends is when a window that a time is in is over.
func (w window) ends(t time.Time) (latest time.Time, in bool) {
	for _, e := range w.events {
		if ends, is := e.covers(t); is && ends.After(latest) {
			latest, in = ends, true
		}
	}
	return latest, in
}

// covers says whether a time is in the event, and when that is over.
func (e event) covers(t time.Time) (ends time.Time, in bool) {
	over := func(begins time.Time) time.Time {
		if e.ends != nil {
			return e.ends(begins)
		}
		return begins.Add(e.lasts)
	}
	if e.on == nil {
		return over(e.begins), !t.Before(e.begins) && t.Before(over(e.begins))
	}
	day := t.In(e.begins.Location())
	for back := range int(e.lasts/(24*time.Hour)) + 3 { // one day more on each side, for what a clock's change adds
		d := time.Date(day.Year(), day.Month(), day.Day()+1-back, 12, 0, 0, 0, time.UTC) // noon: there on any day
		begins := time.Date(d.Year(), d.Month(), d.Day(), e.begins.Hour(), e.begins.Minute(), e.begins.Second(), 0, e.begins.Location())
		if !begins.Before(e.begins) && !t.Before(begins) && t.Before(over(begins)) && e.on(d) {
			if o := over(begins); o.After(ends) {
				ends, in = o, true
			}
		}
	}
	return ends, in
}

// maxSteps bounds how many windows that follow one another are looked through for an end.
const maxSteps = 400

// Over is when, from a time on, no blackout holds: that time itself where none does. It is false where none is found: the blackouts
// leave no time between them for longer than anybody looks.
func (c Calendar) Over(t time.Time) (time.Time, bool) {
	for range maxSteps {
		latest := t
		for _, w := range c {
			if ends, in := w.ends(t); in && ends.After(latest) {
				latest = ends
			}
		}
		if latest.Equal(t) {
			return t, true
		}
		t = latest
	}
	return time.Time{}, false
}
