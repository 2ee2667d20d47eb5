package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// Reading is a Pod, and how far the reading of its log has come.
type Reading struct {
	Pod
	// Opened says that all that is in the log, and comes to it, is being received.
	Opened bool
	// Done says that the reader has ended, with Err.
	Done bool
	Err  error
}

// Received says that the log of a container that runs, or has, is being received, or can't be.
func (r Reading) Received() bool {
	return r.Opened || r.Done || r.State != follow.Running && r.State != follow.Ended
}

// Expendable says that nothing of the log would be lost with the Pod: there is none yet, all of it was read, or what runs is being
// received to its end, which a stream that is open is though its Pod is deleted.
func (r Reading) Expendable() bool {
	return r.State == follow.Waiting || r.Done || r.State == follow.Running && r.Opened
}

// Gone says that the Pod is.
func (r Reading) Gone() bool { return r.State == follow.Gone }

// Readers has one reader on the log of each Pod of a watch.
type Readers struct {
	pods *Pods
	of   func(Pod) bool
	on   map[types.UID]*Reading // the Pod in it is as it was when its reader began; pods.mu guards the rest
}

// ReadFunc reads one Pod's log. It calls opened when it receives the log; newest says that no younger Pod was there when
// it began.
type ReadFunc func(ctx context.Context, p Pod, newest bool, opened func()) error

// ReadEach starts, until ctx ends, a reader for each Pod of the watch that of picks.
func ReadEach(ctx context.Context, pods *Pods, of func(Pod) bool, read ReadFunc) *Readers {
	r := &Readers{pods: pods, of: of, on: map[types.UID]*Reading{}}
	go func() {
		for {
			now, _, changed, _ := r.snapshot()
			for i, seen := range now {
				if r.on[seen.UID] != nil {
					continue
				}
				reading := &Reading{}
				pods.update(func() { r.on[seen.UID] = reading })
				go func() {
					opened := sync.OnceFunc(func() { pods.update(func() { reading.Opened = true }) })
					err := read(ctx, seen.Pod, i == len(now)-1, opened)
					pods.update(func() { reading.Done, reading.Err = true, err })
				}()
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return r
}

// Refresh asks which Pods there are now, for when the next news of the watch are too late.
func (r *Readers) Refresh(ctx context.Context) error { return r.pods.Refresh(ctx) }

// Now returns the Pods as last seen, and how far the reading of their logs has come.
func (r *Readers) Now() []Reading {
	now, _, _, _ := r.snapshot()
	return now
}

// snapshot returns the Pods as last seen, the oldest first.
func (r *Readers) snapshot() (now []Reading, synced bool, changed <-chan struct{}, err error) {
	r.pods.mu.Lock()
	defer r.pods.mu.Unlock()
	for _, p := range r.pods.pods {
		if !r.of(p) {
			continue
		}
		seen := Reading{Pod: p}
		if on := r.on[p.UID]; on != nil {
			seen.Opened, seen.Done, seen.Err = on.Opened, on.Done, on.Err
		}
		now = append(now, seen)
	}
	slices.SortFunc(now, func(a, b Reading) int { return byAge(a.Pod, b.Pod) })
	return now, r.pods.synced, r.pods.changed, r.pods.err
}

// ErrNotListed is met where the API server has not said in time which Pods there are.
var ErrNotListed = errors.New("the Pods could not be listed")

// Until returns when done says so, or fails, of all Pods there are, the oldest first. It is asked as soon as they have
// been listed, and again whenever a Pod or the reading of its log has changed.
func (r *Readers) Until(ctx context.Context, done func([]Reading) (bool, error)) error {
	for {
		now, synced, changed, err := r.snapshot()
		if err != nil {
			return fmt.Errorf("watch Pods: %w", err)
		}
		if synced {
			if ok, err := done(now); ok || err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if !synced {
				return ErrNotListed
			}
			return ctx.Err()
		}
	}
}

// Within is Until with a time limit. It says whether that has expired.
func (r *Readers) Within(ctx context.Context, limit time.Duration, done func([]Reading) (bool, error)) (expired bool, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = r.Until(limited, done)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return true, nil
	}
	return false, err
}

// Every says whether something holds for every Pod.
func Every(pods []Reading, holds func(Reading) bool) bool {
	return !slices.ContainsFunc(pods, func(p Reading) bool { return !holds(p) })
}
