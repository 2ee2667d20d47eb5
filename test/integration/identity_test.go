package integration

import (
	"errors"
	"testing"
	"time"

	authz "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestIdentity: what a real API server says of real tokens and rights, and that a right taken away ends with the answer
// that was kept.
func TestIdentity(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "identity")
	now := time.Now()
	r := identity.New(c.Kube, "the-audience", func() time.Time { return now })
	token := c.Token(t, ns, "sender", "the-audience")
	id, err := r.Authenticate(ctx, token)
	if err != nil || id.Username != "system:serviceaccount:"+ns+":sender" || id.UID == "" || len(id.Groups) == 0 {
		t.Fatalf("%+v %v", id, err)
	}
	if id.Expires.Before(now.Add(5*time.Minute)) || id.Expires.After(now.Add(2*time.Hour)) {
		t.Errorf("expires %s", id.Expires)
	}
	for name, bad := range map[string]string{
		"garbage": "garbage", "another audience": c.Token(t, ns, "sender", "another"), "the API server's": c.Token(t, ns, "sender", ""),
		"forged": token[:len(token)-4] + "AAAA",
	} {
		if id, err := r.Authenticate(ctx, bad); !errors.Is(err, identity.ErrUnknown) {
			t.Errorf("%s: %+v %v", name, id, err)
		}
	}
	act := authz.ResourceAttributes{Namespace: ns, Verb: "create", Group: "kf.dev", Resource: "tasks"}
	want := func(allowed bool, when string) {
		t.Helper()
		if got, reason, err := r.Authorize(ctx, id, act); got != allowed || err != nil {
			t.Errorf("%s: allowed %t (%s) %v", when, got, reason, err)
		}
	}
	want(false, "by default")
	c.Allow(t, ns, "sender", "tasks", "create")
	now = now.Add(identity.NoHolds + time.Second)
	harness.Eventually(t, time.Minute, func() error { // the API server's own view of its RoleBindings lags
		now = now.Add(identity.NoHolds + time.Second)
		if got, _, err := r.Authorize(ctx, id, act); !got || err != nil {
			return errors.New("not allowed yet")
		}
		return nil
	})
	if err := c.Kube.RbacV1().RoleBindings(ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	want(true, "within the seconds that an answer holds")
	harness.Eventually(t, time.Minute, func() error {
		now = now.Add(identity.Holds + time.Second)
		if got, _, err := r.Authorize(ctx, id, act); got || err != nil {
			return errors.New("still allowed")
		}
		return nil
	})
}
