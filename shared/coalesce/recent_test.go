package coalesce

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestRecentServesWhomItsAnswerIsNewEnoughFor, and has a new call begin for anybody else.
func TestRecentServesWhomItsAnswerIsNewEnoughFor(t *testing.T) {
	for name, c := range map[string]struct {
		version uint64        // of what it is asked about; 10 had been seen when the call before began
		asked   time.Duration // after that began
		calls   int
	}{
		"an older object":                  {version: 9, asked: time.Millisecond, calls: 1},
		"one of that very write":           {version: 10, asked: time.Millisecond, calls: 1},
		"one that was written since":       {version: 11, asked: time.Millisecond, calls: 2},
		"one of no version that is known":  {version: math.MaxUint64, asked: time.Millisecond, calls: 2},
		"asked before, whatever it is":     {version: math.MaxUint64, asked: -time.Millisecond, calls: 1},
		"an older one, when it is too old": {version: 9, asked: 2 * time.Second, calls: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := Recent[int]{For: time.Second, Seen: func() uint64 { return 10 }}
				calls := 0
				call := func(context.Context) (int, error) { calls++; return calls, nil }
				began := time.Now()
				_, _ = r.Do(t.Context(), "k", Since{Asked: began, Version: 10}, call)
				time.Sleep(max(c.asked, 0))
				got, err := r.Do(t.Context(), "k", Since{Asked: began.Add(c.asked), Version: c.version}, call)
				if err != nil || got != c.calls || calls != c.calls {
					t.Errorf("it was given answer %d of %d (%v), want %d", got, calls, err, c.calls)
				}
			})
		})
	}
}

// TestRecentKeepsNoError, and nobody's going takes the answer from the others.
func TestRecentKeepsNoError(t *testing.T) {
	r := Recent[int]{For: time.Hour, Seen: func() uint64 { return 10 }}
	asked := time.Now()
	if _, err := r.Do(t.Context(), "k", Since{Asked: asked}, func(context.Context) (int, error) { return 0, errors.New("no") }); err == nil {
		t.Error("the error is not told")
	}
	release := make(chan struct{})
	call := func(ctx context.Context) (int, error) { <-release; return 7, ctx.Err() }
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Do(gone, "k", Since{Asked: asked}, call); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone is told %v", err)
	}
	close(release)
	got, err := r.Do(t.Context(), "k", Since{Asked: asked}, func(context.Context) (int, error) { return 8, nil })
	if got != 7 || err != nil {
		t.Errorf("%d %v, want the answer of the call that was under way", got, err)
	}
}
