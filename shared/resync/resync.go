// Package resync is the loop over what was missed. Events are hints that get lost, so each function also looks, every
// ten seconds or, where that is dear, every hour, for the objects that it has yet to deal with, and does the same with
// them as an event would have asked.
package resync

import (
	"context"
	"iter"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/coalesce"
)

// Rounds has resyncs go one after the other, on an API server too that takes longer for one than it is until the next ping: the pings that
// come meanwhile are one more.
type Rounds struct{ group coalesce.Group[struct{}] }

// Do runs a resync, or leaves it to the one under way to run it again.
func (r *Rounds) Do(ctx context.Context, round func(context.Context) error) error {
	return r.group.Do(ctx, struct{}{}, round)
}

// enough failures are told one by one; the rest are only counted.
const enough = 10

// Each does one step for every object found, atOnce of them side by side. An object that fails costs itself: it is
// logged and counted, the others go on, and it does not fail the resync, for a redelivery would only repeat the others.
// The next resync finds it again. What fails the resync is a list that can't be read, or the end of ctx.
func Each[T metav1.Object](ctx context.Context, atOnce int, found iter.Seq2[T, error], step func(T) error) error {
	done, failed, err := Count(ctx, atOnce, found, step)
	if done > 0 {
		logging.FromContext(ctx).Infow("resync", "found", done, "failed", failed)
	}
	if err != nil {
		return err
	}
	return ctx.Err()
}

// Count does what Each does, and leaves it to the caller to say how many there were and how many failed.
func Count[T metav1.Object](ctx context.Context, atOnce int, found iter.Seq2[T, error], step func(T) error) (all, failed int, err error) {
	log := logging.FromContext(ctx)
	var failures atomic.Int32
	var group errgroup.Group
	group.SetLimit(atOnce)
	for object, unread := range found {
		if unread != nil {
			err = unread
			break
		}
		all++
		group.Go(func() error {
			if err := step(object); err != nil && failures.Add(1) <= enough {
				log.Warnw("not done; to be tried again", "object", object.GetNamespace()+"/"+object.GetName(), "error", err)
			}
			return nil
		})
	}
	_ = group.Wait() // no step returns an error
	return all, int(failures.Load()), err
}

// Of are objects that are at hand.
func Of[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, object := range all {
			if !yield(object, nil) {
				return
			}
		}
	}
}
