package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// hookOf is a Webhook of a provider that runs the App shop.
func hookOf(t testing.TB, p v1alpha1.Provider, change func(*v1alpha1.WebhookSpec)) *Hook {
	t.Helper()
	w := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "hook"}}
	w.Spec = v1alpha1.WebhookSpec{Provider: p, WindowSeconds: 300, Run: v1alpha1.WebhookRun{App: "shop"}}
	if p == v1alpha1.ProviderHMAC {
		w.Spec.HMAC = &v1alpha1.HMACHeaders{Header: "X-Signature", IDHeader: "X-Delivery"}
	}
	if change != nil {
		change(&w.Spec)
	}
	h, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// recorded is a request of testdata: its headers and its body as they stood on the wire (testdata/README.md).
func recorded(t testing.TB, file string) *Delivery {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	head, body, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		t.Fatalf("%s has no empty line", file)
	}
	d := &Delivery{Header: http.Header{}, Body: bytes.TrimSuffix(body, []byte("\n"))}
	for line := range strings.SplitSeq(string(head), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Secret":
			d.Secrets = [][]byte{[]byte(value)}
		case "Now":
			n, _ := strconv.ParseInt(value, 10, 64)
			d.Now = time.Unix(n, 0)
		default:
			d.Header.Add(name, value)
		}
	}
	return d
}

// decide is all that is decided of a delivery.
func decide(h *Hook, d *Delivery) *Verdict {
	if v := h.Known(context.Background(), d); v != nil {
		return v
	}
	return h.Wanted(context.Background(), d)
}

var providersOf = map[string]v1alpha1.Provider{
	"github.http": v1alpha1.ProviderGitHub, "github-form.http": v1alpha1.ProviderGitHub, "gitea.http": v1alpha1.ProviderGitea,
	"forgejo.http": v1alpha1.ProviderForgejo, "gitlab.http": v1alpha1.ProviderGitLab, "gitlab-token.http": v1alpha1.ProviderGitLabToken,
	"bitbucket.http": v1alpha1.ProviderBitbucket, "slack-command.http": v1alpha1.ProviderSlack, "slack-event.http": v1alpha1.ProviderSlack,
	"stripe.http": v1alpha1.ProviderStripe, "standard.http": v1alpha1.ProviderStandardWebhooks, "hmac.http": v1alpha1.ProviderHMAC,
}

