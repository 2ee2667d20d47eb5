package main

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/flowcontrol"
)

// quietAfter is how long no Task may have been added or have ended for the API server to count as free.
const quietAfter = time.Second

// pace lets deletions through: quickly when nothing else happens, gently while Tasks come and end. What is deleted
// a little later costs only room; a Task that waits costs its user time.
type pace struct {
	Quick, Gentle flowcontrol.RateLimiter

	last atomic.Int64 // when something happened, in nanoseconds since 1970
}

// Note says that a Task was added or has ended.
func (p *pace) Note() { p.last.Store(time.Now().UnixNano()) }

// Wait returns when the next deletion may be made. An urgent one is not held up by what else happens.
func (p *pace) Wait(ctx context.Context, urgent bool) error {
	for !urgent && time.Since(time.Unix(0, p.last.Load())) < quietAfter {
		if p.Gentle.TryAccept() {
			return nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return p.Quick.Wait(ctx)
}
