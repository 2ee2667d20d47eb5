package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"
)

// reviews is an API server that reviews as the test says, and counts.
type reviews struct {
	*Reviewer
	now     time.Time
	tokens  atomic.Int64
	access  atomic.Int64
	fails   error
	asked   []string // for which audiences, last
	review  authn.TokenReviewStatus
	allowed authz.SubjectAccessReviewStatus
	hold    chan struct{} // reviews wait for it
}

func newReviews() *reviews {
	r := &reviews{now: time.Unix(1e9, 0), hold: make(chan struct{})}
	close(r.hold)
	r.review = authn.TokenReviewStatus{Authenticated: true, Audiences: []string{"a"}, User: authn.UserInfo{Username: "u", Groups: []string{"g"}}}
	kube := fake.NewClientset()
	kube.PrependReactor("create", "tokenreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		r.asked = a.(k8stesting.CreateAction).GetObject().(*authn.TokenReview).Spec.Audiences
		r.tokens.Add(1)
		<-r.hold
		return true, &authn.TokenReview{Status: r.review}, r.fails
	})
	kube.PrependReactor("create", "subjectaccessreviews", func(k8stesting.Action) (bool, runtime.Object, error) {
		r.access.Add(1)
		return true, &authz.SubjectAccessReview{Status: r.allowed}, r.fails
	})
	r.Reviewer = New(kube, "a", func() time.Time { return r.now })
	return r
}

// jwt is a token with this payload. Its signature is the API server's affair.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".sig"
}

func expiring(at time.Time) string { return jwt(fmt.Sprintf(`{"exp":%d}`, at.Unix())) }

// TestHowLongATokenIsBelieved: for Holds, never longer than it lives, and not for long if nobody says how long that is.
func TestHowLongATokenIsBelieved(t *testing.T) {
	begin := newReviews().now
	no := authn.TokenReviewStatus{}
	for name, c := range map[string]struct {
		token  string
		review *authn.TokenReviewStatus
		holds  time.Duration
	}{
		"lives an hour":           {expiring(begin.Add(time.Hour)), nil, Holds},
		"lives three seconds":     {expiring(begin.Add(3 * time.Second)), nil, 3 * time.Second},
		"no JWT":                  {"opaque", nil, NoHolds},
		"does not say":            {jwt(`{}`), nil, NoHolds},
		"says nonsense":           {jwt(`{"exp":"soon"}`), nil, NoHolds},
		"is not valid":            {expiring(begin.Add(time.Hour)), &no, NoHolds},
		"ends when humanity does": {jwt(`{"exp":1e300}`), nil, NoHolds},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReviews()
			if c.review != nil {
				r.review = *c.review
			}
			for _, step := range []struct {
				at   time.Duration
				want int64
			}{{0, 1}, {c.holds - time.Millisecond, 1}, {c.holds + time.Millisecond, 2}} {
				r.now = begin.Add(step.at)
				id, err := r.Authenticate(t.Context(), c.token)
				if (err == nil) != (c.review == nil) || err == nil && (id.Username != "u" || id.Groups[0] != "g") {
					t.Errorf("after %s: %+v %v", step.at, id, err)
				}
				if got := r.tokens.Load(); got != step.want {
					t.Errorf("after %s: %d reviews, want %d", step.at, got, step.want)
				}
			}
		})
	}
}

// TestATokenForOthersIsNone: that of another audience, and one that an authenticator took which knows no audiences.
func TestATokenForOthersIsNone(t *testing.T) {
	for _, audiences := range [][]string{nil, {"b"}, {"https://kubernetes.default.svc"}} {
		r := newReviews()
		r.review.Audiences = audiences
		if id, err := r.Authenticate(t.Context(), "secret"); !errors.Is(err, ErrUnknown) || id.Username != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %+v %v", audiences, id, err)
		}
	}
}

// TestATokenForTheAPIServerItself: without an audience it is asked for none, and takes whom the API server takes.
func TestATokenForTheAPIServerItself(t *testing.T) {
	for _, audiences := range [][]string{nil, {"https://kubernetes.default.svc"}} {
		r := newReviews()
		r.audience, r.review.Audiences = "", audiences
		if id, err := r.Authenticate(t.Context(), "t"); err != nil || id.Username != "u" || r.asked != nil {
			t.Errorf("%v: %+v %v, asked for %q", audiences, id, err, r.asked)
		}
		r.review.Authenticated = false
		if id, err := r.Authenticate(t.Context(), "bad"); !errors.Is(err, ErrUnknown) || id.Username != "" {
			t.Errorf("%v: %+v %v", audiences, id, err)
		}
	}
}

