package main

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

func TestDeletionsYieldToTasks(t *testing.T) {
	count := func(noting, urgent bool) (n int) {
		synctest.Test(t, func(t *testing.T) {
			p := &limiter{Quick: flowcontrol.NewTokenBucketRateLimiter(500, 8), Gentle: flowcontrol.NewTokenBucketRateLimiter(5, 8)}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var notes sync.WaitGroup
			defer notes.Wait()
			if noting {
				notes.Go(func() {
					for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
						p.Busy()
					}
				})
				synctest.Wait()
			}
			for p.Wait(ctx, urgent) == nil {
				n++
			}
		})
		return n
	}
	for _, tt := range []struct {
		name            string
		noting, urgent  bool
		atLeast, atMost int
	}{
		{"quiet", false, false, 4900, 5010},
		{"busy", true, false, 45, 60},
		{"busy, and far beyond the limit", true, true, 4900, 5010},
	} {
		if n := count(tt.noting, tt.urgent); n < tt.atLeast || n > tt.atMost {
			t.Errorf("%s: %d deletions in 10 s, want %d to %d", tt.name, n, tt.atLeast, tt.atMost)
		}
	}
}

func TestWaitingForAPauseEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &limiter{Quick: flowcontrol.NewTokenBucketRateLimiter(1, 1), Gentle: flowcontrol.NewTokenBucketRateLimiter(0.001, 1)}
		p.Gentle.TryAccept()
		p.Busy()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.Wait(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
