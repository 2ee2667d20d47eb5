package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		query, accept string
		app           bool
		want          Request
		err           string
	}{
		{query: "", want: Request{As: asText}},
		{query: "follow", want: Request{As: asText, Options: follow.Options{Follow: true}}},
		{query: "follow=true&timestamps=1", want: Request{As: asText, Timestamps: true, Options: follow.Options{Follow: true}}},
		{query: "follow=false", accept: "text/html", want: Request{As: asPage, Options: follow.Options{Tail: number(1000)}}},
		{query: "tail=0", want: Request{As: asText, Options: follow.Options{Tail: number(0)}}},
		{query: "since=10m", want: Request{As: asText, Options: follow.Options{Since: now.Add(-10 * time.Minute)}}},
		{query: "since=2026-11-23T11:00:00Z", want: Request{As: asText, Options: follow.Options{Since: now.Add(-time.Hour)}}},
		{query: "format=json", accept: "text/html", want: Request{As: asJSON}},
		{query: "", accept: "application/x-ndjson", want: Request{As: asJSON}},
		{query: "", accept: "text/html,application/xhtml+xml,*/*;q=0.8", want: Request{As: asPage, Options: follow.Options{Follow: true, Tail: number(1000)}}},
		{query: "", accept: "nonsense;;", want: Request{As: asText}},
		{query: "tail=-1", err: "tail"},
		{query: "tail=many", err: "tail"},
		{query: "tail=999999999", app: true, err: "at most"},
		{query: "since=yesterday", err: "since"},
		{query: "since=-5m", err: "since"},
		{query: "follow=perhaps", err: "follow"},
		{query: "format=xml", err: "format"},
		{query: "tial=5", err: `"tial"`},
		{query: "token=secret", err: `"token"`}, // addresses are kept in histories and logs
	} {
		r := httptest.NewRequest(http.MethodGet, "/?"+c.query, nil)
		r.Header.Set("Accept", c.accept)
		if r.SetPathValue("task", "t"); c.app {
			r.SetPathValue("app", "a")
		}
		got, err := Parse(r, now)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("?%s: %v, want an error with %s", c.query, err, c.err)
			}
			continue
		}
		tail := func(o follow.Options) int64 {
			if o.Tail == nil {
				return -1
			}
			return *o.Tail
		}
		if err != nil || got.As != c.want.As || got.Timestamps != c.want.Timestamps || got.Options.Follow != c.want.Options.Follow ||
			!got.Options.Since.Equal(c.want.Options.Since) || tail(got.Options) != tail(c.want.Options) {
			t.Errorf("?%s, Accept %q: %+v %v, want %+v", c.query, c.accept, got, err, c.want)
		}
	}
}

// reviews plays the API server's reviews: the real ones are asked in test/integration.
type reviews struct{ authenticated, allowed bool }

func (r reviews) reviewer() *identity.Reviewer {
	kube := fake.NewClientset()
	kube.PrependReactor("create", "tokenreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		in := a.(k8stesting.CreateAction).GetObject().(*authn.TokenReview)
		in.Status.Authenticated = r.authenticated && len(in.Spec.Audiences) == 0 // any audience but the API server's own is another's
		in.Status.User.Username = "jane"
		return true, in, nil
	})
	kube.PrependReactor("create", "subjectaccessreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		in := a.(k8stesting.CreateAction).GetObject().(*authz.SubjectAccessReview)
		at := in.Spec.ResourceAttributes
		in.Status.Allowed = r.allowed && in.Spec.User == "jane" && at.Namespace == "space" && at.Verb == "get" && at.Resource == "pods" && at.Subresource == "log"
		return true, in, nil
	})
	return identity.New(kube, "", time.Now)
}

func TestWhoIsTurnedAway(t *testing.T) {
	for _, c := range []struct {
		name, path, token, accept string
		r                         reviews
		want                      int
		text                      string
	}{
		{"no token", "/namespaces/space/tasks/t", "", "", reviews{}, 401, "a bearer token is needed"},
		{"a bad token", "/namespaces/space/tasks/t", "x", "", reviews{}, 401, "not valid"},
		{"no right", "/namespaces/space/tasks/t", "x", "", reviews{authenticated: true}, 403, "jane may not read the Pod logs of namespace space"},
		{"a right elsewhere", "/namespaces/other/tasks/t", "x", "", reviews{true, true}, 403, "namespace other"},
		{"a browser without a token", "/namespaces/space/tasks/t", "", "text/html", reviews{}, 401, `<input type="password" name="token"`},
		{"a bad name", "/namespaces/sp_ace/tasks/t", "x", "", reviews{true, true}, 400, "no names"},
		{"markup for a name", "/namespaces/space/tasks/%3Cscript%3E", "", "text/html", reviews{}, 401, "&lt;script&gt;"},
		{"a bad parameter", "/namespaces/space/apps/a?tail=x", "x", "", reviews{true, true}, 400, "tail"},
		{"nothing there", "/elsewhere", "", "", reviews{}, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Handler{Identities: c.r.reviewer(), Limit: time.Hour}
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			if r.Header.Set("Accept", c.accept); c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			h.Routes().ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			if w.Code != c.want || !strings.Contains(string(body), c.text) || strings.Contains(string(body), "<script") {
				t.Errorf("%d %s, want %d with %s", w.Code, body, c.want, c.text)
			}
			if (w.Header().Get("WWW-Authenticate") != "") != (w.Code == 401) {
				t.Errorf("WWW-Authenticate %q with %d", w.Header().Get("WWW-Authenticate"), w.Code)
			}
		})
	}
}

// TestAPageShowsALogAndRunsNothing: what a Task writes is text in a page.
func TestAPageShowsALogAndRunsNothing(t *testing.T) {
	w := httptest.NewRecorder()
	a := newAnswer(w, Request{Namespace: "space", Task: "t", As: asPage})
	out := a.output()
	if err := out.Entry(text.Entry{Task: "t", Line: text.Line{Time: now, Text: []byte("<script>alert(1)</script>\x1b[31mred\x1b]0;title\x07")}}); err != nil {
		t.Fatal(err)
	}
	a.end(nil, false)
	body := w.Body.String()
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\x1b\x07") || !strings.Contains(body, "&lt;script&gt;alert(1)") || !strings.Contains(body, "red") {
		t.Error(body)
	}
	if w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasSuffix(body, "</html>\n") {
		t.Errorf("%v %s", w.Header(), body)
	}
}