// TestRecordedDeliveries: each sender's delivery becomes a command, with the sender's id; and none of them does once a byte of the
// body, of the secret or of what is signed is another.
func TestRecordedDeliveries(t *testing.T) {
	ids := map[string]string{"github.http": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "github-form.http": "72d3162e-cc78-11e3-81ab-4c9367dc0959",
		"gitea.http": "f6266f16-1bf3-46a5-9ea4-602e06ead473", "forgejo.http": "f6266f16-1bf3-46a5-9ea4-602e06ead474", "gitlab.http": "msg_2b3c4d5e",
		"gitlab-token.http": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f", "bitbucket.http": "de3f9b1c-5f3e-4a7d-8c15-1f0b6f3f7a11",
		"slack-command.http": "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c", "slack-event.http": "Ev08MFMKH6", "stripe.http": "evt_1MqqbKLt4dXK03v5qaIbiNCC",
		"standard.http": "msg_p5jXN8AQM9LWM0D4loKWxJek", "hmac.http": "2026-11"}
	for file, p := range providersOf {
		t.Run(file, func(t *testing.T) {
			h := hookOf(t, p, nil)
			d := recorded(t, file)
			if v := decide(h, d); v != nil {
				t.Fatalf("%+v", v)
			}
			if d.Command.ID() != ids[file] || d.Command.Source() != "/apis/kf.dev/v1alpha1/namespaces/demo/webhooks/hook" || d.Command.Type() != events.TaskRun ||
				d.Task != events.TaskName("shop", d.Command.Source(), ids[file]) {
				t.Errorf("%s", d.Command)
			}
			both := recorded(t, file) // rotated: the second of two is the sender's
			both.Secrets = [][]byte{[]byte("another secret than theirs"), []byte("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), both.Secrets[0]}
			if v := decide(h, both); v != nil {
				t.Errorf("with two secrets: %+v", v)
			}
			for name, spoil := range map[string]func(*Delivery){
				"body":    func(d *Delivery) { d.Body[len(d.Body)-1] ^= 1 },
				"secret":  func(d *Delivery) { d.Secrets[0][len(d.Secrets[0])-2] ^= 1 },
				"short":   func(d *Delivery) { d.Body = d.Body[:len(d.Body)-1] },
				"nothing": func(d *Delivery) { d.Body = nil },
			} {
				if p == v1alpha1.ProviderGitLabToken && name != "secret" {
					continue // which signs no body
				}
				d := recorded(t, file)
				spoil(d)
				if v := decide(h, d); v == nil || v.Status != http.StatusUnauthorized || v.Rule != "Signature" {
					t.Errorf("another %s: %+v", name, v)
				}
			}
			for _, name := range h.provider.once(h.Spec) {
				for what, values := range map[string][]string{"none": nil, "empty": {""}, "twice": {d.Header.Get(name), d.Header.Get(name)},
					"another": {"sha256=" + strings.Repeat("0", 64)}, "no hex": {"sha256=zz"}, "no base64": {"v1,%%%"}} {
					d := recorded(t, file)
					d.Header[http.CanonicalHeaderKey(name)] = values
					if v := decide(h, d); v == nil || v.Status != http.StatusUnauthorized || d.Command != nil {
						t.Errorf("%s %s: %+v", name, what, v)
					}
				}
			}
			if h.provider.sent == nil {
				return
			}
			for _, off := range []time.Duration{301 * time.Second, -301 * time.Second} {
				d := recorded(t, file)
				d.Now = d.Now.Add(off)
				if v := decide(h, d); v == nil || v.Status != http.StatusUnauthorized || v.Rule != "Window" {
					t.Errorf("by a clock that is %s off: %+v", off, v)
				}
			}
		})
	}
}

func sign(secret string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(mac.Sum(nil))
}

const secret = "It's a Secret to Everybody" // of GitHub's documentation

// posted is a delivery of GitHub's.
func posted(body string, headers ...string) *Delivery {
	d := &Delivery{Header: http.Header{}, Body: []byte(body), Secrets: [][]byte{[]byte(secret)}, Now: time.Unix(1e9, 0)}
	d.Header.Set("Content-Type", "application/json")
	d.Header.Set("X-GitHub-Delivery", "d1")
	d.Header.Set("X-GitHub-Event", "push")
	d.Header.Set("X-Hub-Signature-256", "sha256="+sign(secret, body))
	for i := 0; i < len(headers); i += 2 {
		d.Header.Set(headers[i], headers[i+1])
	}
	return d
}

// TestGitHubsOwnVector is of docs.github.com, "Testing the webhook payload validation".
func TestGitHubsOwnVector(t *testing.T) {
	if got := posted("Hello, World!").Header.Get("X-Hub-Signature-256"); got != "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" {
		t.Errorf("signed %s", got)
	}
}

// TestBadDeliveries: what is signed well, and bad otherwise.
func TestBadDeliveries(t *testing.T) {
	push := `{"ref":"refs/heads/main"}`
	for name, c := range map[string]struct {
		d      *Delivery
		status int
		rule   string
	}{
		"good":            {posted(push), 0, ""},
		"SHA-1 only":      {posted(push, "X-Hub-Signature-256", "sha1=d03207e4b030cf234e3447bac4d93add4c6643d8"), 401, "Signature"},
		"SHA-512":         {posted(push, "X-Hub-Signature-256", "sha512="+strings.Repeat("0", 128)), 401, "Signature"},
		"an empty secret": {func() *Delivery { d := posted(push); d.Secrets = [][]byte{{}, nil}; return d }(), 503, "Secrets"},
		"no secret":       {func() *Delivery { d := posted(push); d.Secrets = nil; return d }(), 503, "Secrets"},
		"signed by no secret": {func() *Delivery {
			d := posted(push, "X-Hub-Signature-256", "sha256="+sign("", push))
			d.Secrets = append(d.Secrets, []byte{})
			return d
		}(), 401, "Signature"},
		"gzip":                 {posted(push, "Content-Encoding", "gzip"), 415, "ContentType"},
		"text":                 {posted(push, "Content-Type", "text/plain"), 415, "ContentType"},
		"another charset":      {posted(push, "Content-Type", "application/json; charset=utf-16"), 415, "ContentType"},
		"no type":              {posted(push, "Content-Type", ""), 415, "ContentType"},
		"no JSON":              {posted(`{"ref":`), 422, "Payload"},
		"a body that ends":     {posted(`{"ref":"refs/he`), 422, "Payload"},
		"doubled member":       {posted(`{"ref":"a","ref":"b"}`), 422, "Payload"},
		"no UTF-8":             {posted("{\"ref\":\"\xff\"}"), 422, "Payload"},
		"deep":                 {posted(strings.Repeat("[", 65) + strings.Repeat("]", 65)), 422, "Payload"},
		"no form":              {posted(`%zz`, "Content-Type", formType), 422, "Payload"},
		"a form's field twice": {posted(`payload={}&payload={}`, "Content-Type", formType), 422, "Payload"},
		"a form without JSON":  {posted(`payload=x`, "Content-Type", formType), 422, "Payload"},
		"a long id":            {posted(push, "X-GitHub-Delivery", strings.Repeat("a", 257)), 422, "DeliveryID"},
		"an odd id":            {posted(push, "X-GitHub-Delivery", "a b"), 422, "DeliveryID"},
		"a ping":               {posted(`{"zen":"Keep it logically awesome."}`, "X-GitHub-Event", "ping"), 202, "Handshake"},
	} {
		v := decide(hookOf(t, v1alpha1.ProviderGitHub, nil), c.d)
		if v == nil {
			v = &Verdict{}
		}
		if v.Status != c.status || v.Rule != c.rule || (c.status != 0) != (c.d.Command == nil) {
			t.Errorf("%s: %+v, want %d by %s", name, v, c.status, c.rule)
		}
	}
	if d := posted(push, "X-GitHub-Delivery", ""); decide(hookOf(t, v1alpha1.ProviderGitHub, nil), d) != nil || !strings.HasPrefix(d.ID, "body-") {
		t.Errorf("without an id it is its body's: %q", d.ID)
	}
	if v := decide(hookOf(t, v1alpha1.ProviderGitHub, func(s *v1alpha1.WebhookSpec) { s.Suspend = true }), posted(push)); v == nil || v.Outcome != v1alpha1.DeliveryIgnored {
		t.Errorf("suspended: %+v", v)
	}
}

func TestSlackGetsItsChallengeBack(t *testing.T) {
	body := `{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`
	d := &Delivery{Header: http.Header{}, Body: []byte(body), Secrets: [][]byte{[]byte("8f742231b10e8888abcd99yyyzzz85a5")}, Now: time.Unix(1531420618, 0)}
	d.Header.Set("Content-Type", "application/json")
	d.Header.Set("X-Slack-Request-Timestamp", "1531420618")
	d.Header.Set("X-Slack-Signature", "v0="+sign("8f742231b10e8888abcd99yyyzzz85a5", "v0:1531420618:", body))
	if v := decide(hookOf(t, v1alpha1.ProviderSlack, nil), d); v == nil || v.Status != 200 || v.Answer != "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" {
		t.Errorf("%+v", v)
	}
}

// TestSecretsThatCanBeUsed: Standard Webhooks' are of 24 to 64 bytes.
func TestSecretsThatCanBeUsed(t *testing.T) {
	of := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for s, fit := range map[string]bool{"": false, "whsec_": false, of(23): false, of(24): true, of(64): true, of(65): false, "whsec_%": false} {
		if got := standardWebhooks.fit([]byte(s)); got != fit {
			t.Errorf("%q: %t", s, got)
		}
	}
	if github := githubSender; github.fit([]byte("1234567")) || !github.fit([]byte("12345678")) {
		t.Error("8 bytes at least")
	}
	if got := Secret([]byte("abc\r\n")); string(got) != "abc" {
		t.Errorf("%q", got)
	}
}

// TestMapping: what of outside reaches the command, and as what.
func TestMapping(t *testing.T) {
	h := hookOf(t, v1alpha1.ProviderGitHub, func(s *v1alpha1.WebhookSpec) {
		s.Filter = `headers["x-github-event"] == "push" && body.ref == "refs/heads/main"`
		s.Run.Command, s.Run.DisplayName, s.Run.Memory = "bin/deploy", `"deploy " + body.head`, `body.size > 10 ? "1Gi" : ""`
		s.Run.Env = []v1alpha1.WebhookEnv{{Name: "HEAD", Value: "body.head"}, {Name: "SIZE", Value: "body.size"}, {Name: "FORCED", Value: "body.forced"},
			{Name: "ID", Value: "id"}, {Name: "HALF", Value: "body.half"}}
	})
	d := posted(`{"ref":"refs/heads/main","head":"$(id); \"rm\" 'x'","size":9007199254740993,"forced":true,"half":0.5}`)
	if v := decide(h, d); v != nil {
		t.Fatalf("%+v", v)
	}
	var cmd events.RunTask
	if err := events.Command(*d.Command, &cmd); err != nil {
		t.Fatal(err)
	}
	want := events.RunTask{Namespace: "demo", App: "shop", Name: `deploy $(id); "rm" 'x'`, Command: "bin/deploy", Memory: "1Gi", Env: []v1alpha1.EnvVar{
		{Name: "HEAD", Value: `$(id); "rm" 'x'`}, {Name: "SIZE", Value: "9007199254740993"}, {Name: "FORCED", Value: "true"}, {Name: "ID", Value: "d1"}, {Name: "HALF", Value: "0.5"}}}
	if !reflect.DeepEqual(cmd, want) {
		t.Errorf("%+v", cmd)
	}
	if v := decide(h, posted(`{"ref":"refs/heads/other"}`)); v == nil || v.Outcome != v1alpha1.DeliveryIgnored || v.Status != 202 {
		t.Errorf("filtered: %+v", v)
	}
	job := hookOf(t, v1alpha1.ProviderGitHub, func(s *v1alpha1.WebhookSpec) {
		s.Run = v1alpha1.WebhookRun{Job: "nightly", CPU: `"1"`, Env: []v1alpha1.WebhookEnv{{Name: "A", Value: "body.a"}}}
	})
	if d := posted(`{"a":"b"}`); decide(job, d) != nil || d.Command.Type() != events.JobRun ||
		string(d.Command.Data()) != `{"namespace":"demo","job":"nightly","cpu":"1","env":[{"name":"A","value":"b"}]}` {
		t.Errorf("%s", d.Command)
	}
}

// TestExpressionsThatFail: each is a refusal that names the expression, at once. What costs too much is cut off by its cost or by its time,
// whichever is first.
func TestExpressionsThatFail(t *testing.T) {
	forever := `[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, ` +
		`[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, [1,2,3,4,5,6,7,8,9,10].all(g, a + b + c + d + e + f + g > 0)))))))`
	body := `{"a":[1],"n":null,"m":{"x":1},"s":"x","large":"` + strings.Repeat("x", 9000) + `"}`
	for name, change := range map[string]func(*v1alpha1.WebhookSpec){
		"filter: it yields list":          func(s *v1alpha1.WebhookSpec) { s.Filter = "body.a" },
		"filter: no such key: nothing":    func(s *v1alpha1.WebhookSpec) { s.Filter = "body.nothing" },
		"filter: operation ":              func(s *v1alpha1.WebhookSpec) { s.Filter = forever },
		"env V: it yields list":           func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = "body.a" },
		"env V: it yields null_type":      func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = "body.n" },
		"env V: it yields map":            func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = "body.m" },
		"env V: it yields a text that no": func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = `"a\u0000"` },
		"env V: it yields 18000 bytes":    func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = "body.large + body.large" },
		"env V: operation ":               func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = forever + ` ? "a" : "b"` },
		"env V: operation cancelled: actual ": func(s *v1alpha1.WebhookSpec) { // 45 MB of text in a thousand steps
			s.Run.Env[0].Value = `[1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, ` +
				`body.large + body.large + body.large + body.large + body.large))).size() > 0 ? "x" : "y"`
		},
		`cpu: it yields "x", which is no`:  func(s *v1alpha1.WebhookSpec) { s.Run.CPU = "body.s" },
		"env V14: all values together":     func(s *v1alpha1.WebhookSpec) { many(s, 20) },
		"env V: no such key: x-gitlab-tok": func(s *v1alpha1.WebhookSpec) { s.Run.Env[0].Value = `headers["x-gitlab-token"]` },
	} {
		h := hookOf(t, v1alpha1.ProviderGitHub, func(s *v1alpha1.WebhookSpec) {
			s.Run.Env = []v1alpha1.WebhookEnv{{Name: "V", Value: "body.s"}}
			change(s)
		})
		d := posted(body, "X-Gitlab-Token", "secret")
		if v := decide(h, d); v == nil || v.Status != 422 || !strings.HasPrefix(v.Why, name) || d.Command != nil {
			t.Errorf("%+v, want %s", v, name)
		}
	}
}

