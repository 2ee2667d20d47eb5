package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// sender is how a provider's machines would post a body: which headers it has.
type sender struct {
	secret  string
	headers func(secret, id, body string) map[string]string
}

func mac(secret string, parts ...string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(m.Sum(nil))
}

// senders sign as their documentation says; their times are now.
func senders() map[v1alpha1.Provider]sender {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	standard := func(secret, id, body string) map[string]string {
		key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		m := hmac.New(sha256.New, key)
		m.Write([]byte(id + "." + now + "." + body))
		return map[string]string{"webhook-id": id, "webhook-timestamp": now, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))}
	}
	signed := func(header, prefix, id string) sender {
		return sender{"a secret of the sender's", func(secret, delivery, body string) map[string]string {
			return map[string]string{header: prefix + mac(secret, body), id: delivery}
		}}
	}
	return map[v1alpha1.Provider]sender{
		v1alpha1.ProviderGitHub:           signed("X-Hub-Signature-256", "sha256=", "X-GitHub-Delivery"),
		v1alpha1.ProviderGitea:            signed("X-Gitea-Signature", "", "X-Gitea-Delivery"),
		v1alpha1.ProviderForgejo:          signed("X-Forgejo-Signature", "", "X-Forgejo-Delivery"),
		v1alpha1.ProviderBitbucket:        signed("X-Hub-Signature", "sha256=", "X-Request-UUID"),
		v1alpha1.ProviderHMAC:             signed("X-Signature", "", "X-Delivery"),
		v1alpha1.ProviderGitLab:           {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", standard},
		v1alpha1.ProviderStandardWebhooks: {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", standard},
		v1alpha1.ProviderGitLabToken: {"glwt-5f2b9c1e7d", func(secret, id, _ string) map[string]string {
			return map[string]string{"X-Gitlab-Token": secret, "Idempotency-Key": id}
		}},
		v1alpha1.ProviderSlack: {"8f742231b10e8888abcd99yyyzzz85a5", func(secret, _, body string) map[string]string {
			return map[string]string{"X-Slack-Request-Timestamp": now, "X-Slack-Signature": "v0=" + mac(secret, "v0:", now, ":", body)}
		}},
		v1alpha1.ProviderStripe: {"whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH", func(secret, _, body string) map[string]string {
			return map[string]string{"Stripe-Signature": "t=" + now + ",v1=" + mac(secret, now, ".", body)}
		}},
	}
}

// recorded are the bodies of shared/webhook/testdata, and an expression over each whose value its Task is to print.
var recorded = map[v1alpha1.Provider]struct{ file, value, want string }{
	v1alpha1.ProviderGitHub:           {"github.http", "body.head_commit.message", "Updated README.md"},
	v1alpha1.ProviderGitea:            {"gitea.http", "body.ref", "refs/heads/develop"},
	v1alpha1.ProviderForgejo:          {"forgejo.http", "body.commits[0].message", "Webhooks Yay!"},
	v1alpha1.ProviderBitbucket:        {"bitbucket.http", "body.push.changes[0].new.name", "main"},
	v1alpha1.ProviderHMAC:             {"hmac.http", "body.invoices", "2026-11"},
	v1alpha1.ProviderGitLab:           {"gitlab.http", "body.user_name", "John Smith"},
	v1alpha1.ProviderStandardWebhooks: {"standard.http", "body.test", "2432232314"},
	v1alpha1.ProviderGitLabToken:      {"gitlab-token.http", "body.project.name", "Diaspora"},
	v1alpha1.ProviderSlack:            {"slack-command.http", "body.command", "/webhook-collect"},
	v1alpha1.ProviderStripe:           {"stripe.http", "body.data.object.customer", "cus_NbZ8Ki3f322LNn"},
}

// TestWebhook: what each sender posts, from outside of the cluster where it is ours, ends in a Task that has ended and printed a value of
// it; sent again, it is the same Task.
func TestWebhook(t *testing.T) {
	w := newWorld(t)
	tasks := map[string]string{} // names, and what each is to print
	for p, s := range senders() {
		r := recorded[p]
		name := strings.ToLower(string(p))
		if _, err := w.Kube.CoreV1().Secrets(w.space).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name},
			StringData: map[string]string{"secret": s.secret}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		args := []string{"create-webhook", name, "--provider", string(p), "--app", "shop", "--secret", name, "--command", `echo "$VALUE"`, "--env", "VALUE=" + r.value}
		if p == v1alpha1.ProviderHMAC {
			args = append(args, "--signature-header", "X-Signature", "--id-header", "X-Delivery")
		}
		if out, said, code := w.RunKf(t, w.space, args...); code != 0 {
			t.Fatalf("%s%s", out, said)
		}
		harness.Eventually(t, 3*time.Minute, func() error { // the grants take effect a moment after they are made
			status, said := w.posted(t, p, s, r.file)
			if status != http.StatusAccepted {
				return fmt.Errorf("%s: %d %s", p, status, said)
			}
			if task, ok := strings.CutPrefix(said, "stored: Task "); ok {
				tasks[task] = r.want
				return nil
			}
			return fmt.Errorf("%s: %s", p, said)
		})
		if status, said := w.posted(t, p, s, r.file); status != http.StatusAccepted || said != "stored: it was accepted before" {
			t.Errorf("%s, sent again: %d %s", p, status, said)
		}
	}
	for task, want := range tasks {
		if _, reason, message := w.ends(t, task); reason != "Succeeded" || w.log(t, task) != want+"\n" {
			t.Errorf("%s: %s %s, printed %q, want %q", task, reason, message, w.log(t, task), want)
		}
	}
	list, err := w.Kf.Tasks(w.space).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != len(recorded) {
		t.Errorf("%d Tasks of %d deliveries: %v", len(list.Items), len(recorded), err)
	}
}

// posted posts a recorded body, as the sender would, to the address of its Webhook.
func (w *world) posted(t *testing.T, p v1alpha1.Provider, s sender, file string) (status int, said string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), "shared", "webhook", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\n\n")
	body = strings.TrimSuffix(body, "\n")
	r, err := http.NewRequest(http.MethodPost, w.webhookURL(t)+"/"+w.space+"/"+strings.ToLower(string(p)), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(w.domain(t)); err == nil {
		r.Host = u.Host
	}
	for line := range strings.SplitSeq(head, "\n") {
		if name, value, _ := strings.Cut(line, ": "); name == "Content-Type" {
			r.Header.Set(name, value)
		}
	}
	for name, value := range s.headers(s.secret, "delivery-"+strings.ToLower(string(p)), body) {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(text))
}

// domain is the address of the function as Serving says it.
func (w *world) domain(t *testing.T) string {
	t.Helper()
	services := schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	o, err := w.dynamic(t).Resource(services).Namespace(harness.SystemNamespace).Get(ctx, "webhook", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := unstructured.NestedString(o.Object, "status", "url")
	return address
}

// webhookURL is where the ingress is reached from outside: on the local cluster by a loopback port, on one of yours as Serving says.
func (w *world) webhookURL(t *testing.T) string {
	t.Helper()
	if os.Getenv("CLUSTER") != "existing" {
		return os.Getenv("CLUSTER_INGRESS")
	}
	return w.domain(t)
}
