// Package identity says who sent a request and what they may do, in Kubernetes' own words: the API server reviews the
// bearer token (TokenReview) and the act (SubjectAccessReview). What it said holds for seconds, so that a sender of many
// events is not reviewed for each, and a right that is taken away is gone within seconds.
package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/coalesce"
)

const (
	// Holds is how long a yes is believed: that a token is valid, that an act is allowed. It is how late a right that was
	// taken away, or a token that was, is noticed. kube-apiserver itself keeps what a webhook allowed for five minutes.
	Holds = 10 * time.Second
	// NoHolds is how long a no is: who has just been given the right comes again soon.
	NoHolds = 2 * time.Second
	// remembered is how many answers of a kind are kept, at most; each is below one kilobyte, as a rule.
	remembered = 4096
)

// ErrUnknown says that a token is not valid, or not for this audience: 401. All other errors may pass.
var ErrUnknown = errors.New("the token is not valid here")

// Identity is who the API server says that somebody is.
type Identity struct {
	Username, UID string
	Groups        []string
	Extra         map[string]authn.ExtraValue
	// Expires is when the token ends; zero if it does not say.
	Expires time.Time
}

// Reviewer asks the API server, and keeps its answers for seconds. No token is kept, nor is one in an error.
type Reviewer struct {
	kube     kubernetes.Interface
	audience string
	now      func() time.Time
	// A no of anybody's making must not push out a yes.
	known, unknown, allowed, denied *cache.LRUExpireCache
	// What is asked by many at once is reviewed once; the client's timeout bounds a review.
	tokens coalesce.Calls[Identity]
	access coalesce.Calls[answer]
}

// New makes a Reviewer of tokens for the audience; "" is the API server's own, of those that reach it itself.
func New(kube kubernetes.Interface, audience string, now func() time.Time) *Reviewer {
	c := func() *cache.LRUExpireCache { return cache.NewLRUExpireCacheWithClock(remembered, clock(now)) }
	return &Reviewer{kube: kube, audience: audience, now: now, known: c(), unknown: c(), allowed: c(), denied: c()}
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// Admit says whose token it is, or ErrUnknown, and whether they may do something.
func (r *Reviewer) Admit(ctx context.Context, token string, act authz.ResourceAttributes) (user string, allowed bool, err error) {
	id, err := r.Authenticate(ctx, token)
	if err != nil {
		return "", false, err
	}
	allowed, _, err = r.Authorize(ctx, id, act)
	return id.Username, allowed, err
}

// Authenticate says whose token it is, or ErrUnknown. What the API server said is believed for Holds, and no longer than
// the token lives.
func (r *Reviewer) Authenticate(ctx context.Context, token string) (Identity, error) {
	key := sha256.Sum256([]byte(token))
	if id, ok := r.known.Get(key); ok {
		return id.(Identity), nil
	}
	if err, ok := r.unknown.Get(key); ok {
		return Identity{}, err.(error)
	}
	return r.tokens.Do(ctx, string(key[:]), func(ctx context.Context) (Identity, error) {
		id, err := r.authenticate(ctx, token)
		switch {
		case errors.Is(err, ErrUnknown):
			r.unknown.Add(key, err, NoHolds)
		case err == nil && id.Expires.IsZero(): // nobody says how long it is valid
			r.known.Add(key, id, NoHolds)
		case err == nil:
			r.known.Add(key, id, min(Holds, id.Expires.Sub(r.now())))
		}
		return id, err
	})
}

func (r *Reviewer) authenticate(ctx context.Context, token string) (Identity, error) {
	spec := authn.TokenReviewSpec{Token: token}
	if r.audience != "" {
		spec.Audiences = []string{r.audience}
	}
	review, err := r.kube.AuthenticationV1().TokenReviews().Create(ctx, &authn.TokenReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return Identity{}, fmt.Errorf("review a token: %w", err)
	}
	// An authenticator that knows no audiences answers without them (authentication/v1, TokenReviewStatus).
	ours := r.audience == "" || slices.Contains(review.Status.Audiences, r.audience)
	switch {
	case review.Status.Authenticated && ours:
	case r.audience == "":
		return Identity{}, ErrUnknown
	default:
		return Identity{}, fmt.Errorf("%w (it must be for the audience %s)", ErrUnknown, r.audience)
	}
	user := review.Status.User
	return Identity{Username: user.Username, UID: user.UID, Groups: user.Groups, Extra: user.Extra, Expires: expires(token)}, nil
}

// expires is the end that a token states, if it is a JSON Web Token (RFC 7519, 4.1.4). It was reviewed before.
func expires(token string) time.Time {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var claims struct {
		Exp float64 `json:"exp"` // seconds, fractions allowed
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Exp), 0)
}

type answer struct {
	allowed bool
	reason  string
}

// Authorize says whether somebody may do something, and what the API server says about it.
func (r *Reviewer) Authorize(ctx context.Context, id Identity, act authz.ResourceAttributes) (allowed bool, reason string, err error) {
	spec := authz.SubjectAccessReviewSpec{
		User: id.Username, UID: id.UID, Groups: id.Groups, Extra: map[string]authz.ExtraValue{}, ResourceAttributes: &act,
	}
	for k, v := range id.Extra {
		spec.Extra[k] = authz.ExtraValue(v)
	}
	b, err := json.Marshal(spec) // sorts what has no order
	if err != nil {
		return false, "", fmt.Errorf("review access: %w", err)
	}
	key := sha256.Sum256(b)
	for _, kept := range []*cache.LRUExpireCache{r.allowed, r.denied} {
		if a, ok := kept.Get(key); ok {
			return a.(answer).allowed, a.(answer).reason, nil
		}
	}
	a, err := r.access.Do(ctx, string(key[:]), func(ctx context.Context) (answer, error) {
		review := &authz.SubjectAccessReview{Spec: spec}
		review, err := r.kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return answer{}, fmt.Errorf("review access: %w", err)
		}
		a := answer{review.Status.Allowed && !review.Status.Denied, review.Status.Reason}
		if a.allowed {
			r.allowed.Add(key, a, Holds)
		} else {
			r.denied.Add(key, a, NoHolds)
		}
		return a, nil
	})
	return a.allowed, a.reason, err
}