func many(s *v1alpha1.WebhookSpec, n int) {
	s.Run.Env = nil
	for i := range n {
		s.Run.Env = append(s.Run.Env, v1alpha1.WebhookEnv{Name: fmt.Sprint("V", i), Value: "body.large"})
	}
}

// TestExpressionsThatCantBe are told where the Webhook is made, and refuse every delivery where it is there.
func TestExpressionsThatCantBe(t *testing.T) {
	for text, want := range map[string]string{
		"body.": "Syntax error", "1": "it yields int, not true", "[true]": "it yields list(bool)", "unknown": "undeclared reference",
		strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60): "recursion", `"a".replace("", "b")`: "undeclared reference",
	} {
		w := &v1alpha1.Webhook{Spec: v1alpha1.WebhookSpec{Provider: v1alpha1.ProviderGitHub, Filter: text, Run: v1alpha1.WebhookRun{App: "a"}}}
		h, err := New(w)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if v := decide(h, posted("{}")); v == nil || v.Status != 422 || v.Rule != "Filter" {
			t.Errorf("%s: %+v", text, v)
		}
	}
}

// TestAgain: what was accepted once.
func TestAgain(t *testing.T) {
	a := (&Delivery{ID: "1", Body: []byte("a")}).Mark()
	b := (&Delivery{ID: "1", Body: []byte("b")}).Mark()
	if m, ok := ReadMark(a.String()); !ok || m != a {
		t.Errorf("%v", m)
	}
	for name, c := range map[string]struct {
		bodyOfID, idOfBody string
		signsID            bool
		want               v1alpha1.DeliveryOutcome
	}{
		"new":                                    {"", "", false, ""},
		"a redelivery":                           {a.Body, a.ID, false, v1alpha1.DeliveryStored},
		"an id with another body":                {b.Body, "", false, v1alpha1.DeliveryRefused},
		"a body under another id":                {"", "x", false, v1alpha1.DeliveryIgnored},
		"a body under another id that is signed": {"", "x", true, ""},
	} {
		v := Again(a, c.bodyOfID, c.idOfBody, c.signsID)
		if v == nil {
			v = &Verdict{}
		}
		if v.Outcome != c.want {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// FuzzDelivery: whatever is posted, nothing but a delivery that is signed becomes a command, and the command is one of this Webhook's.
func FuzzDelivery(f *testing.F) {
	for file := range providersOf {
		d := recorded(f, file)
		f.Add(string(d.Body), d.Header.Get("Content-Type"), d.Header.Get("X-Hub-Signature-256"))
	}
	f.Add(`{"a":{"a":1,"a":2}}`, "application/json; charset=utf-8", "sha1=00")
	f.Add("payload=%7B%7D&payload=x", formType, "")
	var hooks []*Hook
	for p := range providers {
		hooks = append(hooks, hookOf(f, p, func(s *v1alpha1.WebhookSpec) {
			s.Run.Env = []v1alpha1.WebhookEnv{{Name: "A", Value: `string(body.a)`}, {Name: "ID", Value: "id"}}
			s.Run.DisplayName = "id"
		}))
	}
	f.Fuzz(func(t *testing.T, body, contentType, signature string) {
		for _, h := range hooks {
			d := posted(body, "Content-Type", contentType, "X-Hub-Signature-256", signature)
			if v := decide(h, d); v == nil && signature != "sha256="+sign(secret, body) {
				t.Errorf("%s became a command unsigned", h.Spec.Provider)
			}
			d = posted(body, "Content-Type", contentType)
			if h.Wanted(context.Background(), d) != nil {
				continue
			}
			var cmd events.RunTask
			if err := events.Command(*d.Command, &cmd); err != nil || cmd.Namespace != "demo" || cmd.App != "shop" || cmd.Command != "" || len(cmd.Env) != 2 {
				t.Errorf("%s: %s %v", h.Spec.Provider, d.Command, err)
			}
		}
	})
}

// BenchmarkDecide is a delivery of GitHub's of 7 kB, decided, beside the bare verification of its signature.
func BenchmarkDecide(b *testing.B) {
	h := hookOf(b, v1alpha1.ProviderGitHub, func(s *v1alpha1.WebhookSpec) {
		s.Filter = `body.ref == "refs/heads/main"`
		s.Run.Env = []v1alpha1.WebhookEnv{{Name: "A", Value: "body.ref"}}
	})
	body := `{"ref":"refs/heads/main","commits":[` + strings.Repeat(`{"id":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5","added":["a","b"]},`, 100) + `{}]}`
	d := posted(body)
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := githubSender.verify(h.Spec, d, d.Secrets[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decide", func(b *testing.B) {
		for b.Loop() {
			again := *d
			if v := decide(h, &again); v != nil {
				b.Fatal(v)
			}
		}
	})
}
