package webhook

import (
	"strings"

	"github.com/google/go-github/v89/github"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// GitHub signs the body by HMAC-SHA256 in X-Hub-Signature-256, with sha256= before it; the header X-Hub-Signature beside it is
// SHA-1, and not looked at. No time is signed, nor the id, X-GitHub-Delivery, which a redelivery keeps for three days.
// docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries, .../webhook-events-and-payloads#delivery-headers.
// It posts JSON, or a form whose field payload is JSON, as the webhook's settings say.
var githubSender = provider{
	verify:    hubSignature("X-Hub-Signature-256"),
	once:      headers("X-Hub-Signature-256"),
	id:        idHeader("X-GitHub-Delivery"),
	handshake: pingOf("X-GitHub-Event", "ping"),
	form:      "payload",
}

// hubSignature verifies such a header by GitHub's own client. That takes sha1= and sha512= too: they are refused before.
func hubSignature(header string) func(*v1alpha1.WebhookSpec, *Delivery, []byte) error {
	return func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		signature := d.Header.Get(header)
		if !strings.HasPrefix(signature, "sha256=") {
			return errNoMatch
		}
		return github.ValidateSignature(signature, d.Body, secret)
	}
}

// pingOf answers what is sent when a webhook is made, to see whether somebody answers.
func pingOf(header, ping string) func(*Delivery) *Verdict {
	return func(d *Delivery) *Verdict {
		if d.Header.Get(header) == ping {
			return ignored("a ping: the address and the secret are right")
		}
		return nil
	}
}
