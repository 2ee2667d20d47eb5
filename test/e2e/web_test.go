package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

var field = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// TestPagesByTheIngress: the function web is reached by its name, who signs in with a token sees a Task and its log, which web has from the
// function logs, and who has not signed in is asked to.
func TestPagesByTheIngress(t *testing.T) {
	w := newWorld(t)
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours, and its Services may not be reached from here")
	}
	if _, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "default", Namespace: w.space}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.task(t, "shown", "shop", `echo "$GREETING of a page"`, nil)
	w.ends(t, "shown")

	at := "http://" + net.JoinHostPort(w.clusterIP(t, "knative-serving", "kf-ingress"), "80")
	cookies := map[string]string{} // a browser keeps them over HTTPS alone
	do := func(method, path string, form url.Values) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, at+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "web.kf-tasks.svc.cluster.local"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		for _, c := range answer.Cookies() {
			cookies[c.Name] = c.Value
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}

	page := "/spaces/" + w.space + "/tasks/shown"
	status, body := do(http.MethodGet, page, nil)
	if status != http.StatusUnauthorized || strings.Contains(body, "of a page") {
		t.Errorf("who has not signed in: %d\n%s", status, body)
	}
	form := url.Values{"token": {w.token(t, w.space, "default", "https://kubernetes.default.svc.cluster.local")}}
	for _, m := range field.FindAllStringSubmatch(body, -1) {
		form.Set(m[1], m[2])
	}
	if status, body = do(http.MethodPost, "/sign-in", form); status != http.StatusSeeOther {
		t.Fatalf("signed in: %d\n%s", status, body)
	}
	harness.Eventually(t, 2*time.Minute, func() error { // logs may sleep, and a page does not wait for long until it is awake
		if status, body := do(http.MethodGet, page, nil); status != http.StatusOK || !strings.Contains(body, "hello of a page") {
			return fmt.Errorf("a Task: %d\n%s", status, body)
		}
		return nil
	})
	if status, body = do(http.MethodGet, page+"/log/raw", nil); status != http.StatusOK || !strings.Contains(body, " hello of a page\n") {
		t.Errorf("its log as a file: %d\n%s", status, body)
	}
	if status, body = do(http.MethodGet, "/spaces/kf-tasks", nil); status != http.StatusForbidden {
		t.Errorf("another namespace: %d\n%s", status, body)
	}
}
