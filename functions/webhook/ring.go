package main

import (
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/webhook"
)

// ring remembers which deliveries of a Webhook were accepted. The Webhook's status keeps it, so that it outlives this process, and the
// Tasks: retention deletes them, and the name of a Task that is gone is no lock.
//
// Many deliveries are written at once: while one write is under way, those who come wait for the next one, which is for all of them.
type ring struct {
	mu       sync.Mutex
	object   *v1alpha1.Webhook // as it was written last
	accepted []string
	byID     map[string]string // of what is accepted or under way: the body of an id
	byBody   map[string]string // and the id of a body
	unsaved  []entry
	next     int  // the number of the next entry
	saved    int  // those below it are saved
	soon     bool // somebody will save what nobody waits for

	writing chan struct{} // held by who writes
}

// entry is a delivery to be written.
type entry struct {
	mark     string // "" of one that was not accepted
	delivery v1alpha1.Delivery
}

func newRing(object *v1alpha1.Webhook) *ring {
	r := &ring{object: object.DeepCopy(), byID: map[string]string{}, byBody: map[string]string{}, writing: make(chan struct{}, 1)}
	for _, m := range object.Status.Accepted {
		if mark, ok := webhook.ReadMark(m); ok {
			r.know(mark)
		}
	}
	r.accepted = slices.Clone(object.Status.Accepted)
	return r
}

func (r *ring) know(m webhook.Mark) { r.byID[m.ID], r.byBody[m.Body] = m.Body, m.ID }

// begin says what is known of a delivery, and if that is nothing, takes note that it is under way until end or save.
func (r *ring) begin(d *webhook.Delivery, signsID bool) *webhook.Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := d.Mark()
	v := webhook.Again(m, r.byID[m.ID], r.byBody[m.Body], signsID)
	if v != nil {
		if v.Outcome == v1alpha1.DeliveryStored && !slices.Contains(r.accepted, m.String()) {
			return nil // the same delivery, twice at once: the command's name is the lock
		}
		return v
	}
	r.know(m)
	return nil
}

// end forgets a delivery that was not accepted after all.
func (r *ring) end(m webhook.Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.accepted, m.String()) {
		r.forget(m)
	}
}

func (r *ring) forget(m webhook.Mark) {
	if r.byID[m.ID] == m.Body {
		delete(r.byID, m.ID)
	}
	if r.byBody[m.Body] == m.ID {
		delete(r.byBody, m.Body)
	}
}

// note adds a delivery to those that are to be written, and returns its number.
func (r *ring) note(e entry) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.mark == "" && len(r.unsaved) > 4*v1alpha1.MaxDeliveries { // it would be pushed out by the others
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
	got, err := client.PatchStatus(ctx, c, object, func(w *v1alpha1.Webhook) { record(&w.Status, batch) })
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.object, r.saved, r.unsaved = got, until, r.unsaved[len(batch):]
	r.accept(got.Status.Accepted)
	return nil
}

// accept takes over what the status says, another instance's too, and forgets what has left it.
func (r *ring) accept(now []string) {
	kept := map[string]bool{}
	for _, m := range now {
		kept[m] = true
		if mark, ok := webhook.ReadMark(m); ok {
			r.know(mark)
		}
	}
	for _, m := range r.accepted {
		if mark, ok := webhook.ReadMark(m); ok && !kept[m] {
			r.forget(mark)
		}
	}
	r.accepted = slices.Clone(now)
}

// record adds deliveries to a status, and drops the oldest of what is too much.
func record(s *v1alpha1.WebhookStatus, batch []entry) {
	for _, e := range batch {
		if e.mark != "" && !slices.Contains(s.Accepted, e.mark) {
			s.Accepted = append(s.Accepted, e.mark)
		}
		s.Deliveries = slices.Insert(s.Deliveries, 0, e.delivery)
	}
	s.Accepted = s.Accepted[max(0, len(s.Accepted)-v1alpha1.MaxAccepted):]
	s.Deliveries = s.Deliveries[:min(len(s.Deliveries), v1alpha1.MaxDeliveries)]
}

// deliveryOf is a verdict as the status shows it.
func deliveryOf(d *webhook.Delivery, v *webhook.Verdict) v1alpha1.Delivery {
	return v1alpha1.Delivery{ID: webhook.Shown(d.ID, 256), Time: metav1.NewTime(d.Now), Outcome: v.Outcome, Status: int32(v.Status),
		Message: webhook.Shown(v.Why, 1024)}
}
