package webhook

import (
	"encoding/base64"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Standard Webhooks signs id, time and body: webhook-signature has one or several of v1,BASE64, with spaces between.
// github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. The secret is whsec_ and base64 of 24 to 64
// bytes. v1a (ed25519) is not taken. The library's own window is fixed, and of its own clock: ours is checked by a rule.
// GitLab's signing tokens are this: docs.gitlab.com/user/project/integrations/webhooks ("Signing tokens").
var standardWebhooks = provider{
	verify: func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		hook, err := standard.NewWebhook(string(secret))
		if err != nil {
			return errNoMatch
		}
		return hook.VerifyIgnoringTimestamp(d.Body, d.Header)
	},
	once:    headers(standard.HeaderWebhookID, standard.HeaderWebhookTimestamp, standard.HeaderWebhookSignature),
	id:      idHeader(standard.HeaderWebhookID),
	signsID: true,
	sent: func(d *Delivery) (time.Time, error) {
		return seconds(d.Header.Get(standard.HeaderWebhookTimestamp))
	},
	fitSecret: func(secret []byte) bool { // the library takes an empty one
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
		return err == nil && len(key) >= 24 && len(key) <= 64
	},
	secretRule: "it takes whsec_ and base64 of 24 to 64 bytes",
}
