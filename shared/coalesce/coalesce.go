// Package coalesce makes a few runs of the work that many ask for. Group is for work that is told apart from its result: of a
// hundred events about one App, two sweeps of it, and nobody waits but one. Calls is for questions: all wait, and all get the one answer.
package coalesce

import (
	"context"
	"sync"
	"time"
)

// Group runs the work for a key once for all who ask at about the same time. The first to ask leads: it runs the work,
// and runs it again as long as others ask meanwhile, at most once in Every. Those others, its followers, are answered
// at once: a hundred requests that wait would look to Knative like load.
//
//	leader    |--- work ---|        |--- work ---|          answered here, for all
//	follower      ask, ok
//	follower                 ask, ok
//	next                                              ask: leads
//	          |<------ Every ------>|
//
// A follower is told "done" before it is. Nothing is lost by that, because work that is promised always has a sender
// that still waits for its answer, the leader's:
//
//   - Whoever asks before the leader is closed has a run begin after it asked: the leader takes note of the asking, and
//     closes only when nobody has asked since its last run began. Noting and closing are under one lock.
//   - If a run fails, or the process dies, the leader's sender gets an error or no answer, and asks again. The work is
//     "look at this object as it is now", so that one more run does what all followers wanted.
//
// The limits: the followers depend on one sender's patience. If it is the one that gives up, what they asked for is done
// when the key is asked for next, so there must be a resync. And the work must be the same for all who ask: it is the
// leader's function that runs.
type Group[K comparable] struct {
	// Every is the least time from the beginning of one run to that of the next.
	Every time.Duration
	// Hold is how long a leader takes followers while they come without end. Then it finishes what it promised, and the
	// next to ask leads.
	Hold time.Duration

	mu      sync.Mutex
	leaders map[K]*leader
}

type leader struct {
	asked  bool          // somebody did since the last run began
	closed bool          // takes no more followers
	done   chan struct{} // closed when it is answered
	next   time.Time     // when the work may be run again; for others once done is closed
}

// Do runs work for key and returns its error, or returns nil at once if a leader under way will run it.
func (g *Group[K]) Do(ctx context.Context, key K, work func(context.Context) error) error {
	me, before := g.join(key)
	if me == nil {
		return nil
	}
	defer g.leave(key, me)

	if before != nil {
		select {
		case <-before.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := sleepUntil(ctx, before.next); err != nil {
			return err
		}
	}
	for began := time.Now(); ; {
		me.next = time.Now().Add(g.Every)
		g.begin(me)
		if err := work(ctx); err != nil {
			return err
		}
		if !g.again(me, time.Since(began) > g.Hold) {
			return nil
		}
		if err := sleepUntil(ctx, me.next); err != nil {
			return err
		}
	}
}

// join makes the caller a follower (me is nil) or the leader, and says who led before.
func (g *Group[K]) join(key K) (me, before *leader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before = g.leaders[key]
	if before != nil && !before.closed {
		before.asked = true
		return nil, nil
	}
	if g.leaders == nil {
		g.leaders = map[K]*leader{}
	}
	me = &leader{done: make(chan struct{})}
	g.leaders[key] = me
	return me, before
}

// begin notes that the run which is about to begin is for all who have asked so far.
func (g *Group[K]) begin(me *leader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	me.asked = false
}

// again says whether somebody has asked since the last run began. If nobody has, or the leader's time is over, it takes
// no more followers.
func (g *Group[K]) again(me *leader, over bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	me.closed = over || !me.asked
	return me.asked
}

// leave lets the next lead. Until the work may be run again, me stays to say when that is.
func (g *Group[K]) leave(key K, me *leader) {
	g.mu.Lock()
	defer g.mu.Unlock()
	me.closed = true
	close(me.done)
	time.AfterFunc(time.Until(me.next), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.leaders[key] == me { // else the next has taken its place
			delete(g.leaders, key)
		}
	})
}

func sleepUntil(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
