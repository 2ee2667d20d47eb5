package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// node plays a kubelet and a container: a file of lines that is only added to, and may be rotated. It does what
// k8s.io/cri-client/pkg/logs does with since, follow and rotation, its faults included.
type node struct {
	mu      sync.Mutex
	files   [][]entry // the last is the current one
	state   State
	changed chan struct{}
	opens   int
	// cut ends a stream after so many bytes; 0 is never
	cut func() int
	// stuck makes followers stay on the file that they began with
	stuck bool
}

type entry struct {
	at   time.Time
	text string
}

func newNode() *node {
	return &node{files: [][]entry{nil}, state: Running, changed: make(chan struct{})}
}

func (n *node) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) write(at time.Time, text string) {
	n.change(func() { n.files[len(n.files)-1] = append(n.files[len(n.files)-1], entry{at, text}) })
}
func (n *node) rotate()     { n.change(func() { n.files = append(n.files, nil) }) }
func (n *node) set(s State) { n.change(func() { n.state = s }) }

func (n *node) State() (State, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state, n.changed
}

func (n *node) Open(ctx context.Context, q Query) (io.ReadCloser, error) {
	n.mu.Lock()
	n.opens++
	file, pos := len(n.files)-1, 0
	if q.Tail != nil {
		pos = max(0, len(n.files[file])-int(*q.Tail))
	}
	limit := 0
	if n.cut != nil {
		limit = n.cut()
	}
	n.mu.Unlock()
	r, w := io.Pipe()
	go func() {
		written := 0
		for {
			n.mu.Lock()
			lines, state, changed, current := n.files[file], n.state, n.changed, len(n.files)-1
			n.mu.Unlock()
			for ; pos < len(lines); pos++ {
				if lines[pos].at.Before(q.Since) {
					continue
				}
				b := []byte(lines[pos].at.Format("2006-01-02T15:04:05.000000000Z07:00") + " " + lines[pos].text + "\n")
				if limit > 0 && written+len(b) > limit {
					w.Write(b[:limit-written])
					w.CloseWithError(io.ErrUnexpectedEOF)
					return
				}
				written += len(b)
				if _, err := w.Write(b); err != nil {
					return
				}
			}
			switch {
			case !q.Follow || state != Running:
				w.Close()
				return
			case file < current && !n.stuck:
				file, pos = current, 0 // the file in between is gaps: the kubelet opens the current one
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				w.CloseWithError(ctx.Err())
				return
			}
		}
	}()
	return r, nil
}

var base = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func TestEachLineOnceAndInOrderThoughStreamsBreak(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { eachLineOnce(t, seed) })
	}
}

func eachLineOnce(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	n := newNode()
	var want []string
	at := base
	for i := range 200 {
		switch rnd.IntN(6) {
		case 0: // the same time again, as runtimes do that stamp a read
		case 1: // the other stream's line was written down first
			at = at.Add(-time.Duration(rnd.IntN(int(disorder / 4))))
		default:
			at = at.Add(time.Duration(rnd.IntN(int(400 * time.Millisecond))))
		}
		text := fmt.Sprint("line ", i%7)
		if rnd.IntN(50) == 0 {
			text = strings.Repeat("é", MaxPiece/2+rnd.IntN(MaxPiece))
		}
		n.write(at, text)
		want = append(want, text)
	}
	n.cut = raise(func() int {
		if rnd.IntN(4) == 0 {
			return 0
		}
		return 1 + rnd.IntN(4000)
	}, 3*MaxPiece) // a stream that never gives a whole line gets nowhere
	time.AfterFunc(time.Duration(rnd.IntN(2000))*time.Millisecond, func() { n.set(Ended) })
	var got []string
	open := ""
	res, err := Log(t.Context(), n, Options{Follow: true}, func(l Line) error {
		if bytes.ContainsRune(l.Text, '\uFFFD') {
			t.Fatalf("seed %d: a character was cut", seed)
		}
		open += string(l.Text)
		if !l.More {
			got, open = append(got, open), ""
		}
		return nil
	})
	if err != nil || !res.Whole || res.Lines != int64(len(want)) {
		t.Fatalf("seed %d: %+v %v", seed, res, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("seed %d: line %d of %d is %.20q, want %.20q", seed, i, len(got), got[i], want[i])
		}
	}
}

