package coalesce

import (
	"context"
	"sync"
	"time"
)

// Recent is Calls for what is read from the API server, and keeps an answer for a moment. It serves whoever would be told the same by a
// call of their own, as far as they care:
//
//   - Who asked before the call began.
//   - Who asks about an object that was written before that: of Version, or older. Versions count the writes of one etcd, so that what is
//     read once an answer of version 7 is there shows all that was written up to 7, whatever the clocks say. `kf push` and then
//     `kf run-task` has the Task run what was pushed.
//
// The first is right always. The second may be late by For, where an API server has an etcd for each kind of object.
type Recent[T any] struct {
	// For is how long an answer is kept.
	For time.Duration
	// Seen is the newest version that an answer of the API server had so far.
	Seen func() uint64

	mu   sync.Mutex
	kept map[string]*kept[T]
}

// Since says how new an answer has to be: from a call that began at Asked or later, or when Version had been seen.
type Since struct {
	Asked   time.Time
	Version uint64
}

type kept[T any] struct {
	began   time.Time
	version uint64
	done    chan struct{}
	answer  T
	err     error
}

// mostKept bounds what is kept. Beyond it all is forgotten: it is asked again.
const mostKept = 1000

// Do returns an answer to call that serves since: one that is kept or under way, or that of a new call. The answer is shared, so nobody
// may change it. As with Calls, a call belongs to nobody and has no bound of its own; an error is for those who wait, and not kept.
func (r *Recent[T]) Do(ctx context.Context, key string, since Since, call func(context.Context) (T, error)) (T, error) {
	r.mu.Lock()
	k := r.kept[key]
	if k == nil || !k.serves(since, r.For) {
		k = &kept[T]{began: time.Now(), version: r.Seen(), done: make(chan struct{})}
		if r.kept == nil || len(r.kept) >= mostKept {
			r.kept = map[string]*kept[T]{}
		}
		r.kept[key] = k
		go r.call(context.WithoutCancel(ctx), key, k, call)
	}
	r.mu.Unlock()
	select {
	case <-k.done:
		return k.answer, k.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (k *kept[T]) serves(since Since, lasts time.Duration) bool {
	return !k.began.Before(since.Asked) || k.version >= since.Version && time.Since(k.began) < lasts
}

func (r *Recent[T]) call(ctx context.Context, key string, k *kept[T], call func(context.Context) (T, error)) {
	k.answer, k.err = call(ctx)
	close(k.done)
	if k.err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept[key] == k {
		delete(r.kept, key)
	}
}
