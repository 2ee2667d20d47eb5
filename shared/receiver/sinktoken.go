package receiver

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// sinkToken is where a SinkBinding mounts the token for its sink, when Eventing's OIDC is on and the sink has an audience
// (knative.dev/eventing v0.50, pkg/apis/sources/v1/sinkbinding_lifecycle.go).
const sinkToken = "/oidc/token"

// authenticated sends what is in the file as the bearer token of each request. It reads the file for each: the token lasts an
// hour, and is renewed in place. No file means that nobody asks for a token.
func authenticated(file string, next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		token, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return next.RoundTrip(r)
		}
		if err != nil {
			return nil, fmt.Errorf("the token for the sink: %w", err)
		}
		r = r.Clone(r.Context()) // a RoundTripper leaves its request as it is
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		return next.RoundTrip(r)
	})
}
