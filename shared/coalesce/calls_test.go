package coalesce

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoAsksMeanwhileGetsTheSameAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls[int]
		made, odd := 0, errors.New("odd")
		ask := func(key string) (int, error) {
			return calls.Do(t.Context(), key, func(context.Context) (int, error) {
				made++
				n := made
				time.Sleep(time.Second)
				if n%2 == 1 {
					return n, odd
				}
				return n, nil
			})
		}
		for i, wantErr := range []error{odd, nil, odd} {
			want := i + 1
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if got, err := ask("a"); got != want || !errors.Is(err, wantErr) {
						t.Errorf("%d %v, want %d %v", got, err, want, wantErr)
					}
				})
			}
			all.Wait() // what is asked after the answer is asked anew
		}
		if made != 3 {
			t.Errorf("%d calls, want 3", made)
		}
	})
}

func TestAnotherKeyIsAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls[string]
		release := make(chan struct{})
		go func() {
			_, _ = calls.Do(t.Context(), "slow", func(context.Context) (string, error) { <-release; return "slow", nil })
		}()
		synctest.Wait()
		start := time.Now()
		got, err := calls.Do(t.Context(), "quick", func(context.Context) (string, error) { return "quick", nil })
		if got != "quick" || err != nil || time.Since(start) > 0 {
			t.Errorf("%q %v after %s", got, err, time.Since(start))
		}
		close(release)
	})
}

// TestACallOutlivesWhoAsked: the first gives up, and is told so at once; the other still gets the answer of that very call.
func TestACallOutlivesWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls[string]
		release := make(chan struct{})
		first, giveUp := context.WithCancel(t.Context())
		gaveUp, answered := make(chan error), make(chan string)
		go func() {
			_, err := calls.Do(first, "a", func(ctx context.Context) (string, error) {
				<-release
				return "the first's", ctx.Err()
			})
			gaveUp <- err
		}()
		synctest.Wait()
		go func() {
			got, err := calls.Do(t.Context(), "a", func(context.Context) (string, error) { return "another", nil })
			if err != nil {
				t.Error(err)
			}
			answered <- got
		}()
		synctest.Wait()
		giveUp()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up was told %v", err)
		}
		close(release)
		if got := <-answered; got != "the first's" {
			t.Errorf("who waited was told %q", got)
		}
	})
}

// TestACallEndsByItsOwnPatience, be that of who asks longer or shorter; without one it takes its time.
func TestACallEndsByItsOwnPatience(t *testing.T) {
	for patience, want := range map[time.Duration]error{5 * time.Second: context.DeadlineExceeded, 0: nil} {
		for _, asker := range []time.Duration{time.Second, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				calls := Calls[time.Duration]{Patience: patience}
				ctx, cancel := context.WithTimeout(t.Context(), asker)
				defer cancel()
				start, ended := time.Now(), make(chan error, 1)
				_, err := calls.Do(ctx, "a", func(ctx context.Context) (time.Duration, error) {
					select {
					case <-ctx.Done():
					case <-time.After(time.Minute):
					}
					ended <- ctx.Err()
					return time.Since(start), ctx.Err()
				})
				if asker < patience && (time.Since(start) != asker || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("who asked for %s waited for %s: %v", asker, time.Since(start), err)
				}
				if got := <-ended; !errors.Is(got, want) || want != nil && time.Since(start) != patience {
					t.Errorf("patience %s, asked for %s: ended after %s with %v", patience, asker, time.Since(start), got)
				}
			})
		}
	}
}
