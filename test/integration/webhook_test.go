package integration

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

const hookSecret = "It's a Secret to Everybody"

// hooked is a Space with an App "shop" and Webhooks "push" and others, the function webhook, and where its commands go.
type hooked struct {
	*harness.Cluster
	t       testing.TB
	ns      string
	webhook *harness.Function
}

// newHooked starts the function with the Space's grant; commands go to a sink.
func newHooked(t *testing.T, sink string, env ...string) *hooked {
	t.Helper()
	c := harness.New(t)
	w := &hooked{Cluster: c, t: t, ns: c.Namespace(t, "webhook")}
	c.App(t, w.ns, "shop")
	w.secret("hook", hookSecret)
	w.webhook = c.Function(t, "webhook", append([]string{"COMMAND_SINK=" + sink}, env...)...)
	w.grant("hook")
	return w
}

func (w *hooked) secret(name, value string) {
	w.t.Helper()
	if _, err := w.Kube.CoreV1().Secrets(w.ns).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name},
		StringData: map[string]string{"secret": value}}, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// grant lets the function read those Secrets, as `kf create-webhook` does.
func (w *hooked) grant(secrets ...string) {
	w.t.Helper()
	if _, err := w.Kube.RbacV1().Roles(w.ns).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "webhook"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: secrets, Verbs: []string{"get"}}}}, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	for kind, name := range map[string]string{"Role": "webhook", "ClusterRole": "kf-tasks-commander"} {
		if _, err := w.Kube.RbacV1().RoleBindings(w.ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "kf-tasks", Name: "webhook"}}}, metav1.CreateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *hooked) hook(name string, change func(*v1alpha1.WebhookSpec)) {
	w.t.Helper()
	h := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.ns}}
	h.Spec = v1alpha1.WebhookSpec{Provider: v1alpha1.ProviderGitHub, SecretRefs: []v1alpha1.SecretKey{{Name: "hook"}}, Run: v1alpha1.WebhookRun{App: "shop"}}
	if change != nil {
		change(&h.Spec)
	}
	if _, err := w.Kf.Webhooks(w.ns).Create(ctx, h, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// delivery is one of GitHub's, signed.
func (w *hooked) delivery(name, id, body string) *http.Request {
	w.t.Helper()
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(body))
	r, err := http.NewRequest(http.MethodPost, w.webhook.URL+"/"+w.ns+"/"+name, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

// send is the answer to a request. The function gives itself ANSWER_WITHIN (7 s) of the ten that GitHub waits; a slow day of this
// machine's may add to that.
func send(t testing.TB, r *http.Request) (status int, said string, header http.Header) {
	t.Helper()
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if took := time.Since(began); took > time.Minute || err != nil {
		t.Errorf("answered after %s: %v", took, err)
	}
	return answer.StatusCode, strings.TrimSpace(string(b)), answer.Header
}

// want fails the test unless the answer is that one.
func (w *hooked) want(r *http.Request, status int, said string) {
	w.t.Helper()
	if got, text, _ := send(w.t, r); got != status || !strings.Contains(text, said) {
		w.t.Errorf("answered %d %q, want %d %q", got, text, status, said)
	}
}

// TestADeliveryBecomesATask: by the function command, as the identity that the Space grants it to; sent again it runs nothing, and not
// when the Task is gone either.
func TestADeliveryBecomesATask(t *testing.T) {
	c := harness.New(t)
	command := c.Function(t, "command")
	token := filepath.Join(t.TempDir(), "token")
	c.Rights(t, "webhook")
	c.Rights(t, "commander")
	if err := os.WriteFile(token, []byte(c.Token(t, "kf-tasks", "webhook", audience)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newHooked(t, command.URL, "COMMAND_TOKEN="+token)
	w.hook("push", func(s *v1alpha1.WebhookSpec) {
		s.Filter = `body.ref == "refs/heads/main"`
		s.Run.Command, s.Run.DisplayName = "bin/deploy", `"deploy " + body.after`
		s.Run.Env = []v1alpha1.WebhookEnv{{Name: "REF", Value: "body.ref"}, {Name: "AFTER", Value: "body.after"}}
	})
	push := `{"ref":"refs/heads/main","after":"$(id) ` + "`id`" + `"}`
	harness.Eventually(t, time.Minute, func() error { // the rights take effect a moment after they are given
		if status, said, _ := send(t, w.delivery("push", "1", push)); status != 202 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	tasks := func() []v1alpha1.Task {
		list, err := w.Kf.Tasks(w.ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	all := tasks()
	if len(all) != 1 {
		t.Fatalf("%d Tasks", len(all))
	}
	spec := all[0].Spec
	if spec.Command != "bin/deploy" || spec.DisplayName != "deploy $(id) `id`" || spec.RequestedBy != "system:serviceaccount:kf-tasks:webhook" ||
		fmt.Sprint(spec.Env) != "[{REF refs/heads/main} {AFTER $(id) `id`}]" {
		t.Errorf("%+v", spec)
	}
	w.want(w.delivery("push", "1", push), 202, "stored: it was accepted before")
	w.want(w.delivery("push", "1", `{"ref":"refs/heads/main","after":"other"}`), 422, "refused: its id was used before, for another body")
	w.want(w.delivery("push", "2", push), 202, "ignored: the same body was accepted before, under another id")
	w.want(w.delivery("push", "3", `{"ref":"refs/heads/other"}`), 202, "ignored: filter")
	if err := w.Kf.Tasks(w.ns).Delete(ctx, all[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.webhook.Kill() // what it had in mind is gone
	w.webhook.Start()
	w.want(w.delivery("push", "1", push), 202, "stored: it was accepted before")
	w.want(w.delivery("push", "2", push), 202, "ignored")
	if all := tasks(); len(all) != 0 {
		t.Errorf("%d Tasks from deliveries that were sent again", len(all))
	}
	harness.Eventually(t, time.Minute, func() error { // what nobody waits for is written a second later
		hook, err := w.Kf.Webhooks(w.ns).Get(ctx, "push", metav1.GetOptions{})
		if err != nil || len(hook.Status.Accepted) != 1 || len(hook.Status.Deliveries) < 2 {
			return fmt.Errorf("%v %+v", err, hook.Status)
		}
		return nil
	})
}

// broker answers with a status that a test sets, and counts; 0 is no answer at all.
type broker struct {
	*httptest.Server
	status, taken atomic.Int32
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{}
	b.status.Store(202)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		b.taken.Add(1)
		switch status := int(b.status.Load()); status {
		case 0:
			<-r.Context().Done()
		case 302:
			http.Redirect(w, r, "http://127.0.0.1:1/", status)
		default:
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(func() { b.CloseClientConnections(); b.Close() })
	return b
}

// TestTheAnswerTellsTheBrokersFate, always within GitHub's ten seconds; and what was not stored is taken when it comes again.
func TestTheAnswerTellsTheBrokersFate(t *testing.T) {
	b := newBroker(t)
	w := newHooked(t, b.URL, "COMMAND_TOKEN=/nowhere", "ANSWER_WITHIN=3s")
	w.hook("push", nil)
	for i, c := range []struct{ broker, want int }{{202, 202}, {200, 202}, {400, 422}, {422, 422}, {413, 422}, {401, 503}, {403, 503}, {302, 503}, {404, 503}, {429, 503}, {500, 503}, {0, 503}} {
		b.status.Store(int32(c.broker))
		id := fmt.Sprint("fate-", i)
		status, said, header := send(t, w.delivery("push", id, fmt.Sprint(i)))
		if status != c.want || status == 503 && header.Get("Retry-After") == "" {
			t.Errorf("the Broker answers %d, the sender is answered %d %q %v, want %d", c.broker, status, said, header, c.want)
		}
		b.status.Store(202)
		before := b.taken.Load()
		w.want(w.delivery("push", id, fmt.Sprint(i)), 202, "stored")
		if again := b.taken.Load() > before; again != (c.want != 202) {
			t.Errorf("the Broker answered %d: sent again, it was taken anew: %t", c.broker, again)
		}
	}
	b.Close() // nobody there
	w.want(w.delivery("push", "gone", "99"), 503, "not done")
}

// TestAnswersOfAWebhook are those of docs/webhooks.md.
func TestAnswersOfAWebhook(t *testing.T) {
	b := newBroker(t)
	w := newHooked(t, b.URL)
	w.hook("push", nil)
	w.hook("slow", func(s *v1alpha1.WebhookSpec) { s.RatePerMinute = 2 })
	w.hook("small", func(s *v1alpha1.WebhookSpec) { s.MaxBytes = 10 })
	w.secret("closed", hookSecret)
	w.hook("closed", func(s *v1alpha1.WebhookSpec) { s.SecretRefs = []v1alpha1.SecretKey{{Name: "gone"}, {Name: "closed"}} })
	harness.Eventually(t, time.Minute, func() error {
		if status, said, _ := send(t, w.delivery("push", "1", "1")); status != 202 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	get := w.delivery("push", "2", "{}")
	get.Method = http.MethodGet
	w.want(get, 405, "post")
	w.want(w.delivery("nope", "2", "{}"), 404, "no such Webhook")
	w.want(w.delivery("push/more", "2", "{}"), 404, "/SPACE/NAME")
	unsigned := w.delivery("push", "2", "{}")
	unsigned.Header.Set("X-Hub-Signature-256", "sha256=00")
	w.want(unsigned, 401, "the signature is not good")
	w.want(w.delivery("small", "2", `{"a":"bcdefghi"}`), 413, "larger than 10 bytes")
	text := w.delivery("push", "2", "{}")
	text.Header.Set("Content-Type", "text/plain")
	w.want(text, 415, "neither JSON")
	w.want(w.delivery("push", "2", "{"), 422, "can't be read")
	for i := range 2 {
		w.want(w.delivery("slow", fmt.Sprint(i), fmt.Sprint("{\"n\":", i, "}")), 202, "stored")
	}
	status, said, header := send(t, w.delivery("slow", "3", `{"n":3}`))
	if status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", status, said, header)
	}
	w.want(w.delivery("closed", "2", "{}"), 503, "not done") // the Space does not grant it
	for name := range header {
		if strings.HasPrefix(name, "Set-Cookie") {
			t.Errorf("%v", header)
		}
	}
}

// TestASlowDeliveryIsGivenUp: a body that does not come, and one that ends early.
func TestASlowDeliveryIsGivenUp(t *testing.T) {
	w := newHooked(t, newBroker(t).URL, "ANSWER_WITHIN=2s")
	w.hook("push", nil)
	harness.Eventually(t, time.Minute, func() error {
		if status, said, _ := send(t, w.delivery("push", "1", "1")); status != 202 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	c, err := net.Dial("tcp", strings.TrimPrefix(w.webhook.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /%s/push HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{\"begun\":", w.ns)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 64)
	if n, err := c.Read(b); !bytes.Contains(b[:n], []byte(" 408 ")) {
		t.Errorf("%q %v", b[:n], err)
	}
}

// TestTenThousandDeliveriesAtOnce, most of which nobody signed, and more than the rate: none is left without an answer, those that are
// taken are stored once each, and the status has them all.
func TestTenThousandDeliveriesAtOnce(t *testing.T) {
	b := newBroker(t)
	w := newHooked(t, b.URL)
	w.hook("push", func(s *v1alpha1.WebhookSpec) { s.RatePerMinute = 300 })
	harness.Eventually(t, time.Minute, func() error {
		if status, said, _ := send(t, w.delivery("push", "first", "1")); status != 202 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	before := b.taken.Load()
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	next := make(chan int)
	for range 200 {
		wg.Go(func() {
			for i := range next {
				r := w.delivery("push", fmt.Sprint("many-", i), fmt.Sprintf(`{"n":%d}`, i))
				if i%10 != 0 {
					r.Header.Set("X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64))
				}
				status, _, _ := send(t, r)
				mu.Lock()
				answers[status]++
				mu.Unlock()
			}
		})
	}
	for i := range 10000 {
		next <- i
	}
	close(next)
	wg.Wait()
	t.Logf("answers %v", answers)
	late := answers[503] // a machine that is slow: its sender may send it again
	if answers[401] != 9000 || answers[202]+answers[429]+late != 1000 || answers[202] < 200 {
		t.Errorf("answers %v", answers)
	}
	if stored := int(b.taken.Load() - before); stored < answers[202] || stored > answers[202]+late {
		t.Errorf("%d commands of %d deliveries", stored, answers[202])
	}
	hook, err := w.Kf.Webhooks(w.ns).Get(ctx, "push", metav1.GetOptions{})
	if n := len(hook.Status.Accepted) - 1; err != nil || n < answers[202] || n > answers[202]+late || len(hook.Status.Deliveries) != v1alpha1.MaxDeliveries {
		t.Errorf("%v: %d accepted, %d shown", err, len(hook.Status.Accepted), len(hook.Status.Deliveries))
	}
}

// TestKfMakesAWebhook: the object, its secret and what the function is let do; and shows what would become of a delivery, and what came.
func TestKfMakesAWebhook(t *testing.T) {
	b := newBroker(t)
	c := newCLI(t)
	c.Rights(t, "commander")
	c.App(t, c.space, "shop")
	made := c.kf("create-webhook", "push", "--provider", "GitHub", "--app", "shop", "--filter", `headers["x-github-event"] == "push"`, "--env", "REF=body.ref")
	_, secret, _ := strings.Cut(made, "not shown again:\n  ")
	secret = strings.TrimSpace(secret)
	c.has(made, "/"+c.space+"/push", "whsec_")
	c.has(c.kf("webhooks"), "push", "GitHub", "shop")
	c.has(c.refused("create-webhook", "bad", "--provider", "GitHub", "--app", "shop", "--filter", "body."), "filter: ", "Syntax error")
	c.has(c.refused("create-webhook", "bad", "--provider", "GitHub"), "--app or --job")

	body := `{"ref":"refs/heads/main"}`
	file := filepath.Join(t.TempDir(), "push.json")
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	headers := []string{"--header", "X-GitHub-Event: push", "--header", "X-GitHub-Delivery: 7", "--header", "X-Hub-Signature-256: sha256=" + hex.EncodeToString(mac.Sum(nil))}
	c.has(c.kf(append([]string{"webhook", "test", "push", "--payload", file}, headers...)...), "Signature", "Mapping", "would make Task shop-", `{"name":"REF","value":"refs/heads/main"}`)
	out, said, code := c.RunKf(c, c.space, append([]string{"webhook", "test", "push", "--payload", file}, headers[:4]...)...)
	if c.has(out+said, "Signature", "401", "would be refused"); code != 1 {
		t.Errorf("exit code %d of a delivery that would be refused, want 1", code)
	}

	w := &hooked{Cluster: c.Cluster, t: t, ns: c.space, webhook: c.Function(t, "webhook", "COMMAND_SINK="+b.URL)}
	r := w.delivery("push", "7", body)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	harness.Eventually(t, time.Minute, func() error { // by the Role and RoleBindings that kf made
		again := r.Clone(ctx)
		again.Body = io.NopCloser(strings.NewReader(body))
		if status, said, _ := send(t, again); status != 202 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	c.has(c.kf("webhook", "deliveries", "push"), "7", "Stored", "202", "Task shop-")
	c.has(c.kf("delete-webhook", "push"), "deleted")
	harness.Eventually(t, time.Minute, func() error {
		if status, said, _ := send(t, w.delivery("push", "8", body)); status != 404 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
}

// BenchmarkDeliveries is how many deliveries of GitHub's are taken in a second, each of 7 kB, by 64 senders: with the API server, and a
// Broker that answers at once. Beside it stands the bare verification (BenchmarkDecide of shared/webhook).
func BenchmarkDeliveries(b *testing.B) {
	c := harness.New(b)
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer broker.Close()
	ns := c.Namespace(b, "webhook")
	if _, err := c.Kube.CoreV1().Secrets(ns).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hook"},
		StringData: map[string]string{"secret": hookSecret}}, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	hook := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: "push", Namespace: ns}}
	hook.Spec = v1alpha1.WebhookSpec{Provider: v1alpha1.ProviderGitHub, SecretRefs: []v1alpha1.SecretKey{{Name: "hook"}}, RatePerMinute: 60000,
		Run: v1alpha1.WebhookRun{App: "shop", Env: []v1alpha1.WebhookEnv{{Name: "REF", Value: "body.ref"}}}}
	if _, err := c.Kf.Webhooks(ns).Create(ctx, hook, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	f := c.Shipped(b, "webhook", "COMMAND_SINK="+broker.URL, "LOG_LEVEL=warn")
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	large := strings.Repeat(`{"id":"59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5","added":["a","b"]},`, 100)
	var n, refused atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				i := n.Add(1)
				if i > int64(b.N) {
					return
				}
				body := fmt.Sprintf(`{"ref":"refs/heads/main","n":%d,"commits":[%s{}]}`, i, large)
				mac := hmac.New(sha256.New, []byte(hookSecret))
				mac.Write([]byte(body))
				r, _ := http.NewRequest(http.MethodPost, f.URL+"/"+ns+"/push", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-GitHub-Delivery", fmt.Sprint(i))
				r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != 202 {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	if refused.Load() > 0 {
		b.Errorf("%d of %d were not stored", refused.Load(), b.N)
	}
}
