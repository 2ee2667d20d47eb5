package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// provider is how one kind of sender signs. verify is called with headers that once says are there once.
type provider struct {
	verify func(*v1alpha1.WebhookSpec, *Delivery, []byte) error
	// once are the headers that a signature is made of: of two, one might be checked and another believed.
	once func(*v1alpha1.WebhookSpec) []string
	// id is the delivery's; "" where it has none, and the body is its own.
	id func(*v1alpha1.WebhookSpec, *Delivery) string
	// signsID says that nobody but the sender can send the same body under another id.
	signsID bool
	// sent is the time that is signed; nil if none is.
	sent func(*Delivery) (time.Time, error)
	// handshake answers what is not a delivery: a ping, a challenge.
	handshake func(*Delivery) *Verdict
	// form is the field of a form that has the payload as JSON, "" if the form is the payload.
	form string
	// fitSecret and secretRule say which secrets can be used, where that is more than minSecret.
	fitSecret  func([]byte) bool
	secretRule string
}

// providers are all kinds of senders. Each is a file that says where its rules come from.
var providers = map[v1alpha1.Provider]provider{
	v1alpha1.ProviderGitHub:           githubSender,
	v1alpha1.ProviderGitea:            gitea,
	v1alpha1.ProviderForgejo:          forgejo,
	v1alpha1.ProviderGitLab:           standardWebhooks, // its signing tokens are Standard Webhooks
	v1alpha1.ProviderGitLabToken:      gitlabToken,
	v1alpha1.ProviderBitbucket:        bitbucket,
	v1alpha1.ProviderSlack:            slack,
	v1alpha1.ProviderStripe:           stripe,
	v1alpha1.ProviderStandardWebhooks: standardWebhooks,
	v1alpha1.ProviderHMAC:             hmacHeader,
}

// SignsID says whether a delivery's id is a part of what its sender signs.
func (h *Hook) SignsID() bool { return h.provider.signsID }

// minSecret is the least that a secret may have. An empty one would make everybody's signature good.
const minSecret = 8

func (p provider) fit(secret []byte) bool {
	if p.fitSecret != nil {
		return p.fitSecret(secret)
	}
	return len(secret) >= minSecret
}

func (p provider) secrets() string {
	if p.secretRule != "" {
		return p.secretRule
	}
	return "it takes at least " + strconv.Itoa(minSecret) + " bytes"
}

// errNoMatch is all that is said of a signature that is not good.
var errNoMatch = errors.New("no signature is one by a secret of the Webhook's")

// isHMAC says whether hexadecimal text is the HMAC-SHA256 of what is signed (RFC 2104), in constant time.
func isHMAC(text string, secret []byte, signed ...[]byte) bool {
	got, err := hex.DecodeString(text)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	for _, part := range signed {
		mac.Write(part)
	}
	return hmac.Equal(got, mac.Sum(nil))
}

func headers(names ...string) func(*v1alpha1.WebhookSpec) []string {
	return func(*v1alpha1.WebhookSpec) []string { return names }
}

// idHeader takes the id from the first of the headers that is there.
func idHeader(names ...string) func(*v1alpha1.WebhookSpec, *Delivery) string {
	return func(_ *v1alpha1.WebhookSpec, d *Delivery) string {
		for _, name := range names {
			if v := d.Header.Get(name); v != "" {
				return v
			}
		}
		return ""
	}
}

// seconds reads a Unix time.
func seconds(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return time.Time{}, errors.New("the time of the signature is no Unix time")
	}
	return time.Unix(n, 0), nil
}

// field is a string of the payload's.
func field(payload any, name string) string {
	m, _ := payload.(map[string]any)
	s, _ := m[name].(string)
	return s
}
