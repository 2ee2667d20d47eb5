package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/attack"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestAttacksOnWebhooks: by what is posted to a victim's Webhook, and by what a tenant may write of its own.
func TestAttacksOnWebhooks(t *testing.T) {
	a := newAttacked(t)
	a.Rights(t, "commander")
	command := a.Function(t, "command")
	a.Rights(t, "webhook")
	token := filepath.Join(t.TempDir(), "token")
	function := a.Function(t, "webhook", "COMMAND_SINK="+command.URL, "COMMAND_TOKEN="+token)
	if err := os.WriteFile(token, []byte(a.Token(t, harness.SystemNamespace, "webhook", audience)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &hooked{Cluster: a.Cluster, t: t, ns: a.theirs, webhook: function}
	w.secret("hook", hookSecret)
	w.grant("hook")
	w.hook("push", func(s *v1alpha1.WebhookSpec) {
		s.Run.Command, s.Run.Env = "bin/deploy", []v1alpha1.WebhookEnv{{Name: "MESSAGE", Value: "body.message"}}
	})
	mine := &hooked{Cluster: a.Cluster, t: t, ns: a.mine, webhook: function}
	mine.secret("hook", hookSecret)
	mine.hook("push", nil)

	answer := func(t *testing.T, r *http.Request) string {
		t.Helper()
		status, _, _ := send(t, r)
		return a.untouched(t, fmt.Sprint(status))
	}
	const body = `{"message":"m"}`
	forged := func(headers ...string) *http.Request {
		r := w.delivery("push", "forged", body)
		r.Header.Del("X-Hub-Signature-256")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	signed := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return "sha256=" + hex.EncodeToString(mac.Sum(nil))
	}
	harness.Eventually(t, time.Minute, func() error { // the victim's grants take effect
		if status, said, _ := send(t, forged()); status != 401 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	const finder = "who has got hold of a delivery"
	attack.Run(t, []attack.Row{
		attack.New("webhook-unsigned", anybody, "a delivery without a signature", func(t *testing.T) string {
			return answer(t, forged())
		}),
		attack.New("webhook-own-secret", anybody, "a delivery signed with a secret of one's own, and with an empty one", func(t *testing.T) string {
			answers := map[string]bool{}
			for _, secret := range []string{"a secret of my own", ""} {
				answers[answer(t, forged("X-Hub-Signature-256", signed(secret)))] = true
			}
			return one(answers)
		}),
		attack.New("webhook-sha1", "who can make SHA-1 collide", "a delivery with `X-Hub-Signature`, SHA-1, alone", func(t *testing.T) string {
			return answer(t, forged("X-Hub-Signature", "sha1=0000000000000000000000000000000000000000"))
		}),
		attack.New("webhook-secret-of-another", tenant, "a Webhook that names `../../THEIRS/secrets/hook`", func(t *testing.T) string {
			hook := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: v1alpha1.WebhookSpec{Provider: v1alpha1.ProviderGitHub,
				SecretRefs: []v1alpha1.SecretKey{{Name: "../../" + a.theirs + "/secrets/hook", Key: "secret"}}, Run: v1alpha1.WebhookRun{App: "shop"}}}
			_, err := a.tenant.Kf.Webhooks(a.mine).Create(t.Context(), hook, metav1.CreateOptions{})
			said, _, _ := strings.Cut(a.said(err), "[")
			return said
		}),
		attack.New("webhook-ungranted", tenant, "a Webhook in a Space that does not let the function read its Secrets", func(t *testing.T) string {
			return answer(t, mine.delivery("push", "1", "{}"))
		}),
		attack.New("webhook-as-webhook", tenant, "asks for the token of the account `webhook`, to command all Spaces that let it", func(t *testing.T) string {
			_, err := a.tenant.Kube.CoreV1().ServiceAccounts(harness.SystemNamespace).CreateToken(t.Context(), "webhook", &authn.TokenRequest{}, metav1.CreateOptions{})
			return a.said(err)
		}),
		attack.New("webhook-status", tenant, "empties `status.accepted` of its Webhook, to have a delivery run again", func(t *testing.T) string {
			_, err := a.tenant.Kf.Webhooks(a.mine).Patch(t.Context(), "push", types.MergePatchType, []byte(`{"status":{"accepted":null}}`), metav1.PatchOptions{}, "status")
			return a.said(err)
		}),
		attack.New("webhook-shell", "who writes a commit message", "a message of `$(id)`, backquotes, `$(DATABASE_URL)` and quotes", func(t *testing.T) string {
			message := "$(id) `id` $(DATABASE_URL) '\" ; id"
			status := 0
			harness.Eventually(t, time.Minute, func() error {
				status, _, _ = send(t, w.delivery("push", "shell", fmt.Sprintf(`{"message":%q}`, message)))
				if status == 503 {
					return fmt.Errorf("answered %d", status)
				}
				return nil
			})
			for _, name := range a.names(t, a.theirs) {
				task, err := a.Kf.Tasks(a.theirs).Get(t.Context(), name, metav1.GetOptions{})
				if err == nil && task.Spec.Command == "bin/deploy" && len(task.Spec.Env) == 1 && task.Spec.Env[0].Value == message {
					return fmt.Sprintf("%d; the command is the Webhook's, the message one variable's value", status)
				}
			}
			return fmt.Sprint(status)
		}),
		attack.New("webhook-again", finder, "the same bytes under another id", func(t *testing.T) string {
			before := len(a.names(t, a.theirs))
			status, _, _ := send(t, w.delivery("push", "another", fmt.Sprintf(`{"message":%q}`, "$(id) `id` $(DATABASE_URL) '\" ; id")))
			if n := len(a.names(t, a.theirs)) - before; n != 0 {
				return fmt.Sprintf("%d, and %d more Tasks", status, n)
			}
			return fmt.Sprintf("%d, and no second Task", status)
		}),
	})
}
