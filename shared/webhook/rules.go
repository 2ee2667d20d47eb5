package webhook

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// rule looks at a delivery and decides about it, or finds something out about it and returns nil: the next one looks.
type rule struct {
	name  string
	check func(context.Context, *Hook, *Delivery) *Verdict
}

// known say whether the sender is the one that has the secret. Whoever is refused by one of them is told nothing but that.
var known = []rule{
	{"Secrets", hasSecrets},
	{"Signature", isSigned},
	{"Window", isInWindow},
}

// wanted say what is to be run for it.
var wanted = []rule{
	{"Suspend", isSuspended},
	{"ContentType", isReadable},
	{"Payload", isDecoded},
	{"DeliveryID", hasID},
	{"Handshake", isHandshake},
	{"Filter", passesFilter},
	{"Mapping", isMapped},
}

// Step is what one rule said.
type Step struct {
	Rule    string
	Verdict *Verdict // nil: the next rule looks
}

// Known says whether a delivery comes from who has the secret: nil if it does.
func (h *Hook) Known(ctx context.Context, d *Delivery) *Verdict { return h.first(ctx, d, known, nil) }

// Wanted decides what is to be run for a delivery of a known sender: nil means d.Command.
func (h *Hook) Wanted(ctx context.Context, d *Delivery) *Verdict {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return h.first(ctx, d, wanted, nil)
}

// Explain is Known and then Wanted, with what each rule said.
func (h *Hook) Explain(ctx context.Context, d *Delivery) (steps []Step) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tell := func(s Step) { steps = append(steps, s) }
	if h.first(ctx, d, known, tell) == nil {
		h.first(ctx, d, wanted, tell)
	}
	return steps
}

func (h *Hook) first(ctx context.Context, d *Delivery, rules []rule, tell func(Step)) *Verdict {
	for _, r := range rules {
		v := r.check(ctx, h, d)
		if v != nil {
			v.Rule = r.name
		}
		if tell != nil {
			tell(Step{r.name, v})
		}
		if v != nil {
			return v
		}
	}
	return nil
}

func hasSecrets(_ context.Context, h *Hook, d *Delivery) *Verdict {
	var fit [][]byte
	for _, s := range d.Secrets {
		if h.provider.fit(s) {
			fit = append(fit, s)
		}
	}
	if d.Secrets = fit; len(fit) == 0 { // our side's fault, which may be mended: not the sender's
		return &Verdict{Status: http.StatusServiceUnavailable, Outcome: v1alpha1.DeliveryFailed,
			Why: "none of the Webhook's secrets can be used: " + h.provider.secrets()}
	}
	return nil
}

func isSigned(_ context.Context, h *Hook, d *Delivery) *Verdict {
	for _, name := range h.provider.once(h.Spec) {
		if n := len(d.Header.Values(name)); n != 1 {
			return refused(http.StatusUnauthorized, fmt.Sprintf("the header %s is there %d times", name, n))
		}
	}
	err := errNoMatch
	for _, s := range d.Secrets { // all of them: how long it takes tells nothing of which it was
		if e := h.provider.verify(h.Spec, d, s); e == nil {
			err = nil
		}
	}
	if err != nil {
		return refused(http.StatusUnauthorized, err.Error())
	}
	return nil
}

func isInWindow(_ context.Context, h *Hook, d *Delivery) *Verdict {
	if h.provider.sent == nil {
		return nil
	}
	sent, err := h.provider.sent(d)
	if err != nil {
		return refused(http.StatusUnauthorized, err.Error())
	}
	d.Sent = sent
	window := time.Duration(max(h.Spec.WindowSeconds, 1)) * time.Second
	if off := d.Now.Sub(sent); off.Abs() > window {
		return refused(http.StatusUnauthorized, fmt.Sprintf(
			"it says that it was sent at %s, %s from now: it was sent again by somebody, or a clock is off",
			sent.UTC().Format(time.RFC3339), off.Round(time.Second)))
	}
	return nil
}

func isSuspended(_ context.Context, h *Hook, _ *Delivery) *Verdict {
	if h.Spec.Suspend {
		return ignored("the Webhook is suspended")
	}
	return nil
}

// maxID is more than any sender's id has. An id becomes the event's, and stands in an annotation of the Task.
const maxID = 256

func hasID(_ context.Context, h *Hook, d *Delivery) *Verdict {
	if d.ID = h.provider.id(h.Spec, d); d.ID == "" {
		d.ID = "body-" + short(d.Body)
	}
	if len(d.ID) > maxID {
		return refused(http.StatusUnprocessableEntity, fmt.Sprintf("the delivery's id has %d bytes, and may have %d", len(d.ID), maxID))
	}
	for _, c := range []byte(d.ID) {
		if c <= ' ' || c > '~' {
			return refused(http.StatusUnprocessableEntity, "the delivery's id has other characters than ASCII's visible ones")
		}
	}
	return nil
}

func isHandshake(_ context.Context, h *Hook, d *Delivery) *Verdict {
	if h.provider.handshake == nil {
		return nil
	}
	return h.provider.handshake(d)
}
