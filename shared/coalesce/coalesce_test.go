package coalesce

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestABurstIsAFewRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := Group[string]{Every: 5 * time.Second, Hold: 30 * time.Second}
		var runs, work, seen atomic.Int64
		var all sync.WaitGroup
		for range 200 { // ten a second, for twenty seconds
			all.Go(func() {
				if err := group.Do(t.Context(), "app", func(context.Context) error {
					runs.Add(1)
					seen.Store(work.Load())
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
			work.Add(1)
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		if n := runs.Load(); n < 4 || n > 5 {
			t.Errorf("%d runs in 20 s, want one every 5 s", n)
		}
		if seen.Load() != work.Load() {
			t.Errorf("the last run saw %d of %d", seen.Load(), work.Load())
		}
		time.Sleep(group.Every)
		synctest.Wait()
		if len(group.leaders) != 0 {
			t.Errorf("left behind: %v", group.leaders)
		}
	})
}

// Whatever the timing, a run begins after each request and ends well before the request that leads it does.
func TestNobodyIsAnsweredForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := Group[string]{Every: 300 * time.Millisecond, Hold: 2 * time.Second}
		var mu sync.Mutex
		began, lastBegan, inside := time.Time{}, time.Time{}, 0
		var longest time.Duration
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				start := time.Now()
				_ = group.Do(t.Context(), "app", func(context.Context) error {
					mu.Lock()
					if inside++; inside > 1 {
						t.Error("two runs of one App at once")
					}
					began = time.Now()
					mu.Unlock()
					time.Sleep(time.Duration(50+i%7*40) * time.Millisecond)
					mu.Lock()
					inside--
					lastBegan = began
					mu.Unlock()
					return nil
				})
				mu.Lock()
				longest = max(longest, time.Since(start))
				mu.Unlock()
			})
			time.Sleep(time.Duration(i*i%17) * time.Millisecond)
		}
		last := time.Now()
		all.Wait()
		if lastBegan.Add(17 * time.Millisecond).Before(last) {
			t.Errorf("the last run began %s before the last request", last.Sub(lastBegan))
		}
		if longest > 5*time.Second {
			t.Errorf("a request was held for %s, with a bound of 2 s and one run more", longest)
		}
	})
}

func TestAFailedRunIsTheLeadersFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := Group[string]{Every: time.Second, Hold: time.Minute}
		failing := errors.New("503")
		answer := make(chan error)
		go func() {
			answer <- group.Do(t.Context(), "app", func(context.Context) error {
				time.Sleep(time.Second)
				return failing
			})
		}()
		synctest.Wait()
		if err := group.Do(t.Context(), "app", nil); err != nil {
			t.Error("the second was not taken on:", err)
		}
		if err := <-answer; !errors.Is(err, failing) {
			t.Errorf("the leader's sender was told %v: it would not send again, and the second's work would be lost", err)
		}
		ran := false
		if err := group.Do(t.Context(), "app", func(context.Context) error { ran = true; return nil }); err != nil || !ran {
			t.Errorf("the next one: %v, ran %v", err, ran)
		}
	})
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := Group[string]{Every: time.Minute, Hold: time.Hour}
		release := make(chan struct{})
		go func() { _ = group.Do(t.Context(), "slow", func(context.Context) error { <-release; return nil }) }()
		synctest.Wait()
		start := time.Now()
		if err := group.Do(t.Context(), "quick", func(context.Context) error { return nil }); err != nil || time.Since(start) > 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		close(release)
	})
}

func TestALeaderThatIsCutOffLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		group := Group[string]{Every: time.Minute, Hold: time.Hour}
		ctx, cut := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			answer <- group.Do(ctx, "app", func(context.Context) error { time.Sleep(time.Second); return nil })
		}()
		synctest.Wait()
		_ = group.Do(t.Context(), "app", nil) // makes it go on
		time.Sleep(2 * time.Second)
		cut()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("answered %v", err)
		}
		time.Sleep(group.Every)
		synctest.Wait()
		if len(group.leaders) != 0 {
			t.Error("left behind")
		}
	})
}
