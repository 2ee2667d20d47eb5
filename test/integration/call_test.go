package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestACallIsMadeAndItsSecretGoesWithIt: by the CLI, as PCF Scheduler's users know it, and what is wrong with one is said before
// anything is made.
func TestACallIsMadeAndItsSecretGoesWithIt(t *testing.T) {
	c := newCLI(t)
	c.ready(metav1.ConditionTrue, "")
	c.App(t, c.space, "shop")
	for _, wrong := range []struct{ args, why string }{
		{"ftp://shop.example", "no http or https URL"}, {"https://me:hunter2@shop.example", "--auth-header-file"},
		{"https://shop.example --body x", "use -X POST"}, {"https://shop.example -X BREW", "not \"BREW\""},
		{"https://shop.example -H Authorization:hunter2", "--auth-header-file"}, {"https://shop.example --answer-within 2h", "from 1s to 1h"},
		{"https://shop.example --auth-header-file /nowhere", "no such file"}, {"https://shop.example -s 61", "schedule"},
	} {
		said := c.refused(append([]string{"create-call", "shop", "refresh"}, strings.Fields(wrong.args)...)...)
		if !strings.Contains(said, wrong.why) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: %s", wrong.args, said)
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("Bearer hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := c.kf("create-call", "shop", "refresh", "https://shop.example/refresh?full=true", "-X", "POST", "--body", "{}", "-s", "@hourly",
		"--auth-header-file", token)
	c.has(said, "refresh created")
	job, err := c.Kf.TaskSchedules(c.space).Get(ctx, "refresh", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := c.Kube.CoreV1().Secrets(c.space).Get(ctx, "kf-call-refresh", metav1.GetOptions{})
	if err != nil || string(secret.Data["authorization"]) != "Bearer hunter2" || !metav1.IsControlledBy(secret, job) {
		t.Errorf("%v %v %+v", err, secret.Data, secret.OwnerReferences)
	}
	c.has(c.kf("calls"), "Name App Request Schedule Next", "refresh shop POST https://shop.example/refresh @hourly")
	if yaml := c.kf("jobs", "-o", "yaml"); strings.Contains(yaml, "hunter2") {
		t.Error("the Job holds the secret")
	}
	c.kf("create-job", "shop", "nightly")
	if strings.Contains(c.kf("calls"), "nightly") {
		t.Error("a Job that is no call is listed as one")
	}
	c.kf("run-call", "refresh")
	if task := c.one(); task.Spec.Call == nil || task.Spec.Call.URL != "https://shop.example/refresh?full=true" {
		t.Errorf("%+v", task.Spec)
	}
}

// TestATaskWithACallRunsWithoutAnImage of its App, and what no call can be is refused by the API server.
func TestATaskWithACallRunsWithoutAnImage(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "call")
	if _, err := c.Kf.Apps(ns).Create(ctx, harness.NewApp(ns, "shop", ""), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f := c.Function(t, "runtask", "CALL_IMAGE=registry.example/call@sha256:"+aDigest)
	task := harness.NewTask(ns, "shop", "refresh")
	task.Spec.Command, task.Spec.Call = "", &v1alpha1.Call{URL: "http://shop.example:8080/refresh"}
	task, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Added("Task", task))
	wantOneRun(t, c, ns, "refresh")

	for name, call := range map[string]v1alpha1.Call{
		"http or https URL":       {URL: "ftp://shop.example"},
		"without a user":          {URL: "https://me:pw@shop.example"},
		"needs a method that has": {URL: "https://shop.example", Body: "x"},
		"one line":                {URL: "https://shop.example", Headers: []v1alpha1.CallHeader{{Name: "A", Value: "1\r\nB: 2"}}},
		"Unsupported value":       {URL: "https://shop.example", Method: "BREW"},
	} {
		task := harness.NewTask(ns, "shop", "wrong")
		task.Spec.Command, task.Spec.Call = "", &call
		if _, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %q", call, err, name)
		}
	}
	both := harness.NewTask(ns, "shop", "wrong")
	both.Spec.Command, both.Spec.Call = "true", &v1alpha1.Call{URL: "https://shop.example"}
	if _, err := c.Kf.Tasks(ns).Create(ctx, both, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), "a call stands alone") {
		t.Errorf("%v", err)
	}
}
