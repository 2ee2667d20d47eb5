package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestKfsOwnCLIPushes
func TestKfsOwnCLIPushes(t *testing.T) {
	t.Setenv("KF_STARTUP_TIMEOUT", "30s")
	w := newBuildWorld(t, nil)
	space := w.Function(t, "space")
	newSpace(t, w.Cluster, w.Namespace, func(s *v1alpha1.Space) {
		s.Spec.Build.BuilderImage = "registry.example/builder:1"
		s.Spec.BuildConfig.ContainerRegistry = w.registry + "/team"
	})
	space.Deliver(harness.Ping("resync"))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Procfile"), []byte("worker: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"target -s x", "push shop --task --docker-image " + pushed(t), "push built --task -p " + dir, "push built --task -p " + dir + " --container-registry " + w.registry,
		"push serves --docker-image " + pushed(t), "apps", "app shop", "builds", "set-env shop A B", "env shop", "unset-env shop A", "restage shop", "restart shop", "start shop", "stop shop", "stacks", "buildpacks", "services", "vcap-services shop", "logs shop --recent", "scale shop -i 2", "routes", "configure-space get-container-registry", "marketplace", "delete shop -a"} {
		began := time.Now()
		if strings.HasPrefix(line, "target") { line = "target" }
		meanwhile(w.f, func() {
			printed, code := w.KfsOwn(t, w.Namespace, words(line)...)
			t.Logf("kf %s: %d %s\n%s", line, code, time.Since(began), printed)
		})
	}
}
