package main

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

// quietAfter is how long no Task may have been added or have ended for the API server to count as free.
const quietAfter = time.Second

// limiter lets deletions through: quickly when nothing else happens, gently while Tasks come and end. What is deleted
// a little later costs only room; a Task that waits costs its user time.
type limiter struct {
	Quick, Gentle flowcontrol.RateLimiter

	busy atomic.Int64 // when something happened last, in nanoseconds since 1970
}

// Busy says that a Task was added or has ended.
func (l *limiter) Busy() { l.busy.Store(time.Now().UnixNano()) }

// Wait returns when the next deletion may be made. An urgent one is not held up by what else happens.
func (l *limiter) Wait(ctx context.Context, urgent bool) error {
	for !urgent && time.Since(time.Unix(0, l.busy.Load())) < quietAfter {
		if l.Gentle.TryAccept() {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.Quick.Wait(ctx)
}
