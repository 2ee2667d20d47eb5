package webhook

import (
	"errors"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Stripe signs its time and the body: Stripe-Signature is t=TIME,v1=HEX, with as many v1 as there are secrets just now; v0 is of test
// mode, and not taken. docs.stripe.com/webhooks/signature ("Verify the webhook signature manually"). The secret is all of whsec_..., as
// text. The id is the event's own, in its body, which each try has again.
var stripe = provider{
	verify: func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		at, signatures := stripeSignature(d)
		err := errNoMatch
		for _, s := range signatures {
			if isHMAC(s, secret, []byte(at+"."), d.Body) {
				err = nil
			}
		}
		return err
	},
	once:    headers("Stripe-Signature"),
	id:      func(_ *v1alpha1.WebhookSpec, d *Delivery) string { return field(d.Payload, "id") },
	signsID: true,
	sent: func(d *Delivery) (time.Time, error) {
		at, _ := stripeSignature(d)
		if at == "" {
			return time.Time{}, errors.New("the signature has no time")
		}
		return seconds(at)
	},
}

// stripeSignature takes the header apart. A time that is there twice is none: only one of them could be what is signed.
func stripeSignature(d *Delivery) (at string, signatures []string) {
	for part := range strings.SplitSeq(d.Header.Get("Stripe-Signature"), ",") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); {
		case key == "t" && at != "":
			return "", nil
		case key == "t":
			at = value
		case key == "v1" && len(signatures) < 16:
			signatures = append(signatures, value)
		}
	}
	return at, signatures
}
