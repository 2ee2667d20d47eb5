package main

import (
	"context"
	"sync"
	"time"
)

// turns makes one sweep of a burst. The first request for an App leads: it sweeps, and sweeps again as long as others
// ask meanwhile, at most once in Every. Those others are answered at once: the leader's sender waits for its answer
// still, and will send again if this process dies, so their work is not acknowledged before it is done either. They are
// not kept waiting because a hundred requests that wait would look to Knative like load.
type turns[K comparable] struct {
	// Every is the least time from one sweep to the next.
	Every time.Duration
	// Hold is how long a request leads at most while others come without end. Then it finishes what it vouched for,
	// and the next to come leads.
	Hold time.Duration

	mu      sync.Mutex
	leaders map[K]*leader
}

type leader struct {
	asked  bool          // somebody came since the last sweep began
	closed bool          // vouches for no more
	done   chan struct{} // closed when it has been answered
	next   time.Time     // when the App may be swept again
}

// Take runs sweep for key, or returns at once if a request under way will run it again.
func (t *turns[K]) Take(ctx context.Context, key K, sweep func(context.Context) error) error {
	t.mu.Lock()
	before := t.leaders[key]
	if before != nil && !before.closed {
		before.asked = true
		t.mu.Unlock()
		return nil
	}
	me := &leader{done: make(chan struct{})}
	if t.leaders == nil {
		t.leaders = map[K]*leader{}
	}
	t.leaders[key] = me
	t.mu.Unlock()
	defer t.leave(key, me)

	if before != nil {
		select {
		case <-before.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := sleep(ctx, time.Until(before.next)); err != nil {
			return err
		}
	}
	for began := time.Now(); ; {
		me.next = time.Now().Add(t.Every)
		t.answer(me)
		if err := sweep(ctx); err != nil {
			return err
		}
		if !t.again(me, time.Since(began) > t.Hold) {
			return nil
		}
		if err := sleep(ctx, time.Until(me.next)); err != nil {
			return err
		}
	}
}

// answer notes that the sweep which is about to begin meets all that was asked so far.
func (t *turns[K]) answer(me *leader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	me.asked = false
}

// again says whether somebody asked since the last sweep began; if not, me vouches for no more, and neither does it
// when its time is over.
func (t *turns[K]) again(me *leader, over bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	me.closed = over || !me.asked
	return me.asked
}

// leave lets the next lead. Until the App may be swept again, me stays to say when that is.
func (t *turns[K]) leave(key K, me *leader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	me.closed = true
	close(me.done)
	time.AfterFunc(time.Until(me.next), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.leaders[key] == me { // else the next has taken its place
			delete(t.leaders, key)
		}
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
