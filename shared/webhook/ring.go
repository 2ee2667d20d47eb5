package webhook

import (
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Ring remembers which deliveries of a Webhook were accepted, and which are under way. The Webhook's status keeps the former, so
// that they outlive this process, and the Tasks: retention deletes them, and the name of a Task that is gone is no lock.
type Ring struct {
	mu       sync.Mutex
	accepted []string
	byID     map[string]string // of what is accepted or under way: the body of an id
	byBody   map[string]string // and the id of a body
}

// NewRing is what a status says.
func NewRing(s *v1alpha1.WebhookStatus) *Ring {
	r := &Ring{byID: map[string]string{}, byBody: map[string]string{}}
	r.Accept(s.Accepted)
	return r
}

// Begin says what is known of a delivery, and if that is nothing, takes note that it is under way until End or Accept.
func (r *Ring) Begin(d *Delivery, signsID bool) *Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := d.Mark()
	v := Again(m, r.byID[m.ID], r.byBody[m.Body], signsID)
	if v != nil {
		if v.Outcome == v1alpha1.DeliveryStored && !slices.Contains(r.accepted, m.String()) {
			return nil // the same delivery, twice at once: the command's name is the lock
		}
		return v
	}
	r.know(m)
	return nil
}

// End forgets a delivery that was not accepted after all.
func (r *Ring) End(m Mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.accepted, m.String()) {
		r.forget(m)
	}
}

// Accept takes over what the status says, another instance's too, and forgets what has left it.
func (r *Ring) Accept(now []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := map[string]bool{}
	for _, m := range now {
		kept[m] = true
		if mark, ok := ReadMark(m); ok {
			r.know(mark)
		}
	}
	for _, m := range r.accepted {
		if mark, ok := ReadMark(m); ok && !kept[m] {
			r.forget(mark)
		}
	}
	r.accepted = slices.Clone(now)
}

func (r *Ring) know(m Mark) { r.byID[m.ID], r.byBody[m.Body] = m.Body, m.ID }

func (r *Ring) forget(m Mark) {
	if r.byID[m.ID] == m.Body {
		delete(r.byID, m.ID)
	}
	if r.byBody[m.Body] == m.ID {
		delete(r.byBody, m.Body)
	}
}

// Entry is a delivery to be written into the Webhook's status.
type Entry struct {
	Mark     string // "" of one that was not accepted
	Delivery v1alpha1.Delivery
}

// EntryOf is a verdict as the status shows it.
func EntryOf(d *Delivery, v *Verdict) Entry {
	e := Entry{Delivery: v1alpha1.Delivery{
		ID: Shown(d.ID, 256), Time: metav1.NewTime(d.Now), Outcome: v.Outcome, Status: int32(v.Status), Message: Shown(v.Why, 1024),
	}}
	if v.Outcome == v1alpha1.DeliveryStored {
		e.Mark = d.Mark().String()
	}
	return e
}

// Record adds deliveries to a status, and drops the oldest of what is too much.
func Record(s *v1alpha1.WebhookStatus, batch []Entry) {
	for _, e := range batch {
		if e.Mark != "" && !slices.Contains(s.Accepted, e.Mark) {
			s.Accepted = append(s.Accepted, e.Mark)
		}
		s.Deliveries = slices.Insert(s.Deliveries, 0, e.Delivery)
	}
	s.Accepted = s.Accepted[max(0, len(s.Accepted)-v1alpha1.MaxAccepted):]
	s.Deliveries = s.Deliveries[:min(len(s.Deliveries), v1alpha1.MaxDeliveries)]
}
