package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// Of RFC 5545 is read: VEVENT with DTSTART, DTEND or DURATION, RRULE, EXDATE and STATUS; times in UTC, with a TZID of the IANA data
// base, or of the blackout's zone; whole days. Of RRULE: FREQ=DAILY, WEEKLY, MONTHLY and YEARLY with INTERVAL, COUNT, UNTIL, BYDAY
// (of DAILY and WEEKLY, days without a number), BYMONTHDAY (of MONTHLY), and WKST=MO. What would mean other times if it were left out
// is refused: RDATE, RECURRENCE-ID, and other parts of RRULE. All else (VTIMEZONE, VALARM, SUMMARY ...) says nothing of when.

const maxEvents = 500

// property is a line of iCalendar: DTSTART;TZID=Europe/Berlin:20261224T180000.
type property struct {
	name, value string
	params      map[string]string
}

func parseICalendar(text string, zone *time.Location) ([]event, error) {
	var events []event
	var within []string
	var of map[string]property
	if !strings.Contains(text, "BEGIN:VCALENDAR") {
		return nil, errors.New("iCalendar has no BEGIN:VCALENDAR: give the text of a file such as a calendar program exports")
	}
	for n, line := range unfolded(text) {
		p, ok := propertyOf(line)
		if !ok {
			return nil, fmt.Errorf("iCalendar: %.60q, its line %d, is not NAME:VALUE", line, n+1)
		}
		switch {
		case p.name == "BEGIN":
			within = append(within, strings.ToUpper(p.value))
			if p.value == "VEVENT" {
				of = map[string]property{}
			}
		case p.name == "END":
			if len(within) == 0 || within[len(within)-1] != strings.ToUpper(p.value) {
				return nil, fmt.Errorf("iCalendar: END:%.30s, in its line %d, ends what did not begin", p.value, n+1)
			}
			within = within[:len(within)-1]
			if p.value != "VEVENT" {
				continue
			}
			e, err := eventOf(of, zone)
			if err != nil {
				return nil, fmt.Errorf("iCalendar: the event %.60q: %w", of["SUMMARY"].value, err)
			}
			events = append(events, e...)
		case len(within) > 0 && within[len(within)-1] == "VEVENT":
			if was, there := of[p.name]; there && p.name == "EXDATE" {
				p.value = was.value + "," + p.value
			}
			of[p.name] = p
		}
	}
	switch {
	case len(within) > 0:
		return nil, fmt.Errorf("iCalendar: %s has no END", within[len(within)-1])
	case len(events) > maxEvents:
		return nil, fmt.Errorf("iCalendar has %d events, %d are allowed: use RRULE, or leave out those that are over",
			len(events), maxEvents)
	}
	return events, nil
}

// unfolded are the lines of a text: one that begins with a space goes on with the one before (RFC 5545, 3.1).
func unfolded(text string) (lines []string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
		case (line[0] == ' ' || line[0] == '\t') && len(lines) > 0:
			lines[len(lines)-1] += line[1:]
		default:
			lines = append(lines, line)
		}
	}
	return lines
}

func propertyOf(line string) (property, bool) {
	quoted, colon := false, -1
	for i, c := range line {
		if c == '"' {
			quoted = !quoted
		}
		if c == ':' && !quoted {
			colon = i
			break
		}
	}
	if colon < 1 {
		return property{}, false
	}
	words := strings.Split(line[:colon], ";")
	p := property{name: strings.ToUpper(words[0]), value: strings.TrimSpace(line[colon+1:]), params: map[string]string{}}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		p.params[strings.ToUpper(k)] = strings.Trim(v, `"`)
	}
	return p, true
}

