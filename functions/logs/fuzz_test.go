package main

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// FuzzParseRequest: a query is understood within its bounds, or refused in a row that acts on no terminal; and what is
// to go on is asked for by a query that is understood too.
func FuzzParseRequest(f *testing.F) {
	for _, q := range []string{"follow&tail=5&since=10m", "since=2026-11-23T11:00:00Z&format=json", "tail=-1", "tail=99999999999999999999", "since=-5m",
		"since=2540400h", "a=%1b[2J", "%ff=1", "follow=perhaps%0a", "tail=1&tail=2", ";", "format=html&timestamps", "since=0001-01-01T00:00:00Z"} {
		f.Add(q, "text/html", "Bearer x", false)
		f.Add(q, "application/json;q=\x1b", "", true)
	}
	f.Fuzz(func(t *testing.T, query, accept, authorization string, app bool) {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = query
		r.Header.Set("Accept", accept)
		r.Header.Set("Authorization", authorization)
		if app {
			r.SetPathValue("app", "a")
		}
		q, err := Parse(r, now)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
				t.Errorf("%q", err)
			}
			return
		}
		switch tail := q.Options.Tail; {
		case !slices.Contains([]string{asText, asJSON, asPage}, q.As):
			t.Errorf("as %q", q.As)
		case tail != nil && (*tail < 0 || app && *tail > tasklog.MaxTail):
			t.Errorf("tail %d", *tail)
		case strings.ContainsAny(q.Token, " \t") && !strings.Contains(authorization, q.Token):
			t.Errorf("token %q", q.Token)
		}
		a := answer{q: q}
		next, err := url.Parse(a.next())
		if err != nil {
			t.Fatalf("%q: %v", a.next(), err)
		}
		r.URL.RawQuery = next.RawQuery
		if again, err := Parse(r, now); err != nil || again.As != q.As || again.Timestamps != q.Timestamps || again.Options.Follow != q.Options.Follow {
			t.Errorf("%q goes on with %q: %v", query, a.next(), err)
		}
	})
}
