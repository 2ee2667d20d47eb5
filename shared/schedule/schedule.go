// Package schedule is the arithmetic of Jobs' schedules: which minutes crontab(5) expressions name in a time zone. It is
// pure: now is a parameter. README.md has the rules and the table of what happens when clocks are changed.
//
// Time is counted in whole minutes. An instant is a minute since 1970 in UTC; a wall minute is what the zone's clock
// shows at an instant, counted the same way. With wall(k) for the wall minute of instant k, the instants of an
// expression are
//
//	if its minute or hour begins with * (wildcard):  all k where wall(k) matches
//	otherwise (fixed time):                          all k where wall(k) matches and is not repeated,
//	                                                 and all k that end a gap in which a skipped wall minute matches
//
// where, at a change by up to three hours, wall minutes are repeated when the clock is put back, and skipped when it is
// put forward. next and previous below are that definition read in two directions.
package schedule

import (
	"math/bits"
	"time"
)

// Schedule is the set of instants that one or more expressions name in one zone. The zero Schedule has none.
type Schedule struct {
	rules    []rule
	loc      *time.Location
	from, to int64 // see Within
}

// Instants lie in the years that RFC 3339 can write.
var (
	firstMinute = minuteOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	lastMinute  = minuteOf(time.Date(9999, 12, 31, 23, 59, 0, 0, time.UTC))
)

// Next is the first instant after the given time, in UTC; the zero time if there is none.
func (s Schedule) Next(after time.Time) time.Time {
	first, last := s.bounds()
	from, best := max(minuteOf(after)+1, first), last+1
	for _, r := range s.rules {
		begins, ends := r.span()
		limit := min(best, ends+1)
		if k := r.next(s.loc, max(from, begins), limit); k < limit {
			best = k
		}
	}
	if best > last {
		return time.Time{}
	}
	return timeOf(best)
}

// NextN are the first n instants after the given time.
func (s Schedule) NextN(after time.Time, n int) []time.Time {
	var instants []time.Time
	for t := s.Next(after); !t.IsZero() && len(instants) < n; t = s.Next(t) {
		instants = append(instants, t)
	}
	return instants
}

// MostRecent is the latest instant that is after one time and not after now; the zero time if there is none. Its cost
// does not grow with the time between the two.
func (s Schedule) MostRecent(after, now time.Time) time.Time {
	first, last := s.bounds()
	from, best := min(minuteOf(now), last), max(minuteOf(after), first-1)
	found := false
	for _, r := range s.rules {
		begins, ends := r.span()
		limit := max(best, begins-1)
		if k := r.previous(s.loc, min(from, ends), limit); k > limit {
			best, found = k, true
		}
	}
	if !found {
		return time.Time{}
	}
	return timeOf(best)
}

// Between are the instants after one time and before another, newest first, up to a limit; more says that the limit
// left some out.
func (s Schedule) Between(after, before time.Time, limit int) (instants []time.Time, more bool) {
	for {
		t := s.MostRecent(after, before.Add(-1))
		if t.IsZero() {
			return instants, false
		}
		if len(instants) == limit {
			return instants, true
		}
		instants = append(instants, t)
		before = t
	}
}

// next is the rule's first instant from k on, or something not below limit.
func (r rule) next(loc *time.Location, k, limit int64) int64 {
	for k < limit {
		p := periodAt(loc, k)
		if r.endsGap(p) && k == p.start {
			return k
		}
		if wall := r.nextWall(max(k+p.offset, r.firstWall(p)), min(p.end, limit)+p.offset); wall != none {
			return wall - p.offset
		}
		k = p.end
	}
	return limit
}

// previous is the rule's last instant up to k, or something not above limit.
func (r rule) previous(loc *time.Location, k, limit int64) int64 {
	for k > limit {
		p := periodAt(loc, k)
		if wall := r.previousWall(max(limit+1+p.offset, r.firstWall(p)), k+p.offset+1); wall != none {
			return wall - p.offset
		}
		if r.endsGap(p) && p.start > limit {
			return p.start
		}
		k = p.start - 1
	}
	return limit
}

// firstWall is the first wall minute of the period that may match: not one that is repeated, for a fixed time.
func (r rule) firstWall(p period) int64 {
	wall := p.start + p.offset
	if r.fixed && p.forward < 0 {
		wall -= p.forward
	}
	return wall
}

// endsGap says whether the period's start makes up for a fixed time that was skipped.
func (r rule) endsGap(p period) bool {
	wall := p.start + p.offset
	return r.fixed && p.forward > 0 && r.nextWall(wall-p.forward, wall) != none
}

const none = int64(-1 << 63)

// nextWall is the first matching wall minute in [from, to).
func (r rule) nextWall(from, to int64) int64 {
	for from < to {
		t := timeOf(from)
		minute := t.Hour()*60 + t.Minute()
		if r.month>>t.Month()&1 == 0 || !r.in(t) {
			from = minuteOf(time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC))
			continue
		}
		if r.dayMatches(t) {
			if m := r.minuteFrom(minute); m >= 0 && from+int64(m-minute) < to {
				return from + int64(m-minute)
			}
		}
		from += int64(24*60 - minute)
	}
	return none
}

// previousWall is the last matching wall minute in [from, to).
func (r rule) previousWall(from, to int64) int64 {
	for last := to - 1; last >= from; {
		t := timeOf(last)
		minute := t.Hour()*60 + t.Minute()
		if r.month>>t.Month()&1 == 0 || !r.in(t) {
			last = minuteOf(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)) - 1
			continue
		}
		if r.dayMatches(t) {
			if m := r.minuteUpTo(minute); m >= 0 && last-int64(minute-m) >= from {
				return last - int64(minute-m)
			}
		}
		last -= int64(minute + 1)
	}
	return none
}

// in says whether the rule is of the year.
func (r rule) in(t time.Time) bool { return r.year == 0 || r.year == t.Year() }

func (r rule) dayMatches(t time.Time) bool {
	dom, dow := r.dom>>t.Day()&1 == 1, r.dow>>t.Weekday()&1 == 1
	if r.eitherDay {
		return dom || dow
	}
	return dom && dow
}

// minuteFrom is the first minute of a matching day, counted from 00:00, that is not before m; -1 if there is none.
func (r rule) minuteFrom(m int) int {
	hour := m / 60
	if rest := r.minute >> (m % 60); r.hour>>hour&1 == 1 && rest != 0 {
		return m + bits.TrailingZeros64(rest)
	}
	if rest := r.hour >> (hour + 1); rest != 0 {
		return (hour+1+bits.TrailingZeros64(rest))*60 + bits.TrailingZeros64(r.minute)
	}
	return -1
}

// minuteUpTo is the last minute of a matching day that is not after m; -1 if there is none.
func (r rule) minuteUpTo(m int) int {
	hour := m / 60
	if rest := r.minute << (63 - m%60); r.hour>>hour&1 == 1 && rest != 0 {
		return m - bits.LeadingZeros64(rest)
	}
	if rest := r.hour & (1<<hour - 1); rest != 0 {
		return (bits.Len64(rest)-1)*60 + bits.Len64(r.minute) - 1
	}
	return -1
}