// eventOf is one VEVENT; none if it is cancelled.
func eventOf(of map[string]property, zone *time.Location) ([]event, error) {
	for _, name := range []string{"RDATE", "RECURRENCE-ID", "EXRULE"} {
		if _, there := of[name]; there {
			return nil, fmt.Errorf("%s is not read: write an event of its own for that time", name)
		}
	}
	if strings.EqualFold(of["STATUS"].value, "CANCELLED") {
		return nil, nil
	}
	start, there := of["DTSTART"]
	if !there {
		return nil, errors.New("it has no DTSTART")
	}
	begins, wholeDay, err := start.time(zone)
	if err != nil {
		return nil, err
	}
	e := event{begins: begins}
	days := 0
	switch end, hasEnd := of["DTEND"]; {
	case hasEnd:
		ends, _, err := end.time(zone)
		if err != nil {
			return nil, err
		}
		e.lasts = ends.Sub(begins)
		days = int(ends.Sub(begins)+12*time.Hour) / int(24*time.Hour)
	case of["DURATION"].value != "":
		if e.lasts, err = duration(of["DURATION"].value); err != nil {
			return nil, err
		}
		days = int(e.lasts / (24 * time.Hour))
	case wholeDay:
		e.lasts, days = 24*time.Hour, 1
	}
	if e.lasts <= 0 {
		return nil, errors.New("it does not last: give it a DTEND after its DTSTART, or a DURATION")
	}
	if wholeDay { // a day is as long as the clock makes it
		e.ends = func(b time.Time) time.Time {
			return time.Date(b.Year(), b.Month(), b.Day()+days, 0, 0, 0, 0, b.Location())
		}
	}
	return e.recurring(of["RRULE"].value, of["EXDATE"], zone)
}

// recurring makes an event one that recurs.
func (e event) recurring(rule string, except property, zone *time.Location) ([]event, error) {
	if rule == "" {
		return []event{e}, nil
	}
	if e.lasts > maxRecurring {
		return nil, errors.New("it recurs and lasts more than 32 days: write events of their own")
	}
	on, err := recurrence(rule, e.begins)
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for text := range strings.SplitSeq(except.value, ",") {
		if text == "" {
			continue
		}
		except.value = text
		at, _, err := except.time(zone)
		if err != nil {
			return nil, err
		}
		left[at.In(e.begins.Location()).Format(time.DateOnly)] = true
	}
	e.on = func(day time.Time) bool { return !left[day.Format(time.DateOnly)] && on(day) }
	return []event{e}, nil
}

// time reads a date, or a date with a time.
func (p property) time(zone *time.Location) (at time.Time, wholeDay bool, err error) {
	if name := p.params["TZID"]; name != "" {
		if zone, err = schedule.LoadZone(name); err != nil {
			return time.Time{}, false, err
		}
	}
	if at, err = time.ParseInLocation("20060102", p.value, zone); err == nil {
		return at, true, nil
	}
	if at, err = time.Parse("20060102T150405Z", p.value); err == nil {
		return at, false, nil
	}
	if at, err = time.ParseInLocation("20060102T150405", p.value, zone); err == nil {
		return at, false, nil
	}
	return time.Time{}, false, fmt.Errorf("%s %.40q is no time: it is written 20261224, 20261224T180000 or 20261224T170000Z",
		p.name, p.value)
}

const longest = 10 * 366 * 24 * time.Hour

// duration reads P1W, P2DT3H, PT90M.
func duration(text string) (total time.Duration, err error) {
	wrong := fmt.Errorf("DURATION %.40q is none: it is written PT90M, P2DT3H or P1W", text)
	rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour}
	if !ok || rest == "" {
		return 0, wrong
	}
	for rest != "" {
		if rest[0] == 'T' {
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			rest = rest[1:]
		}
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || i > 6 {
			return 0, wrong
		}
		n, err := strconv.Atoi(rest[:i])
		unit, known := units[rest[i]]
		if err != nil || !known {
			return 0, wrong
		}
		if total += time.Duration(n) * unit; time.Duration(n) > longest/unit || total > longest {
			return 0, errors.New("DURATION is more than ten years: a pause is for that")
		}
		rest = rest[i+1:]
	}
	return total, nil
}

var weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}

// rrule are the parts of a rule.
type rrule struct {
	freq            string
	interval, count int
	until           time.Time
	days            []string
	monthDays       []int
}

// recurrence says of each day, given as its noon in UTC, whether an event begins on it.
func recurrence(text string, begins time.Time) (func(day time.Time) bool, error) {
	r, err := parseRule(text, begins.Location())
	if err != nil {
		return nil, err
	}
	first := time.Date(begins.Year(), begins.Month(), begins.Day(), 12, 0, 0, 0, time.UTC)
	if len(r.days) == 0 && r.freq == "WEEKLY" {
		r.days = []string{weekdays[first.Weekday()]}
	}
	if len(r.monthDays) == 0 {
		r.monthDays = []int{first.Day()}
	}
	last := first.AddDate(10000, 0, 0)
	if !r.until.IsZero() {
		at := r.until.In(begins.Location())
		last = time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, time.UTC)
		clock := time.Date(at.Year(), at.Month(), at.Day(), begins.Hour(), begins.Minute(), begins.Second(), 0, begins.Location())
		if clock.After(r.until) {
			last = last.AddDate(0, 0, -1)
		}
	}
	on := func(day time.Time) bool { return !day.Before(first) && !day.After(last) && r.names(day, first) }
	if r.count > 0 {
		if last, err = r.countedUntil(first, on); err != nil {
			return nil, err
		}
		return func(day time.Time) bool { return !day.After(last) && on(day) }, nil
	}
	return on, nil
}

