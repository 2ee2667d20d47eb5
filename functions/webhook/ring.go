package main

import (
	"context"
	"slices"
	"sync"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

// ring is a webhook.Ring that is written into the Webhook's status.
//
// Many deliveries are written at once: while one write is under way, those who come wait for the next one, which is for all of them.
type ring struct {
	*webhook.Ring

	mu      sync.Mutex
	object  *v1alpha1.Webhook // as it was written last
	unsaved []webhook.Entry
	next    int  // the number of the next entry
	saved   int  // those below it are saved
	soon    bool // somebody will save what nobody waits for

	writing chan struct{} // held by who writes
}

func newRing(object *v1alpha1.Webhook) *ring {
	return &ring{Ring: webhook.NewRing(&object.Status), object: object.DeepCopy(), writing: make(chan struct{}, 1)}
}

// note adds a delivery to those that are to be written, and returns its number.
func (r *ring) note(e webhook.Entry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Mark == "" && len(r.unsaved) > 4*v1alpha1.MaxDeliveries { // it would be pushed out by the others
		return r.saved
	}
	r.unsaved = append(r.unsaved, e)
	r.next++
	return r.next - 1
}

// leads says that the caller is to save what nobody waits for, in a while; until it has called latest, nobody else is.
func (r *ring) leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.soon
	r.soon = true
	return !was
}

// latest is the number of the latest entry.
func (r *ring) latest() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.soon = false
	return r.next - 1
}

// save returns when the entry of that number is in the Webhook's status.
func (r *ring) save(ctx context.Context, c *client.Webhooks, number int) error {
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r.mu.Lock()
	if number < r.saved {
		r.mu.Unlock()
		return nil
	}
	batch, until, object := slices.Clone(r.unsaved), r.next, r.object
	r.mu.Unlock()
	got, err := client.PatchStatus(ctx, c, object, func(w *v1alpha1.Webhook) { webhook.Record(&w.Status, batch) })
	if err != nil {
		return err
	}
	r.Accept(got.Status.Accepted) // before anybody hears that its entry is saved, and ends it
	r.mu.Lock()
	defer r.mu.Unlock()
	r.object, r.saved, r.unsaved = got, until, r.unsaved[len(batch):]
	return nil
}
