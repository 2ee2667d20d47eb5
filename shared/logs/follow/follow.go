package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// State is what became of a container, as far as its log is concerned.
type State int

// States of a container.
const (
	Waiting State = iota // it has not started: there is no log yet
	Running
	Ended // the log is all there
	Gone  // the Pod, and the log with it, are not there any more
)

// Query is one request for a container's log. Since has whole seconds.
type Query struct {
	Follow bool
	Since  time.Time
	Tail   *int64
}

// Source is the log of one container.
type Source interface {
	// Open asks for the log, with times.
	Open(ctx context.Context, q Query) (io.ReadCloser, error)
	// State says what is known of the container. Changed is closed when that may have changed.
	State() (s State, changed <-chan struct{})
}

// Options say what to read of a log.
type Options struct {
	// Follow the log to the container's end; else read what there is.
	Follow bool
	// Tail begins with the last so many lines.
	Tail *int64
	// Since leaves out older lines.
	Since time.Time
	// From resumes where an earlier reader was.
	From Cursor

	// Attached is called each time the log was opened in such a way that all that is in it, and comes to it, is received.
	Attached func()
	// Idle is called when all that was received has been delivered, before waiting for more.
	Idle func()
	// Gap is called when lines may be missing between the two times: the log was rotated while it was not being read.
	// before is zero if there was no line after the rotation.
	Gap func(after, before time.Time)
}

// Result is how far a log was read.
type Result struct {
	Cursor Cursor
	Lines  int64
	// First is the time of the first line.
	First time.Time
	// Whole says that the log was read to its end, the container having ended. Otherwise EndedAt is when the last
	// stream ended by itself, zero if it was broken off.
	Whole   bool
	EndedAt time.Time
}

// How long to wait in between.
const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
	// idleMin is how long a followed log is silent before the first look whether the kubelet has lost track of it: it
	// does when the log is rotated before the follower has caught up (it then waits on the old file). Each fruitless look
	// doubles the time.
	idleMin = 2 * time.Second
	idleMax = time.Minute
	// adjacent is less than the time between two rotations of a log: kubelets look no more often than every three
	// seconds. Nothing was between a line that ended one file and a line less than this later that begins another.
	adjacent = 3 * time.Second
	// quiet is how long a stream must have been silent after a line for that to be the last of a file that was rotated then:
	// the runtime's buffers are through by then. Node and reader keep different clocks.
	quiet = 5 * time.Second
)

// maxRefused is how often a node may say that it has no log of a container that has ended, before it is believed.
const maxRefused = 5

var errIdle = errors.New("silent")

// Log delivers the lines of a container's log, each once and in order, until the container has ended (or, without
// o.Follow, until what there is has been read), the Pod is gone, deliver returns an error, or ctx ends.
func Log(ctx context.Context, src Source, o Options, deliver func(Line) error) (Result, error) {
	f := &follower{src: src, o: o, deliver: deliver}
	f.res.Cursor = o.From
	err := f.run(ctx)
	return f.res, err
}

type follower struct {
	src     Source
	o       Options
	deliver func(Line) error
	res     Result
	drained time.Time // when the last stream had been read to where there was no more; zero if it was broken off
}

// takerError is an error of the taker, which ends everything.
type takerError struct{ error }

func (e takerError) Unwrap() error { return e.error }

func (f *follower) run(ctx context.Context) error {
	idle, retry, refused := idleMin, retryMin, 0
	f.drained = f.res.Cursor.last()
	for resuming := !f.res.Cursor.IsZero(); ; resuming = true {
		if err := ctx.Err(); err != nil {
			return err
		}
		state, changed := f.src.State()
		before := f.res.Lines
		var err error
		switch {
		case state == Gone:
			return nil
		case state == Waiting:
			if !f.o.Follow {
				return nil
			}
			if err := Wait(ctx, changed, time.Hour); err != nil {
				return err
			}
			continue
		case state == Ended || !f.o.Follow:
			if err = f.pass(ctx, state, false, 0); err == nil {
				f.res.Whole = state == Ended
				return nil
			}
			if errors.Is(err, errNoTime) {
				if refused++; refused == maxRefused {
					return err
				}
			}
		default:
			// A stream that is followed can't tell that it will not come to the seam: one that ends can.
			if resuming && !f.res.Cursor.IsZero() {
				err = f.pass(ctx, state, false, 0)
			}
			if err == nil {
				err = f.pass(ctx, state, true, idle)
			}
		}
		var taker takerError
		if errors.As(err, &taker) {
			return taker.error
		}
		if f.res.Lines > before {
			idle, retry = idleMin, retryMin
		} else if errors.Is(err, errIdle) {
			idle = min(idle*2, idleMax)
		}
		if !errors.Is(err, errIdle) {
			if Denied(err) {
				return err
			}
			if werr := Wait(ctx, changed, retry); werr != nil {
				return werr
			}
			retry = min(retry*2, retryMax)
		}
	}
}

