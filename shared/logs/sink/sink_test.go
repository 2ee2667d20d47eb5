package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	quick = Patience{Total: 300 * time.Millisecond, Attempt: 100 * time.Millisecond, First: time.Millisecond, Most: 10 * time.Millisecond}
	base  = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
)

func write(t *testing.T, s Stream, from, to int) {
	t.Helper()
	buf := make([]byte, 0, 64)
	for i := from; i < to; i++ {
		buf = fmt.Appendf(buf[:0], "line %d", i) // the same array each time: a stream must not keep it
		if err := s.Write(t.Context(), Record{Time: base.Add(time.Duration(i)), Text: buf, Seq: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASinkThatComesBackMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int64
		up := time.Now().Add(quick.Total / 3)
		s := Batches("it", quick, func(_ context.Context, b []Record) (int, error) {
			if time.Now().Before(up) {
				got = append(got, b[0].Seq) // takes one, then fails
				return 1, errors.New("down")
			}
			for _, r := range b {
				if string(r.Text) != fmt.Sprint("line ", r.Seq) {
					t.Errorf("record %d is %q", r.Seq, r.Text)
				}
				got = append(got, r.Seq)
			}
			return len(b), nil
		})
		defer s.Close()
		write(t, s, 0, 5*batchRecords+1)
		if us := s.Flush(t.Context()); us != nil {
			t.Error(us)
		}
		if time.Now().After(up.Add(quick.Most)) {
			t.Errorf("it was up at %s, and all was taken at %s", up, time.Now())
		}
		for i, n := range got {
			if n != int64(i) {
				t.Fatalf("%d is at %d", n, i)
			}
		}
		if len(got) != 5*batchRecords+1 {
			t.Errorf("%d records", len(got))
		}
	})
}

// TestASinkThatStaysDownUsesUpOnePatience: however many batches there are, it is waited for once.
func TestASinkThatStaysDownUsesUpOnePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Batches("it", quick, func(context.Context, []Record) (int, error) { return 0, errors.New("down") })
		defer s.Close()
		begin := time.Now()
		write(t, s, 0, 10*batchRecords)
		us := s.Flush(t.Context())
		if len(us) != 1 || us[0].Lines != 10*batchRecords || !us[0].From.Equal(base) || !us[0].To.Equal(base.Add(10*batchRecords-1)) {
			t.Errorf("reported %v", us)
		}
		if d := time.Since(begin); d <= quick.Total-quick.Most || d > quick.Total {
			t.Errorf("it was waited for %s, patience is %s", d, quick.Total)
		}
		if us := s.Flush(t.Context()); us != nil {
			t.Errorf("reported twice: %v", us)
		}
	})
}

// TestASinkThatHangsIsGivenUpWithEachAttempt: a send that does not return by itself is ended, and counts as not taken.
func TestASinkThatHangsIsGivenUpWithEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		s := Batches("it", quick, func(ctx context.Context, _ []Record) (int, error) { tries++; <-ctx.Done(); return 0, ctx.Err() })
		defer s.Close()
		write(t, s, 0, 2)
		if us := s.Flush(t.Context()); len(us) != 1 || us[0].Lines != 2 || tries != 3 {
			t.Errorf("after %d tries: %v", tries, us)
		}
	})
}

// TestFlushEndsWithItsContext: whoever must end now learns what was not taken.
func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Batches("it", quick, func(ctx context.Context, _ []Record) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		defer s.Close()
		write(t, s, 0, 2*batchRecords+1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		us := s.Flush(ctx)
		if len(us) != 1 || us[0].Lines != 2*batchRecords+1 || time.Since(begin) != time.Millisecond {
			t.Errorf("after %s: %v", time.Since(begin), us)
		}
	})
}

// TestASlowSinkMakesTheWriterWait: memory is three batches, and no more.
func TestASlowSinkMakesTheWriterWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := Batches("it", quick, func(_ context.Context, b []Record) (int, error) { <-release; return len(b), nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		for ; n < 10*batchRecords; n++ {
			if s.Write(ctx, Record{Text: []byte("x")}) != nil {
				break
			}
		}
		if n != 3*batchRecords-1 { // the one that fills the third batch is held, and its writer waits
			t.Errorf("%d records were taken and held", n)
		}
		close(release)
		if us := s.Flush(t.Context()); us != nil {
			t.Error(us)
		}
		s.Close()
	})
}

// TestAllReportsForEachSink: one that is down takes nothing from another.
func TestAllReportsForEachSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		good := opener(func(_ context.Context, b []Record) (int, error) { taken += len(b); return len(b), nil })
		bad := opener(func(context.Context, []Record) (int, error) { return 0, errors.New("down") })
		s := All(bad, good).Open(Origin{})
		defer s.Close()
		write(t, s, 0, 3)
		s.Push()
		us := s.Flush(t.Context())
		if taken != 3 || len(us) != 1 || !strings.Contains(Report(us), "it did not take 3 lines from 2026-07-01T12:00:00Z") {
			t.Errorf("%d taken; %s", taken, Report(us))
		}
		if Report(nil) != "" {
			t.Errorf("nothing is reported as %q", Report(nil))
		}
	})
}

type opener Send

func (o opener) Open(Origin) Stream { return Batches("it", quick, Send(o)) }
