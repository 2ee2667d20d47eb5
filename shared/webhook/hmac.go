package webhook

import (
	"strings"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// hmacHeader is for all others that sign the body by HMAC-SHA256 (RFC 2104), in hexadecimal, in a header that the Webhook names, with
// or without sha256= before it. No time is signed; the id is that of a header, if the Webhook names one, and the body's else.
var hmacHeader = provider{
	verify: func(spec *v1alpha1.WebhookSpec, d *Delivery, secret []byte) error {
		if !isHMAC(strings.TrimPrefix(d.Header.Get(spec.HMAC.Header), "sha256="), secret, d.Body) {
			return errNoMatch
		}
		return nil
	},
	once: func(spec *v1alpha1.WebhookSpec) []string { return []string{spec.HMAC.Header} },
	id: func(spec *v1alpha1.WebhookSpec, d *Delivery) string {
		if spec.HMAC.IDHeader == "" {
			return ""
		}
		return d.Header.Get(spec.HMAC.IDHeader)
	},
}
