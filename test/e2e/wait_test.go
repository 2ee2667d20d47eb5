package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// waiter is an account of the Space that may command it and read its logs, with a token for commands and for the API server.
func (w *world) waiter(t *testing.T, name string) (token string) {
	t.Helper()
	if _, err := w.Kube.CoreV1().ServiceAccounts(w.space).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kube.RbacV1().Roles(w.space).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"kf.dev"}, Resources: []string{"tasks"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: w.space}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := w.Kube.Discovery().RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var server struct{ Issuer string }
	if err := json.Unmarshal(b, &server); err != nil {
		t.Fatal(err)
	}
	r, err := w.Kube.CoreV1().ServiceAccounts(w.space).CreateToken(ctx, name,
		&authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{"kf-tasks-command", server.Issuer}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Token
}

// TestOneRequestRunsAndWaits: the deployed function, from zero, by its ingress: a Task is run, and its exit code and the end of its log are
// the answer; a wait that ends first goes on elsewhere; and without a token there is nothing.
func TestOneRequestRunsAndWaits(t *testing.T) {
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours, and its ingress is another: test/integration has the same but the log")
	}
	w := newWorld(t)
	token := w.waiter(t, "waiter")
	// The Service is cluster-local: the ingress answers to its name from inside only.
	service, err := w.Kube.CoreV1().Services("knative-serving").Get(ctx, "kf-ingress", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body, token string, prefer string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, "http://"+net.JoinHostPort(service.Spec.ClusterIP, "80")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "wait.kf-tasks.svc.cluster.local"
		r.Header.Set("Prefer", prefer)
		r.Header.Set("Idempotency-Key", strings.ReplaceAll(t.Name()+body, " ", ""))
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(b)
	}
	type end struct {
		Task, Outcome string
		ExitCode      *int
		Log           struct {
			Text  string
			Notes []string
		}
	}
	run := "/namespaces/" + w.space + "/apps/shop/tasks"
	var got end
	harness.Eventually(t, 3*time.Minute, func() error { // the right takes effect a moment after it is given
		answer, body := ask(http.MethodPost, run, `{"command": "echo one; printf 'red \\033[31m\\n'; exit 4"}`, token, "wait=120")
		got = end{}
		if err := json.Unmarshal([]byte(body), &got); err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %s", answer.Status, body)
		}
		return nil
	})
	if got.Outcome != "Failed" || got.ExitCode == nil || *got.ExitCode != 4 || got.Log.Text != "one\nred \x1b[31m\n" || len(got.Log.Notes) > 0 {
		t.Errorf("%+v", got)
	}
	again, body := ask(http.MethodPost, run, `{"command": "echo one; printf 'red \\033[31m\\n'; exit 4"}`, token, "wait=120")
	if again.StatusCode != http.StatusOK || !strings.Contains(body, got.Task) || strings.Contains(body, "\x1b") {
		t.Errorf("sent again: %s %s", again.Status, body)
	}
	answer, body := ask(http.MethodPost, run, `{"command": "sleep 5; echo done"}`, token, "respond-async")
	if answer.StatusCode != http.StatusAccepted {
		t.Fatalf("%s %s", answer.Status, body)
	}
	place := answer.Header.Get("Location")
	if answer, body = ask(http.MethodGet, place, "", token, "wait=120"); answer.StatusCode != http.StatusOK || !strings.Contains(body, `"exitCode":0`) ||
		!strings.Contains(body, `done\n`) {
		t.Errorf("%s %s", answer.Status, body)
	}
	for name, bad := range map[string]string{"no token": "", "a bad token": "x"} {
		if answer, body := ask(http.MethodGet, place, "", bad, ""); answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "detail") {
			t.Errorf("%s: %s %s", name, answer.Status, body)
		}
	}
}
