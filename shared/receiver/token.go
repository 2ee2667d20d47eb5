package receiver

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// maxToken is more than any token of Kubernetes or of a company's OIDC provider: what is longer is not looked at.
const maxToken = 16 << 10

// bearer is a token's syntax (RFC 6750, 2.1).
var bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

type tokenKey struct{}

type credentials struct {
	token string
	err   error
}

// BearerToken is the token of the request that an event came with, "" if it names no credentials at all. Credentials
// that are no bearer token are an error, marked by Unauthenticated: whoever shows some wants to be known by them.
func BearerToken(ctx context.Context) (string, error) {
	c, _ := ctx.Value(tokenKey{}).(credentials)
	return c.token, c.err
}

// withToken makes the request's token known to the handler of its event.
func withToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := tokenOf(r.Header.Values("Authorization"))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, credentials{token, Unauthenticated(err)})))
	})
}

// tokenOf reads the one Authorization header. Of two, a proxy and this program might each believe another. The scheme is
// not case-sensitive (RFC 9110, 11.1).
func tokenOf(headers []string) (string, error) {
	switch len(headers) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", errors.New("there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	switch token = strings.TrimLeft(token, " "); {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", errors.New("the Authorization header is not of the scheme Bearer")
	case len(token) > maxToken:
		return "", errors.New("the bearer token is too long to be one")
	case !bearer.MatchString(token):
		return "", errors.New("the Authorization header holds no bearer token")
	}
	return token, nil
}
