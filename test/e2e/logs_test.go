package e2e

import (
	"bytes"
	"context"
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

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestTerminateKeepsWhatWasWritten: kf terminate-task through the real events, and the lines in the stream of the
// deployed function.
func TestTerminateKeepsWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.task(t, "stopped", "shop", `trap 'for i in 1 2 3; do echo "after the signal $i"; sleep 1; done; exit 0' TERM; echo started; while :; do sleep 0.1; done`, nil)
	harness.Eventually(t, 4*time.Minute, func() error {
		pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=stopped"})
		if err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("%d Pods: %v", len(pods.Items), err)
		}
		b, err := w.Kube.CoreV1().Pods(w.space).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "step-" + v1alpha1.UserContainer}).DoRaw(ctx)
		if err != nil || !bytes.Contains(b, []byte("started")) {
			return fmt.Errorf("%s %v", b, err)
		}
		return nil
	})
	asked := metav1.Now()
	if out, code := w.kf(t, "terminate-task", "stopped"); code != 0 {
		t.Fatal(out)
	}
	task, reason, _ := w.ends(t, "stopped")
	if reason != v1alpha1.ReasonCancelled {
		t.Errorf("reason %s", reason)
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		var err error
		if task, err = w.Kf.Tasks(w.space).Get(ctx, "stopped", metav1.GetOptions{}); err != nil {
			return err
		}
		if s := task.Status.Termination; s == nil || s.Log == v1alpha1.LogDelivering || s.Lines < 4 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	// Complete, or, when the node was too busy to say when the container ended, what may be missing: the lines themselves
	// are looked at below.
	if s := task.Status.Termination; s.Log != v1alpha1.LogComplete && (s.Log != v1alpha1.LogIncomplete || s.Message == "") {
		t.Errorf("%+v", s)
	}
	functions, err := w.Kube.CoreV1().Pods(harness.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=terminate"})
	if err != nil {
		t.Fatal(err)
	}
	var stream []byte
	for _, p := range functions.Items {
		b, err := w.Kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: "user-container", SinceTime: &asked}).DoRaw(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, b...)
	}
	for _, line := range []string{"started", "after the signal 1", "after the signal 2", "after the signal 3"} {
		want := fmt.Sprintf(`"message":"%s","space":"%s","app":"shop","task":"stopped"`, line, w.space)
		if n := bytes.Count(stream, []byte(want)); n != 1 {
			t.Errorf("%q is %d times in the stream", line, n)
		}
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=stopped"})
		if err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("the Pod is still there: %v", err)
		}
		return nil
	})
	for _, c := range []struct{ args, want string }{{"stopped", "terminated"}, {"gone", "there is no Task"}} {
		if out, _ := w.kf(t, "terminate-task", c.args); !strings.Contains(out, c.want) && !strings.Contains(out, "completed") {
			t.Errorf("terminate-task %s: %s", c.args, out)
		}
	}
}

// TestLogsOverHTTP: the deployed function, from zero, by its ingress, with tokens of the API server's.
func TestLogsOverHTTP(t *testing.T) {
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours, and its ingress is another: test/pods has the same on a node")
	}
	w := newWorld(t)
	w.task(t, "wrote", "shop", `for i in 1 2 3; do echo "line $i"; done; printf 'red \033[31m\n'; exit 4`, nil)
	w.ends(t, "wrote")
	token := func(name string, rules ...rbacv1.PolicyRule) string {
		t.Helper()
		if _, err := w.Kube.CoreV1().ServiceAccounts(w.space).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Kube.RbacV1().Roles(w.space).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: w.space}}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		r, err := w.Kube.CoreV1().ServiceAccounts(w.space).CreateToken(ctx, name, &authn.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status.Token
	}
	reader := token("reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}})
	stranger := token("stranger", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}})

	// The Service is cluster-local: the ingress answers to its name from inside only.
	service, err := w.Kube.CoreV1().Services("knative-serving").Get(ctx, "kf-ingress", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	get := func(token, path string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+net.JoinHostPort(service.Spec.ClusterIP, "80")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "logs.kf-tasks.svc.cluster.local"
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
	path := "/namespaces/" + w.space + "/tasks/wrote"
	answer, body := get(reader, path+"?follow")
	if answer.StatusCode != 200 || !strings.HasPrefix(body, "line 1\nline 2\nline 3\nred ") || strings.Contains(body, "\x1b") || !strings.Contains(body, "4") {
		t.Errorf("%s %q", answer.Status, body)
	}
	if got := answer.Trailer.Get("Kf-Task-Exit-Code"); got != "4" {
		t.Errorf("trailers %v", answer.Trailer)
	}
	for name, c := range map[string]struct {
		token, path string
		want        int
	}{
		"no token": {"", path, 401}, "a bad token": {"x", path, 401}, "no right": {stranger, path, 403},
		"another namespace": {reader, "/namespaces/kf-tasks/tasks/x", 403}, "no such Task": {reader, "/namespaces/" + w.space + "/tasks/nope", 404},
		"a bad parameter": {reader, path + "?tial=1", 400},
	} {
		if answer, body := get(c.token, c.path); answer.StatusCode != c.want {
			t.Errorf("%s: %s %s, want %d", name, answer.Status, body, c.want)
		}
	}
}
