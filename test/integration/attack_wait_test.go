package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/test/attack"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestAttacksOnWait: by requests to the function that runs Tasks and waits for them.
func TestAttacksOnWait(t *testing.T) {
	a := newAttacked(t)
	function := a.Function(t, "wait", "COMMAND_SINK="+a.Function(t, "command").URL)
	a.Allow(t, a.theirs, "other", "tasks", "create")
	mine, other := a.Token(t, a.mine, "has-edit", audience), a.Token(t, a.theirs, "other", audience)
	ask := func(t *testing.T, method, path, body, token string, headers ...string) (status int, said string) {
		t.Helper()
		path = strings.NewReplacer("MINE", a.mine, "THEIRS", a.theirs).Replace(path)
		r, err := http.NewRequestWithContext(t.Context(), method, function.URL+path, strings.NewReader(strings.ReplaceAll(body, "THEIRS", a.theirs)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Prefer", "respond-async")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		status, said, _ = send(t, r)
		return status, said
	}
	status := func(t *testing.T, method, path, body, token string, headers ...string) string {
		t.Helper()
		status, _ := ask(t, method, path, body, token, headers...)
		return a.untouched(t, fmt.Sprint(status))
	}
	const theirs, own = "/namespaces/THEIRS/apps/shop/tasks", "/namespaces/MINE/apps/shop/tasks"
	attack.Run(t, []attack.Row{
		attack.New("wait-without-token", anybody, "runs and waits without a token", func(t *testing.T) string { return status(t, http.MethodPost, theirs, `{}`, "") }),
		attack.New("wait-elsewhere", tenant, "runs the victim's App and waits", func(t *testing.T) string { return status(t, http.MethodPost, theirs, `{}`, mine) }),
		attack.New("wait-namespace-in-body", tenant, "runs its own App, with the victim's namespace in the body", func(t *testing.T) string {
			return status(t, http.MethodPost, own, `{"namespace": "THEIRS"}`, mine)
		}),
		attack.New("wait-by-dot-dot", tenant, "`/namespaces/MINE%2f..%2fTHEIRS/apps/shop/tasks`", func(t *testing.T) string {
			return status(t, http.MethodPost, "/namespaces/MINE%2f..%2fTHEIRS/apps/shop/tasks", `{}`, mine)
		}),
		attack.New("wait-as-admin", tenant, "runs the victim's App with `Impersonate-User: system:admin`", func(t *testing.T) string {
			return status(t, http.MethodPost, theirs, `{}`, mine, "Impersonate-User", "system:admin")
		}),
		attack.New("wait-looks-elsewhere", tenant, "looks at a Task of the victim's, and at one that is not there", func(t *testing.T) string {
			answers := map[string]bool{}
			for _, name := range []string{a.Task(t, a.theirs, "shop", "private").Name, "none"} {
				got, said := ask(t, http.MethodGet, "/namespaces/THEIRS/tasks/"+name, "", mine)
				answers[fmt.Sprint(got, strings.ReplaceAll(said, name, ""))] = true
			}
			if len(answers) != 1 {
				return fmt.Sprint("tells which is there: ", answers)
			}
			return "403, the same for both"
		}),
		attack.New("wait-key-of-another", "an account of a Space that may run its Apps", "the `Idempotency-Key` of another's request, to be answered with its Task", func(t *testing.T) string {
			a.Allow(t, a.theirs, "first", "tasks", "create")
			first := a.Token(t, a.theirs, "first", audience)
			for _, token := range []string{first, other} {
				harness.Eventually(t, time.Minute, func() error { // the rights take effect
					got, said := ask(t, http.MethodPost, theirs, `{}`, token, "Idempotency-Key", "november")
					if got == http.StatusForbidden && strings.Contains(said, "may not create") {
						return fmt.Errorf("%d %s", got, said)
					}
					return nil
				})
			}
			got, said := ask(t, http.MethodPost, theirs, `{}`, other, "Idempotency-Key", "november")
			if strings.Contains(said, "first") {
				return "whose it is"
			}
			return fmt.Sprint(got)
		}),
	})
}
