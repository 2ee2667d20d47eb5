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
)

// enough failures are told one by one; the rest are only counted.
const enough = 10

// Each does one step for every object found, atOnce of them side by side. An object that fails costs itself: it is
// logged and counted, the others go on, and it does not fail the resync, for a redelivery would only repeat the others.
// The next resync finds it again. What fails the resync is a list that can't be read, or the end of ctx.
func Each[T metav1.Object](ctx context.Context, atOnce int, found iter.Seq2[T, error], step func(T) error) error {
	log := logging.FromContext(ctx)
	var failed atomic.Int32
	var group errgroup.Group
	group.SetLimit(atOnce)
	var listed error
	count := 0
	for object, err := range found {
		if err != nil {
			listed = err
			break
		}
		count++
		group.Go(func() error {
			if err := step(object); err != nil && failed.Add(1) <= enough {
				log.Warnw("not done; the next resync tries again", "object", object.GetNamespace()+"/"+object.GetName(), "error", err)
			}
			return nil
		})
	}
	_ = group.Wait() // no step returns an error
	if count > 0 {
		log.Infow("resync", "found", count, "failed", failed.Load())
	}
	if listed != nil {
		return listed
	}
	return ctx.Err()
}
