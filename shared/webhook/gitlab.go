package webhook

import (
	"crypto/hmac"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// gitlabToken is GitLab's old way: the secret itself comes along, in X-Gitlab-Token, and nothing is signed. Whoever reads one request
// can make others: use it over TLS only, and the signing token (provider GitLab, which is Standard Webhooks) where GitLab has it.
// docs.gitlab.com/user/project/integrations/webhooks ("Validate payloads by using a secret token"; "Delivery headers": the id is
// Idempotency-Key, the same for each try, and X-Gitlab-Webhook-UUID is the webhook's, not the delivery's).
var gitlabToken = provider{
	verify: func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		if !hmac.Equal([]byte(d.Header.Get("X-Gitlab-Token")), secret) { // constant time
			return errNoMatch
		}
		return nil
	},
	once:    headers("X-Gitlab-Token"),
	id:      idHeader("Idempotency-Key", "X-Gitlab-Event-Uuid"),
	signsID: true, // there is no signature that somebody could use again with another id
}
