package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/identity"
)

// TestWhoseEventsAreTaken: with senders named, an event is taken with a token of one of them, and its handler hears of no
// other; an API server that can't be asked makes nobody a stranger.
func TestWhoseEventsAreTaken(t *testing.T) {
	whose := func(_ context.Context, token string) (identity.Identity, error) {
		switch token {
		case "expired":
			return identity.Identity{}, fmt.Errorf("%w: it has ended", identity.ErrUnknown)
		case "down":
			return identity.Identity{}, errors.New("review a token: no answer")
		}
		return identity.Identity{Username: "system:serviceaccount:" + strings.ReplaceAll(token, "/", ":")}, nil // a token has no colon
	}
	taken := 0
	senders := []string{"system:serviceaccount:kf-tasks:*", "system:serviceaccount:other:one"}
	address, _ := start(t, func(ctx context.Context, env Env) {
		env.HintsFrom, env.whose = senders, whose
		Serve(ctx, env, func(context.Context, cloudevents.Event) (*cloudevents.Event, error) {
			taken++
			return nil, nil
		})
	})
	for _, c := range []struct {
		authorization string
		want          int
	}{
		{"Bearer kf-tasks/status-oidc-eventing.knative.dev-trigger", 200},
		{"Bearer other/one", 200},
		{"Bearer other/one-more", 403},
		{"Bearer kf-tasks-two/status", 403},
		{"Bearer shop/status-oidc-eventing.knative.dev-trigger", 403},
		{"Bearer expired", 401},
		{"Basic a2Y6a2Y=", 401},
		{"", 401},
		{"Bearer down", 503},
	} {
		before := taken
		r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(`{"specversion":"1.0","type":"t","source":"/s","id":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", cloudevents.ApplicationCloudEventsJSON)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want || (taken > before) != (c.want == http.StatusOK) {
			t.Errorf("%q: %s, want %d; handled %d", c.authorization, answer.Status, c.want, taken-before)
		}
	}
}