// Denied says of an error that asking again can't mend it: the reader lost, or never had, the right to read.
func Denied(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// Wait returns when the source has changed, or after d.
func Wait(ctx context.Context, changed <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-changed:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass reads the log once from where the last pass ended. It returns nil when the stream ended by itself.
func (f *follower) pass(ctx context.Context, state State, follow bool, idle time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := Query{Follow: follow}
	at := f.res.Cursor
	switch {
	case !at.IsZero():
		q.Since = at.since()
	default:
		q.Tail = f.o.Tail
		q.Since = f.o.Since.Truncate(time.Second)
	}
	body, err := f.src.Open(ctx, q)
	if err != nil {
		return err
	}
	defer body.Close()
	if f.o.Attached != nil && (follow || state == Ended) {
		f.o.Attached()
	}
	watchdog := &watchedReader{r: body, idle: f.o.Idle}
	if idle > 0 {
		watchdog.limit = idle
		watchdog.timer = time.AfterFunc(idle, func() { cancel(errIdle) })
		defer watchdog.timer.Stop()
	}
	drained := f.drained
	end := !follow && (state == Ended || !f.o.Follow)
	s := newSeam(at)
	err = f.read(newLineReader(watchdog), s, !q.Since.IsZero(), end)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		var taker takerError
		if !errors.As(err, &taker) {
			err = cause
		}
	}
	if !errors.Is(err, errNoTime) { // the node no longer has what was read before: that makes it no less whole
		f.res.EndedAt = time.Time{}
	}
	switch {
	case errors.Is(err, errRotated) && follow: // what ends can tell for certain: the next pass is one that does
		f.drained = drained
		return err // after a pause: while the watch does not say yet that the container has ended, a stream can end at once
	case errors.Is(err, errRotated):
		f.drained = drained
		return f.whole(ctx, end)
	case !follow && !end && errors.Is(err, errCut): // the line is still being written
		err = nil
	case err == nil:
		f.res.EndedAt = time.Now()
	}
	if s.found { // else nothing is known of the file that has it
		f.setDrained(err == nil || errors.Is(err, errIdle))
	}
	return err
}

// setDrained records whether a stream that ends now was read to where there was no more.
func (f *follower) setDrained(is bool) {
	f.drained = time.Time{}
	if is {
		f.drained = time.Now()
	}
}

// errRotated is met when the last line delivered is not in the log any more.
var errRotated = errors.New("the log was rotated")

// whole reads, after a rotation, everything that the log holds. If what stands first is no direct successor of the last
// line delivered, lines may be missing in between. If nothing is there yet, the next pass meets the same rotation again; if
// nothing came until the end, what the runtime had still to write may be in the file that is gone.
func (f *follower) whole(ctx context.Context, end bool) error {
	last, drained := f.res.Cursor.last(), f.drained
	body, err := f.src.Open(ctx, Query{})
	if err != nil {
		return err
	}
	defer body.Close()
	deliver, first := f.deliver, true
	f.deliver = func(l Line) error {
		if first && (drained.IsZero() || l.Time.Sub(last) >= adjacent) && f.o.Gap != nil {
			f.o.Gap(last, l.Time)
		}
		first = false
		return deliver(l)
	}
	defer func() { f.deliver = deliver }()
	err = f.read(newLineReader(&watchedReader{r: body, idle: f.o.Idle}), newSeam(Cursor{}), false, end)
	switch {
	case !end && errors.Is(err, errCut):
		err = nil
	case err == nil && first: // f.drained is still of the file that is gone
		if end && drained.Sub(last) < quiet && f.o.Gap != nil {
			f.o.Gap(last, time.Time{})
		}
		return nil
	}
	f.setDrained(err == nil)
	return err
}

// read delivers what is new in one stream. filtered says that the stream begins at a time, end that nothing will be
// added to a last line that has no end.
func (f *follower) read(lr *lineReader, s *seam, filtered, end bool) error {
	for first := true; ; first = false {
		l, err := lr.next()
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if !s.found {
				return errRotated
			}
			return nil
		case errors.Is(err, errCut) && end:
		case errors.Is(err, errNoTime) && first && filtered && lr.ended:
			continue // the end of a line whose beginning is too old; what the node says itself has no line end
		case errors.Is(err, errNoTime):
			return fmt.Errorf("%w; the node says %.300q", errNoTime, l.Text)
		default: // errCut too: the line is read again, whole
			return err
		}
		if s.past(l) {
			return errRotated
		}
		if !s.trim(&l) || l.Time.Before(f.o.Since) && f.res.Cursor.IsZero() {
			continue
		}
		if err := f.deliver(l); err != nil {
			return takerError{err}
		}
		if f.res.Lines == 0 {
			f.res.First = l.Time
		}
		if !l.More {
			f.res.Lines++
		}
		f.res.Cursor.advance(l)
	}
}

// watchedReader says when there is nothing to read, and lets a timer run only then: a taker that is slow does not make
// the log silent.
type watchedReader struct {
	r     io.Reader
	idle  func()
	timer *time.Timer
	limit time.Duration
}

func (w *watchedReader) Read(b []byte) (int, error) {
	if w.idle != nil {
		w.idle()
	}
	if w.timer != nil {
		w.timer.Reset(w.limit)
	}
	n, err := w.r.Read(b)
	if w.timer != nil {
		w.timer.Stop()
	}
	return n, err
}
