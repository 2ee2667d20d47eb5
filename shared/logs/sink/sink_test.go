package sink

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
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
	var got []int64
	down := atomic.Bool{}
	down.Store(true)
	time.AfterFunc(100*time.Millisecond, func() { down.Store(false) })
	s := Batches("it", quick, func(_ context.Context, b []Record) (int, error) {
		if down.Load() {
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
	write(t, s, 0, 5*batchRecords+1)
	if us := s.Flush(t.Context()); us != nil {
		t.Error(us)
	}
	s.Close()
	for i, n := range got {
		if n != int64(i) {
			t.Fatalf("%d is at %d", n, i)
		}
	}
	if len(got) != 5*batchRecords+1 {
		t.Errorf("%d records", len(got))
	}
}

func TestASinkThatStaysDownIsToldOfAndHoldsNoMoreThanThreeBatches(t *testing.T) {
	s := Batches("it", quick, func(context.Context, []Record) (int, error) { return 0, errors.New("down") })
	begin := time.Now()
	write(t, s, 0, 10*batchRecords)
	us := s.Flush(t.Context())
	if len(us) != 1 || us[0].Lines != 10*batchRecords || !us[0].From.Equal(base) || !us[0].To.Equal(base.Add(10*batchRecords-1)) {
		t.Errorf("reported %v", us)
	}
	if d := time.Since(begin); d < quick.Total/2 || d > 4*quick.Total {
		t.Errorf("waited %s: the patience is for the whole, not for each batch", d)
	}
	if us := s.Flush(t.Context()); us != nil {
		t.Errorf("reported twice: %v", us)
	}
	s.Close()
}

func TestASlowSinkMakesTheWriterWait(t *testing.T) {
	release := make(chan struct{})
	s := Batches("it", quick, func(_ context.Context, b []Record) (int, error) { <-release; return len(b), nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	n := 0
	for ; n < 10*batchRecords; n++ {
		if s.Write(ctx, Record{Text: []byte("x")}) != nil {
			break
		}
	}
	if n > 3*batchRecords {
		t.Errorf("%d records were taken and held", n)
	}
	close(release)
	s.Flush(t.Context())
	s.Close()
}