// countedUntil is the day of the last of so many times.
func (r rrule) countedUntil(first time.Time, on func(time.Time) bool) (time.Time, error) {
	day, found := first, 0
	for range 50 * 366 {
		if on(day) {
			if found++; found == r.count {
				return day, nil
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}, errors.New("RRULE: COUNT goes on for more than 50 years: leave it out")
}

// names says whether the rule names a day that is not before the first.
func (r rrule) names(day, first time.Time) bool {
	byDay := len(r.days) == 0 || slices.Contains(r.days, weekdays[day.Weekday()])
	switch r.freq {
	case "DAILY":
		return byDay && daysBetween(first, day)%r.interval == 0
	case "WEEKLY":
		return byDay && daysBetween(monday(first), monday(day))/7%r.interval == 0
	case "MONTHLY":
		months := (day.Year()-first.Year())*12 + int(day.Month()-first.Month())
		end := time.Date(day.Year(), day.Month()+1, 0, 12, 0, 0, 0, time.UTC).Day()
		is := func(n int) bool { return n == day.Day() || n < 0 && end+1+n == day.Day() }
		return months%r.interval == 0 && slices.ContainsFunc(r.monthDays, is)
	}
	return day.Month() == first.Month() && day.Day() == first.Day() && (day.Year()-first.Year())%r.interval == 0
}

func daysBetween(a, b time.Time) int { return int(b.Sub(a) / (24 * time.Hour)) }

func monday(day time.Time) time.Time { return day.AddDate(0, 0, -(int(day.Weekday())+6)%7) }

func parseRule(text string, zone *time.Location) (r rrule, err error) {
	r.interval = 1
	for part := range strings.SplitSeq(strings.ToUpper(text), ";") {
		key, value, _ := strings.Cut(part, "=")
		refused := fmt.Errorf("RRULE: %.60s is not read; of a rule there are FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, INTERVAL, COUNT, "+
			"UNTIL, BYDAY of DAILY and WEEKLY, BYMONTHDAY of MONTHLY: write several events instead", part)
		switch key {
		case "FREQ":
			r.freq = value
			if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, value) {
				return r, refused
			}
		case "INTERVAL":
			r.interval, err = strconv.Atoi(value)
			if err != nil || r.interval < 1 || r.interval > 1000 {
				return r, refused
			}
		case "COUNT":
			r.count, err = strconv.Atoi(value)
			if err != nil || r.count < 1 || r.count > 10000 {
				return r, refused
			}
		case "UNTIL":
			at, wholeDay, err := property{name: key, value: value}.time(zone)
			if err != nil {
				return r, err
			}
			if wholeDay {
				at = at.AddDate(0, 0, 1).Add(-time.Second)
			}
			r.until = at
		case "BYDAY":
			r.days = strings.Split(value, ",")
			if slices.ContainsFunc(r.days, func(d string) bool { return !slices.Contains(weekdays, d) }) {
				return r, refused
			}
		case "BYMONTHDAY":
			for d := range strings.SplitSeq(value, ",") {
				n, err := strconv.Atoi(d)
				if err != nil || n == 0 || n < -31 || n > 31 {
					return r, refused
				}
				r.monthDays = append(r.monthDays, n)
			}
		default:
			if part != "WKST=MO" && part != "" {
				return r, refused
			}
		}
	}
	return r, r.check()
}

// check refuses what does not go together.
func (r rrule) check() error {
	switch {
	case r.freq == "":
		return errors.New("RRULE has no FREQ")
	case r.count > 0 && !r.until.IsZero():
		return errors.New("RRULE has COUNT and UNTIL: one of them")
	case len(r.days) > 0 && r.freq != "DAILY" && r.freq != "WEEKLY":
		return fmt.Errorf("RRULE: BYDAY of %s is not read: write several events instead", r.freq)
	case len(r.monthDays) > 0 && r.freq != "MONTHLY":
		return fmt.Errorf("RRULE: BYMONTHDAY of %s is not read: write several events instead", r.freq)
	}
	return nil
}