// raise lets a cut grow with every try, as a network that never lets a megabyte through can't be read over.
func raise(cut func() int, by int) func() int {
	tries := 0
	return func() int {
		tries++
		if c := cut(); c > 0 {
			return c + by*(tries%3)
		}
		return 0
	}
}

func collect(ctx context.Context, n *node, o Options) (got []string, gaps int, res Result, err error) {
	o.Gap = func(_, _ time.Time) { gaps++ }
	res, err = Log(ctx, n, o, func(l Line) error { got = append(got, string(l.Text)); return nil })
	return got, gaps, res, err
}

func TestRotationWhileFollowedLosesNothing(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode()
			n.stuck = stuck
			start := time.Now()
			var got []string
			var gaps int
			done := make(chan error)
			go func() {
				_, err := Log(t.Context(), n, Options{Follow: true, Gap: func(_, _ time.Time) { gaps++ }}, func(l Line) error {
					got = append(got, string(l.Text))
					return nil
				})
				done <- err
			}()
			for i := range 9 {
				n.write(start.Add(time.Duration(i)*time.Millisecond), fmt.Sprint(i))
				time.Sleep(idleMax + idleMin) // read up, as the writer is slower than the reader; one that is stuck has had its look
				synctest.Wait()
				if len(got) != i+1 {
					t.Errorf("stuck %t: after %s at rest there are %d lines of %d", stuck, idleMax+idleMin, len(got), i+1)
				}
				if i%3 == 2 {
					n.rotate()
				}
			}
			n.set(Ended)
			if err := <-done; err != nil || strings.Join(got, "") != "012345678" || gaps != 0 {
				t.Errorf("stuck %t: got %v, %d gaps reported, %v", stuck, got, gaps, err)
			}
		})
	}
}

func TestWhatRotationTookBetweenTwoReadsIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.write(base, "a")
		n.write(base.Add(time.Second), "b")
		from := Cursor{}
		from.advance(Line{Time: base})
		n.rotate()
		n.write(base.Add(20*time.Second), "c")
		n.set(Ended)
		got, gaps, res, err := collect(t.Context(), n, Options{Follow: true, From: from})
		if strings.Join(got, "") != "c" || gaps != 1 || !res.Whole || err != nil {
			t.Errorf("got %v, %d gaps reported, %+v %v", got, gaps, res, err)
		}
	})
}

// wantOneGap follows a log to its end.
func wantOneGap(t *testing.T, n *node, want string) {
	t.Helper()
	got, gaps, res, err := collect(t.Context(), n, Options{Follow: true})
	if strings.Join(got, "") != want || gaps != 1 || !res.Whole || err != nil {
		t.Errorf("got %v, want %q, %d gaps reported, %+v %v", got, want, gaps, res, err)
	}
}

// A runtime that is told to open a new file writes what it has in its buffers to the old one: a follower that has gone on to the
// new file does not get it, and if that was all, nothing is in the new one.
func TestARotationWithNothingAfterItIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.write(time.Now(), "a")
		time.AfterFunc(time.Second, func() {
			n.rotate()
			synctest.Wait()
			n.change(func() { n.files[0] = append(n.files[0], entry{time.Now(), "b"}) })
			n.set(Ended)
		})
		wantOneGap(t, n, "a")
	})
}

// The stream breaks, the log is rotated, and the new file is empty for a while: nothing in it says that the old one was read to its end.
func TestAnEmptyFileDoesNotMakeTheOneBeforeItRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.write(base, "a")
		n.write(base.Add(time.Millisecond), "b")
		opened := 0
		n.cut = func() int {
			if opened++; opened == 1 {
				time.AfterFunc(0, n.rotate)
				return 33 // "a", and a byte
			}
			return 0
		}
		time.AfterFunc(10*time.Second, func() { n.write(base.Add(time.Second), "c") })
		time.AfterFunc(20*time.Second, func() { n.set(Ended) })
		wantOneGap(t, n, "ac")
	})
}

