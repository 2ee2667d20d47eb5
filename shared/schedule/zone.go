package schedule

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for images and machines without a data base of their own
)

var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// zones are those that were found: time reads a file for each. There are six hundred at most.
var zones sync.Map // of *time.Location, by name

// LoadZone finds a time zone by its IANA name; the empty name is UTC. What only this machine knows is refused: Local
// and its like, paths, and the copies with leap seconds.
func LoadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	lower := strings.ToLower(name)
	ours := lower == "local" || lower == "localtime" || lower == "posixrules" ||
		strings.HasPrefix(lower, "right/") || strings.HasPrefix(lower, "posix/")
	if len(name) <= 64 && zoneName.MatchString(name) && !ours {
		if loc, err := time.LoadLocation(name); err == nil {
			zones.Store(name, loc)
			return loc, nil
		}
	}
	return nil, fmt.Errorf("time zone %.60q is not known: use a name of the IANA data base, such as Europe/Berlin; "+
		"leave it out for UTC", name)
}

// period is a stretch of time in which a zone's clock runs evenly.
type period struct {
	// start and end: instants k with start <= k < end are in the period.
	start, end int64
	// offset is what the clock is ahead of UTC: wall minute = instant + offset.
	offset int64
	// forward is by how much the clock was put forward at start (back if negative); 0 if by more than three hours, which
	// is no daylight saving but a correction (cron(8), Notes) that skips and repeats wall minutes for good.
	forward int64
}

const correction = 3 * 60

// periodAt is the period of an instant. Before about 1900, and in Liberia up to 1972, zones are ahead by seconds too: they
// are left out, so that each instant has one wall minute.
func periodAt(loc *time.Location, k int64) period {
	t := timeOf(k).In(loc)
	start, end := t.ZoneBounds()
	p := period{start: firstMinute, end: lastMinute + 1, offset: offset(t)}
	if !start.IsZero() {
		p.start = minuteOf(start.Add(time.Minute - 1))
		if p.start > firstMinute {
			p.forward = p.offset - offset(timeOf(p.start-1).In(loc))
		}
		if p.forward > correction || p.forward < -correction {
			p.forward = 0
		}
	}
	if !end.IsZero() {
		p.end = minuteOf(end.Add(time.Minute - 1))
		if p.end <= k { // go1.26 takes years for 365 days where a zone's future rules hold, so 31 December 2040 is beyond
			p.end = k - k%(24*60) + 24*60
		}
	}
	return p
}

func offset(t time.Time) int64 {
	_, seconds := t.Zone()
	return floorDiv(int64(seconds), 60)
}

func minuteOf(t time.Time) int64 { return floorDiv(t.Unix(), 60) }

func timeOf(minute int64) time.Time { return time.Unix(minute*60, 0).UTC() }

func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}
