package webhook

import (
	"fmt"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func withID(id, body string) *Delivery { return &Delivery{ID: id, Body: []byte(body)} }

// outcome is what a Ring says of a delivery that begins; "" if it knows nothing of it.
func outcome(r *Ring, d *Delivery, signsID bool) v1alpha1.DeliveryOutcome {
	if v := r.Begin(d, signsID); v != nil {
		return v.Outcome
	}
	return ""
}

// TestARingKnowsWhatWasAccepted: by the status, and nothing that was begun and came to nothing.
func TestARingKnowsWhatWasAccepted(t *testing.T) {
	stored := withID("stored", "s")
	r := NewRing(&v1alpha1.WebhookStatus{Accepted: []string{"nonsense", stored.Mark().String()}})
	begun := withID("1", "a")
	for _, step := range []struct {
		what    string
		d       *Delivery
		signsID bool
		want    v1alpha1.DeliveryOutcome
	}{
		{"accepted before", stored, true, v1alpha1.DeliveryStored},
		{"its id, another body", withID("stored", "t"), true, v1alpha1.DeliveryRefused},
		{"its body, another id", withID("other", "s"), false, v1alpha1.DeliveryIgnored},
		{"new", begun, true, ""},
		{"the same, twice at once", begun, true, ""}, // the command's name is the lock
		{"under way, another body", withID("1", "b"), true, v1alpha1.DeliveryRefused},
	} {
		if got := outcome(r, step.d, step.signsID); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
	r.End(begun.Mark())
	if got := outcome(r, withID("1", "b"), true); got != "" {
		t.Errorf("what came to nothing is remembered: %q", got)
	}
	r.Accept([]string{begun.Mark().String()})
	r.End(begun.Mark()) // it was accepted: nothing to forget
	if got := outcome(r, begun, true); got != v1alpha1.DeliveryStored {
		t.Errorf("accepted: %q", got)
	}
	if got := outcome(r, stored, true); got != "" {
		t.Errorf("what has left the status is remembered: %q", got)
	}
}

// TestAStatusHasRoomForSoMany: the oldest go, and what was not accepted pushes out nothing that was.
func TestAStatusHasRoomForSoMany(t *testing.T) {
	var s v1alpha1.WebhookStatus
	entry := func(i int, outcome v1alpha1.DeliveryOutcome) Entry {
		return EntryOf(withID(fmt.Sprint(i), fmt.Sprint(i)), &Verdict{Status: 202, Outcome: outcome, Why: "why"})
	}
	for i := range v1alpha1.MaxAccepted + 3 {
		Record(&s, []Entry{entry(i, v1alpha1.DeliveryStored), entry(i, v1alpha1.DeliveryStored)})
	}
	last := fmt.Sprint(v1alpha1.MaxAccepted + 2)
	if len(s.Accepted) != v1alpha1.MaxAccepted || s.Accepted[0] != withID("3", "3").Mark().String() {
		t.Errorf("%d are kept, from %s on", len(s.Accepted), s.Accepted[0])
	}
	if len(s.Deliveries) != v1alpha1.MaxDeliveries || s.Deliveries[0].ID != last || s.Deliveries[0].Message != "why" {
		t.Errorf("%d are shown, first %+v", len(s.Deliveries), s.Deliveries[0])
	}
	before := s.Accepted[0]
	Record(&s, []Entry{entry(-1, v1alpha1.DeliveryRefused)})
	if s.Accepted[0] != before || len(s.Accepted) != v1alpha1.MaxAccepted || s.Deliveries[0].Outcome != v1alpha1.DeliveryRefused {
		t.Errorf("a refusal has pushed out %s", before)
	}
}