// TestAnAPIServerThatFailsSaysNothing: neither yes nor no, and the next to ask gets its answer.
func TestAnAPIServerThatFailsSaysNothing(t *testing.T) {
	r := newReviews()
	r.fails = apierrors.NewTooManyRequests("later", 1)
	r.allowed.Allowed = true
	if _, err := r.Authenticate(t.Context(), "secret"); err == nil || errors.Is(err, ErrUnknown) || strings.Contains(err.Error(), "secret") {
		t.Errorf("token: %v", err)
	}
	if allowed, _, err := r.Authorize(t.Context(), Identity{Username: "u"}, authz.ResourceAttributes{Verb: "get"}); allowed || err == nil {
		t.Errorf("access: %t %v", allowed, err)
	}
	r.fails = nil
	if _, err := r.Authenticate(t.Context(), "secret"); err != nil {
		t.Errorf("token: %v", err)
	}
	if allowed, _, err := r.Authorize(t.Context(), Identity{Username: "u"}, authz.ResourceAttributes{Verb: "get"}); !allowed || err != nil {
		t.Errorf("access: %t %v", allowed, err)
	}
}

// TestHowLongARightIsBelieved: each act of each identity by itself, a yes for Holds, a no for less.
func TestHowLongARightIsBelieved(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		r := newReviews()
		r.allowed = authz.SubjectAccessReviewStatus{Allowed: allowed, Reason: "why"}
		begin, holds := r.now, map[bool]time.Duration{true: Holds, false: NoHolds}[allowed]
		ask := func(user, group, verb string) {
			t.Helper()
			id := Identity{Username: user, Groups: []string{group}, Extra: map[string]authn.ExtraValue{"k": {"v"}, "l": {"w"}}}
			got, reason, err := r.Authorize(t.Context(), id, authz.ResourceAttributes{Verb: verb})
			if got != allowed || reason != "why" || err != nil {
				t.Errorf("%t %q %v", got, reason, err)
			}
		}
		for _, who := range []string{"u", "v"} {
			for _, group := range []string{"g", "h"} {
				for _, verb := range []string{"get", "create"} {
					ask(who, group, verb)
					ask(who, group, verb)
				}
			}
		}
		if got := r.access.Load(); got != 8 {
			t.Errorf("%d reviews of 8 acts", got)
		}
		r.now = begin.Add(holds - time.Millisecond)
		ask("u", "g", "get")
		if got := r.access.Load(); got != 8 {
			t.Errorf("%t: asked again too early", allowed)
		}
		r.now = begin.Add(holds + time.Millisecond)
		ask("u", "g", "get")
		if got := r.access.Load(); got != 9 {
			t.Errorf("%t: believed for longer than %s", allowed, holds)
		}
	}
	r := newReviews()
	r.allowed = authz.SubjectAccessReviewStatus{Allowed: true, Denied: true} // "mutually exclusive", and nobody holds a webhook to it
	if allowed, _, _ := r.Authorize(t.Context(), Identity{}, authz.ResourceAttributes{}); allowed {
		t.Error("allowed and denied is allowed")
	}
}

// TestManyAtOnceAreOneReview, and none of them is cut off by another's end.
func TestManyAtOnceAreOneReview(t *testing.T) {
	r := newReviews()
	r.hold = make(chan struct{})
	first, give := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { _, err := r.Authenticate(first, "t"); gaveUp <- err }()
	for r.tokens.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := r.Authenticate(t.Context(), "t"); err != nil {
				t.Error(err)
			}
		})
	}
	give()
	if err := <-gaveUp; err == nil {
		t.Error("who gave up got an answer")
	}
	close(r.hold)
	wg.Wait()
	if got := r.tokens.Load(); got != 1 {
		t.Errorf("%d reviews", got)
	}
}

// TestBadTokensPushNoGoodOneOut: whoever sends garbage costs nobody else a review, nor memory without end.
func TestBadTokensPushNoGoodOneOut(t *testing.T) {
	r := newReviews()
	good := expiring(r.now.Add(time.Hour))
	if _, err := r.Authenticate(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	r.review = authn.TokenReviewStatus{}
	for i := range 2 * remembered {
		_, _ = r.Authenticate(t.Context(), fmt.Sprint("bad", i))
	}
	before := r.tokens.Load()
	if _, err := r.Authenticate(t.Context(), good); err != nil || r.tokens.Load() != before {
		t.Errorf("%v after %d reviews", err, r.tokens.Load()-before)
	}
	if n := len(r.unknown.Keys()); n > remembered {
		t.Errorf("%d kept", n)
	}
}

// FuzzExpires: whatever a token says, it is read without harm.
func FuzzExpires(f *testing.F) {
	f.Add(expiring(time.Unix(2e9, 0)))
	f.Add("a.b.c")
	f.Add(".")
	f.Fuzz(func(t *testing.T, token string) {
		if at := expires(token); !at.IsZero() && (at.Unix() < 0 || at.Year() > 40000) {
			t.Errorf("%q: %s", token, at)
		}
	})
}