func TestResumeAtAStoredMicrosecondGivesWhatMayBeNewAndNothingOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		for i := range 10 { // 0..4 in one microsecond, 5..9 in the next
			n.write(base.Add(time.Duration(i)*200*time.Nanosecond), fmt.Sprint(i))
		}
		n.write(base.Add(-time.Millisecond), "late") // of the other stream
		n.set(Ended)
		got, gaps, _, _ := collect(t.Context(), n, Options{From: Cursor{Time: base, Same: 1, Resolution: time.Microsecond}})
		if strings.Join(got, "") != "123456789late" || gaps != 0 {
			t.Error(got, gaps)
		}
	})
}

func TestWaitsForTheStartAndEndsWithTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.state = Waiting
		go func() {
			n.set(Running)
			n.write(base, "a")
			n.set(Ended)
		}()
		got, _, res, err := collect(t.Context(), n, Options{Follow: true})
		if strings.Join(got, "") != "a" || !res.Whole || err != nil {
			t.Error(got, res, err)
		}
	})
}

func TestNotFollowingEndsWhereTheLogDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		for i := range 5 {
			n.write(base.Add(time.Duration(i)*time.Second), fmt.Sprint(i))
		}
		two := int64(2)
		for _, c := range []struct {
			o    Options
			want string
		}{
			{Options{}, "01234"},
			{Options{Tail: &two}, "34"},
			{Options{Since: base.Add(1500 * time.Millisecond)}, "234"},
		} {
			got, _, res, err := collect(t.Context(), n, c.o)
			if strings.Join(got, "") != c.want || res.Whole || err != nil {
				t.Error(got, res, err)
			}
		}
	})
}

func TestATakerThatFailsEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		n.write(base, "a")
		mine := errors.New("mine")
		_, err := Log(t.Context(), n, Options{Follow: true}, func(Line) error { return mine })
		if !errors.Is(err, mine) {
			t.Error(err)
		}
	})
}

func TestANodeThatHasNoLogIsBelievedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := nodeSays("unable to retrieve container logs for containerd://abc")
		_, err := Log(t.Context(), n, Options{Follow: true}, func(l Line) error { t.Errorf("delivered %q", l.Text); return nil })
		if !errors.Is(err, errNoTime) || !strings.Contains(err.Error(), "unable to retrieve") {
			t.Error(err)
		}
	})
}

// The kubelet answers so, with 200, for a container that it has removed meanwhile.
func TestALogThatWasRemovedAfterItsEndStaysWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		removed := &removedLater{newNode(), 0}
		res, err := Log(t.Context(), removed, Options{Follow: true}, func(Line) error { return nil })
		if !errors.Is(err, errNoTime) || res.Lines != 1 || res.EndedAt.IsZero() {
			t.Errorf("%+v %v", res, err)
		}
	})
}

type removedLater struct {
	*node
	opened int
}

func (r *removedLater) Open(ctx context.Context, q Query) (io.ReadCloser, error) {
	if r.opened++; r.opened > 1 {
		return nodeSays("failed to try resolving symlinks in path").Open(ctx, q)
	}
	r.set(Ended) // the stream ends with the container
	return io.NopCloser(strings.NewReader("2026-07-01T12:00:00.000000000Z a\n")), nil
}

type nodeSays string

func (nodeSays) State() (State, <-chan struct{}) { return Ended, nil }
func (s nodeSays) Open(context.Context, Query) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(s))), nil
}

func BenchmarkLines(b *testing.B) {
	var log bytes.Buffer
	for i := range 10000 {
		fmt.Fprintf(&log, "%s %s\n", base.Add(time.Duration(i)).Format("2006-01-02T15:04:05.000000000Z07:00"), strings.Repeat("x", 100))
	}
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		lr := newLineReader(bytes.NewReader(log.Bytes()))
		s := newSeam(Cursor{})
		for {
			l, err := lr.next()
			if err != nil {
				break
			}
			s.trim(&l)
		}
	}
}
