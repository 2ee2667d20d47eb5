package webhook

import (
	"net/http"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Slack signs v0, its time and the body: X-Slack-Signature is v0= and HMAC-SHA256 in hexadecimal, X-Slack-Request-Timestamp the time.
// docs.slack.dev/authentication/verifying-requests-from-slack. The id of an event is event_id in its body, of a command or an
// interaction its trigger_id, which comes again with each try. When an address is set, a challenge is sent that is to be answered:
// docs.slack.dev/reference/events/url_verification. Commands and interactions come as forms, the latter with JSON in payload.
var slack = provider{
	verify: func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		signature, at := d.Header.Get("X-Slack-Signature"), d.Header.Get("X-Slack-Request-Timestamp")
		if len(signature) < 3 || signature[:3] != "v0=" || !isHMAC(signature[3:], secret, []byte("v0:"+at+":"), d.Body) {
			return errNoMatch
		}
		return nil
	},
	once:    headers("X-Slack-Signature", "X-Slack-Request-Timestamp"),
	signsID: true,
	id: func(_ *v1alpha1.WebhookSpec, d *Delivery) string {
		if id := field(d.Payload, "event_id"); id != "" {
			return id
		}
		return field(d.Payload, "trigger_id")
	},
	sent: func(d *Delivery) (time.Time, error) { return seconds(d.Header.Get("X-Slack-Request-Timestamp")) },
	handshake: func(d *Delivery) *Verdict {
		if field(d.Payload, "type") != "url_verification" {
			return nil
		}
		return &Verdict{Status: http.StatusOK, Outcome: v1alpha1.DeliveryIgnored,
			Why:    "Slack's challenge: the address and the secret are right",
			Answer: field(d.Payload, "challenge")}
	},
	form: "payload",
}
