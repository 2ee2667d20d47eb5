package follow

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
	"unicode/utf8"
)

// MaxPiece is the longest piece of a line that is held in memory. Longer lines are delivered in pieces.
const MaxPiece = 32 << 10

// Line is a line of a log, or a piece of one that is too long to be held.
type Line struct {
	Time time.Time
	// Text has no line end. It is valid until the next line is read.
	Text []byte
	// More says that the line goes on in the next Line; Continued, that it began in the one before.
	More, Continued bool
}

// errNoTime is met where a line has no time: it is not the container's. The kubelet writes what goes wrong into the
// stream itself, after the headers have long been sent, for example "unable to retrieve container logs for ...".
var errNoTime = errors.New("not a line of the container")

// errCut is met where a stream ends within a line.
var errCut = errors.New("the log ends within a line")

// lineReader splits a log that was asked for with timestamps.
type lineReader struct {
	r         *bufio.Reader
	continued bool
	ended     bool      // the last line had its end
	at        time.Time // of the line under way
	minute    [16]byte  // the last minute parsed, as text, and as time
	base      time.Time
	carry     []byte // the beginning of a character that a piece was cut before
	joined    []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, MaxPiece+64)}
}

// next returns the next line, or io.EOF. With errNoTime and errCut, Text holds what was found.
func (lr *lineReader) next() (Line, error) {
	b, err := lr.r.ReadSlice('\n')
	l := Line{Text: b, Continued: lr.continued}
	lr.ended = err == nil
	switch {
	case err == nil:
		l.Text = b[:len(b)-1]
	case errors.Is(err, bufio.ErrBufferFull):
		l.More = true
	case len(b) == 0:
		return Line{}, err
	case errors.Is(err, io.EOF):
		err = errCut
	default:
		return Line{}, err
	}
	if len(lr.carry) > 0 {
		lr.joined = append(append(lr.joined[:0], lr.carry...), l.Text...)
		l.Text, lr.carry = lr.joined, lr.carry[:0]
	}
	if l.More {
		whole := wholeCharacters(l.Text)
		lr.carry = append(lr.carry, l.Text[whole:]...)
		l.Text = l.Text[:whole]
	}
	if !l.Continued {
		at, rest, ok := lr.parseTime(l.Text)
		if !ok {
			return l, errNoTime
		}
		lr.at, l.Text = at, rest
	}
	l.Time = lr.at
	if errors.Is(err, errCut) {
		return l, err
	}
	lr.continued = l.More
	return l, nil
}

// wholeCharacters is the length of b without a character that is cut off at its end.
func wholeCharacters(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}

// parseTime takes the time and the space after it off a line. The kubelet writes times with nine digits; a minute is
// parsed once, as a log at full speed has a hundred thousand lines a second.
func (lr *lineReader) parseTime(b []byte) (time.Time, []byte, bool) {
	const fixed = len("2006-01-02T15:04:05.000000000Z")
	if len(b) > fixed && b[fixed-1] == 'Z' && b[fixed] == ' ' && b[16] == ':' && b[19] == '.' {
		if !bytes.Equal(b[:16], lr.minute[:]) || lr.base.IsZero() {
			t, err := time.Parse("2006-01-02T15:04", string(b[:16]))
			if err != nil {
				return time.Time{}, nil, false
			}
			lr.base = t
			copy(lr.minute[:], b)
		}
		s, ok1 := digits(b[17:19])
		n, ok2 := digits(b[20 : fixed-1])
		if ok1 && ok2 {
			return lr.base.Add(time.Duration(s)*time.Second + time.Duration(n)), b[fixed+1:], true
		}
		return time.Time{}, nil, false
	}
	head, rest, found := bytes.Cut(b, []byte{' '})
	if !found {
		head = b // an empty line of a runtime that leaves out the space
	}
	t, err := time.Parse(time.RFC3339Nano, string(head))
	if err != nil {
		return time.Time{}, nil, false
	}
	return t.UTC(), rest, true
}

func digits(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
