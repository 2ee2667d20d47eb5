package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kf-tasks/kf-tasks/shared/identity"
)

// authenticate says whose token it is, as identity.Reviewer does.
type authenticate func(ctx context.Context, token string) (identity.Identity, error)

// onlyFrom hands on the requests that come with a token of one of the senders, and reads nothing of the others. What a hint says
// is believed of nobody; but each costs looks at the API server, which nobody but this system's own Triggers has to ask for.
func onlyFrom(senders []string, whose authenticate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admitted(r.Context(), senders, whose); err != nil {
			refuse(w, Result(r.Context(), err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func admitted(ctx context.Context, senders []string, whose authenticate) error {
	token, err := BearerToken(ctx)
	if err != nil {
		return err
	}
	if token == "" {
		return Unauthenticated(errors.New("events come here by this system's own Triggers, with a token"))
	}
	sender, err := whose(ctx, token)
	if errors.Is(err, identity.ErrUnknown) {
		return Unauthenticated(err)
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(senders, func(name string) bool { return stands(name, sender.Username) }) {
		return Forbidden(fmt.Errorf("%q is none of this system's own Triggers", sender.Username))
	}
	return nil
}

// stands says whether a name, which may end with a * for any, stands for somebody: as in an EventPolicy's from.sub.
func stands(name, somebody string) bool {
	prefix, many := strings.CutSuffix(name, "*")
	return name == somebody || many && strings.HasPrefix(somebody, prefix)
}
