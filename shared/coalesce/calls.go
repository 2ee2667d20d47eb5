package coalesce

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"
)

// Calls makes one call for all who ask the same at the same time, and gives each of them its answer. It keeps none: who asks
// after a call has ended has another begin.
//
// The call belongs to nobody of those who ask. One that gives up is told so at once, and the call goes on for the others: were
// it made with the context of the first, the end of one request would fail all that wait with it. The price is that it goes on
// though all have given up, so that it needs a bound of its own, Patience.
type Calls[T any] struct {
	// Patience is how long a call may take. Zero is for one that has a bound already, as requests to the API server do.
	Patience time.Duration

	underWay singleflight.Group
}

// Do returns what call returns, of the call for key that is under way if there is one. Only the end of ctx returns earlier, with
// its error. The call's context has the values of the first who asked, and ends by Patience alone; the call must be the same
// for all who ask by one key.
func (c *Calls[T]) Do(ctx context.Context, key string, call func(context.Context) (T, error)) (T, error) {
	answered := c.underWay.DoChan(key, func() (any, error) {
		own := context.WithoutCancel(ctx)
		if c.Patience > 0 {
			var cancel context.CancelFunc
			own, cancel = context.WithTimeout(own, c.Patience)
			defer cancel()
		}
		return call(own)
	})
	select {
	case got := <-answered:
		answer, _ := got.Val.(T) // nil is none, if T is an interface
		return answer, got.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
