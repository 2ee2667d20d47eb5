package follow

import "time"

// Cursor is a position in the log of one container: how far it was delivered. The zero Cursor is the beginning.
type Cursor struct {
	// Time of the last line, and how many lines in a row had that very time (some runtimes give all lines of one read
	// the same).
	Time time.Time
	Same int
	// Part is the time of a line of which PartLen bytes, but not its end, were delivered after that.
	Part    time.Time
	PartLen int
	// Resolution is that of Time, where it was stored with less than nanoseconds.
	Resolution time.Duration
}

// IsZero says whether nothing was delivered.
func (c Cursor) IsZero() bool { return c.Time.IsZero() && c.PartLen == 0 }

// last is the time of what was delivered last.
func (c Cursor) last() time.Time {
	if c.PartLen > 0 {
		return c.Part
	}
	return c.Time
}

// since is what to ask the kubelet for to find the position again. The API takes whole seconds, and one more makes up
// for lines of one stream that were written down after later ones of the other.
func (c Cursor) since() time.Time {
	if c.Time.IsZero() {
		return c.Part.Truncate(time.Second)
	}
	return c.Time.Truncate(time.Second).Add(-time.Second)
}

// advance moves the cursor past a line.
func (c *Cursor) advance(l Line) {
	switch {
	case l.More:
		c.Part = l.Time
		c.PartLen += len(l.Text)
		return
	case l.Time.Equal(c.Time) && c.Resolution == 0:
		c.Same++
	default:
		c.Time, c.Same = l.Time, 1
	}
	c.Part, c.PartLen, c.Resolution = time.Time{}, 0, 0
}

// seam finds a Cursor's position in a log that is read again. The log is only ever added to, so whatever stands after
// the last line delivered is new, whatever its time. If that line is not there, rotation has taken it away, and
// everything that is there is new.
type seam struct {
	at    Cursor
	seen  int
	found bool
	skip  int // bytes of the line under way that were delivered before
}

func newSeam(at Cursor) *seam { return &seam{at: at, found: at.Time.IsZero(), skip: -1} }

// trim cuts off l what was delivered before; false if that is all of it.
func (s *seam) trim(l *Line) bool {
	if !s.found {
		t := l.Time
		if s.at.Resolution > 0 {
			t = t.Truncate(s.at.Resolution)
		}
		if t.Equal(s.at.Time) && !l.More {
			s.seen++
			s.found = s.seen >= s.at.Same
		}
		return false
	}
	if s.skip < 0 { // the first line after the seam
		s.skip = 0
		if s.at.PartLen > 0 && l.Time.Equal(s.at.Part) {
			s.skip = s.at.PartLen
		}
	}
	if s.skip == 0 {
		return true
	}
	if s.skip >= len(l.Text) {
		s.skip -= len(l.Text)
		if l.More {
			return false
		}
		s.skip = 0 // the end alone is new: it ends the line
		l.Text, l.Continued = nil, true
		return true
	}
	l.Text, l.Continued = l.Text[s.skip:], true
	s.skip = 0
	return true
}

// past says that the seam would have been met by now: this line is so much younger that no disorder between the
// streams explains it.
func (s *seam) past(l Line) bool { return !s.found && l.Time.Sub(s.at.Time) > disorder }

// disorder is how much older a line can be than one before it.
const disorder = time.Second
