package upgrade

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestUndeployKeepsOrRemovesData, as asked, with objects that have finalizers which nobody takes off any more; and what is there without
// Knative. It never hangs.
func TestUndeployKeepsOrRemovesData(t *testing.T) {
	c := harness.New(t)
	root := harness.Root()
	undeploy := func(keep string) (string, error) {
		t.Helper()
		limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(limited, filepath.Join(root, "hack", "undeploy.sh"))
		cmd.Env = append(os.Environ(), "CLUSTER_DIR="+filepath.Dir(os.Getenv("KUBECONFIG")), "KEEP="+keep)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	w := &world{T: t, Cluster: c, ns: c.Namespace(t, "undeploy")}
	t.Cleanup(func() {
		kubectl(t, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", "crd"))
		kubectl(t, "wait", "--for=condition=Established", "--timeout=20s", "crd", "apps.kf.dev", "tasks.kf.dev", "taskschedules.kf.dev")
	})
	kubectl(t, "apply", "--server-side", "-f", filepath.Join(root, "config", "knative", "namespace.yaml"))
	kubectl(t, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(root, "config", "rbac"))
	kubectl(t, "apply", "-n", w.ns, "-f", objects())
	held := filepath.Join(t.TempDir(), "held.yaml")
	w.must(writeFile(held, `apiVersion: kf.dev/v1alpha1
kind: Space
metadata: {name: `+w.ns+`, finalizers: [kf.dev/space]}
spec: {}
`))
	kubectl(t, "apply", "-f", held)

	if out, err := undeploy("everything"); err == nil || !strings.Contains(out, "KEEP=data") {
		t.Errorf("a word that KEEP does not know: %v\n%s", err, out)
	}
	if out, err := undeploy("data"); err != nil {
		t.Fatalf("KEEP=data: %v\n%s", err, out)
	}
	kubectl(t, "get", "-n", w.ns, "-f", objects())
	kubectl(t, "delete", "--timeout=10s", "-f", held) // nobody holds it
	if left := kubectl(t, "get", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/part-of=kf-tasks", "-o", "name"); strings.Count(left, "/") != 4 ||
		!strings.Contains(left, "kf-tasks-view") || !strings.Contains(left, "kf-tasks-edit") {
		t.Errorf("rights that are left are to be those of users:\n%s", left)
	}
	for range 2 {
		if out, err := undeploy(""); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, kind := range []string{"crd", "clusterroles", "clusterrolebindings", "validatingadmissionpolicies", "namespaces"} {
		if left := kubectl(t, "get", kind, "-o", "name"); strings.Contains(left, "kf.dev") || strings.Contains(left, "kf-tasks") {
			t.Errorf("left:\n%s", left)
		}
	}
	kubectl(t, "get", "namespace", w.ns)
}
