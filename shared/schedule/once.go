package schedule

import (
	"fmt"
	"strings"
	"time"
)

// onceWord begins an expression that names one minute: @at 2026-12-24T18:00, by the clock of the zone.
const onceWord = "@at"

// parseOnce reads what follows @at. It is the rule of a fixed time with a year, so that a minute that a clock skips or shows twice
// is what it is to any other fixed time.
func parseOnce(words []string) (rule, error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
		t, err := time.Parse(layout, strings.Join(words, " "))
		if err != nil {
			continue
		}
		return rule{
			minute: 1 << t.Minute(), hour: 1 << t.Hour(), dom: 1 << t.Day(), month: 1 << t.Month(), dow: 1<<7 - 1,
			fixed: true, year: t.Year(),
		}, nil
	}
	return rule{}, fmt.Errorf("@at is followed by one minute of the Job's time zone: @at 2026-12-24T18:00, without seconds and zone")
}

// Once says of an expression whether it names one minute.
func Once(expression string) bool {
	words := strings.Fields(expression)
	return len(words) > 0 && strings.EqualFold(words[0], onceWord)
}

// span are the minutes between which a rule of one year has its instant, wherever the zone is.
func (r rule) span() (first, last int64) {
	if r.year == 0 {
		return firstMinute, lastMinute
	}
	return max(firstMinute, minuteOf(time.Date(r.year-1, 12, 29, 0, 0, 0, 0, time.UTC))),
		min(lastMinute, minuteOf(time.Date(r.year+1, 1, 4, 0, 0, 0, 0, time.UTC)))
}

// Within is the schedule between two times: it names no instant before the one, nor at or after the other. A zero time is no bound.
func (s Schedule) Within(from, to time.Time) Schedule {
	if !from.IsZero() {
		s.from = minuteOf(from.Add(time.Minute - 1))
	}
	if !to.IsZero() {
		s.to = minuteOf(to.Add(time.Minute - 1))
	}
	return s
}

// bounds are the first and the last minute that may be an instant. A schedule that has no bound has zero for it, which is 1970.
func (s Schedule) bounds() (first, last int64) {
	first, last = firstMinute, lastMinute
	if s.from != 0 {
		first = max(first, s.from)
	}
	if s.to != 0 {
		last = min(last, s.to-1)
	}
	return first, last
}
