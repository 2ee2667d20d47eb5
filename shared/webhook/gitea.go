package webhook

import "github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"

// Gitea signs the body by HMAC-SHA256 in X-Gitea-Signature, in hexadecimal with nothing before it; Forgejo, its fork, sends the same
// under its own name and under Gitea's. docs.gitea.com/usage/webhooks, forgejo.org/docs/latest/user/webhooks, and
// services/webhook/deliver.go of both (Gitea 1.24). Neither time nor id is signed.
var (
	gitea = provider{
		verify: hexSignature("X-Gitea-Signature"),
		once:   headers("X-Gitea-Signature"),
		id:     idHeader("X-Gitea-Delivery"),
		form:   "payload",
	}
	forgejo = provider{
		verify: hexSignature("X-Forgejo-Signature"),
		once:   headers("X-Forgejo-Signature"),
		id:     idHeader("X-Forgejo-Delivery"),
		form:   "payload",
	}
)

func hexSignature(header string) func(*v1alpha1.WebhookSpec, *Delivery, []byte) error {
	return func(_ *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		if !isHMAC(d.Header.Get(header), secret, d.Body) {
			return errNoMatch
		}
		return nil
	}
}
