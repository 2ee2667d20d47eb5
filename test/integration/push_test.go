package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/source"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// sourced is a Space whose builds are played, and a registry.
type sourced struct {
	*cli
	apps     dynamic.ResourceInterface
	registry string
	uploads  atomic.Int32 // blobs that were sent
}

func newSourced(t *testing.T) *sourced {
	s := &sourced{cli: newCLI(t)}
	d, err := dynamic.NewForConfig(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	s.apps = d.Resource(v1alpha1.GroupVersion.WithResource("apps")).Namespace(s.space)
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			s.uploads.Add(1)
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.registry = strings.TrimPrefix(server.URL, "http://") + "/kf"
	return s
}

// folder is a source of files with their content.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// built plays the function build until the test ends: it looks at each App, and writes its status as told.
func (s *sourced) built(status func(app *v1alpha1.App) string) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			apps, _ := s.Kf.Apps(s.space).List(ctx, metav1.ListOptions{})
			for i := range apps.Items {
				app := &apps.Items[i]
				var said map[string]any
				if err := json.Unmarshal([]byte(status(app)), &said); err != nil {
					s.Error(err)
				}
				said["observedGeneration"] = app.Generation
				b, _ := json.Marshal(map[string]any{"status": said})
				_, _ = s.apps.Patch(ctx, app.Name, types.MergePatchType, b, metav1.PatchOptions{}, "status")
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	stop = func() { cancel(); <-done }
	s.Cleanup(stop)
	return stop
}

// condition is one of an App's, as JSON.
func condition(kind, status, reason, message string) string {
	b, _ := json.Marshal(map[string]any{"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-11-23T12:00:00Z"})
	return string(b)
}

func (s *sourced) app(name string) *v1alpha1.App {
	s.Helper()
	app, err := s.Kf.Apps(s.space).Get(s.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	return app
}

// TestKfPushBuildsAFolder: the source is in the registry as it is in the folder, and the App says how it is built; pushed again, nothing is
// uploaded and nothing is built, unless it has failed.
func TestKfPushBuildsAFolder(t *testing.T) {
	s := newSourced(t)
	const image = "registry.example/kf/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	good := `{"image": "` + image + `", "buildName": "shop-build-1", "conditions": [` + condition("BuildReady", "True", "Built", "") + `,` +
		condition("Ready", "True", "ImageReady", "") + `]}`
	stop := s.built(func(*v1alpha1.App) string { return good })
	dir := folder(t, map[string]string{"Procfile": "task: run", "bin/run": "#!/bin/sh", "secret": "x", ".cfignore": "secret\n"})
	push := []string{"push", "shop", "--task", "-p", dir, "--container-registry", s.registry}

	s.has(s.kf(append(push, "-b", "a,b", "-e", "GREETING=hello", "--build-env", "BP=1")...), "The image is "+image+".", "App shop is ready.")
	first := s.app("shop")
	spec := first.Spec.Build.Spec
	if spec == nil || spec.Name != "buildpackv3" || len(spec.Params) != 2 || spec.Params[1].Value != "a,b" || len(spec.Env) != 1 || first.Spec.Build.UpdateRequests != 1 {
		t.Fatalf("%+v %+v", first.Spec.Build, spec)
	}
	ref, err := name.NewDigest(spec.Params[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, err := source.Fetch(t.Context(), ref, to, source.DefaultLimits); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "bin/run")); err != nil || string(b) != "#!/bin/sh" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(to, "secret")); err == nil {
		t.Error("what .cfignore names was uploaded")
	}

	uploads := s.uploads.Load()
	_, said, code := s.RunKf(t, s.space, push...)
	if code != 0 || s.uploads.Load() != uploads || !strings.Contains(said, "Nothing to build") {
		t.Errorf("pushed again: %d, %d uploads more: %s", code, s.uploads.Load()-uploads, said)
	}
	if again := s.app("shop"); again.Generation != first.Generation {
		t.Errorf("pushed again, the App is another: %+v", again.Spec.Build)
	}

	stop()
	s.built(func(*v1alpha1.App) string {
		return `{"buildName": "shop-build-2", "conditions": [` +
			condition("BuildReady", "False", "BuildFailed", "detect: exit code 20\nno buildpack takes it"+hostile) + `,` + condition("Ready", "True", "ImageReady", "") + `]}`
	})
	if err := os.WriteFile(filepath.Join(dir, "Procfile"), []byte("task: other"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, code := s.RunKf(t, s.space, push...)
	s.inert(out + said)
	s.has(said, "no buildpack takes it", "Error: the build shop-build-2 of App shop failed: BuildFailed: detect: exit code 20")
	if code != 1 || s.app("shop").Spec.Build.UpdateRequests != 2 {
		t.Errorf("exit code %d, %+v", code, s.app("shop").Spec.Build)
	}
	if _, _, code = s.RunKf(t, s.space, push...); code != 1 || s.app("shop").Spec.Build.UpdateRequests != 3 {
		t.Errorf("a build that failed is not asked for again: exit code %d, %+v", code, s.app("shop").Spec.Build)
	}
}

// TestKfPushFindsTheRegistry: by flag, variable, Space or ConfigMap, and says what to do where nobody has named one.
func TestKfPushFindsTheRegistry(t *testing.T) {
	s := newSourced(t)
	dir := folder(t, map[string]string{"a": "a"})
	s.has(s.refused("push", "shop", "--task", "-p", dir), "a new App needs --docker-image, or a registry", "--container-registry", "KF_CONTAINER_REGISTRY", "ConfigMap build of namespace kf-tasks")
	t.Setenv("KF_CONTAINER_REGISTRY", s.registry)
	s.has(s.kf("push", "shop", "--task", "-p", dir, "--async"), "App shop is written.")
	t.Setenv("KF_CONTAINER_REGISTRY", "https://registry.example")
	s.has(s.refused("push", "shop", "--task", "-p", dir), "is no place for images")
	t.Setenv("KF_CONTAINER_REGISTRY", "")
	s.has(s.refused("push", "shop", "--task", "-p", filepath.Join(dir, "none")), "there is no registry for the source")
	s.has(s.refused("push", "shop", "--task", "-p", filepath.Join(dir, "none"), "--container-registry", s.registry), "open the folder")
	s.has(s.refused("push", "shop", "--task", "-p", dir, "--container-registry", "127.0.0.1:1/kf"), "upload the source to 127.0.0.1:1/kf")
	s.has(s.refused("push", "shop", "--task", "-p", dir, "--container-registry", s.registry, "--stack", "none"), `there is no stack "none"`)
	if n := s.app("shop").Spec.Build.UpdateRequests; n != 1 {
		t.Errorf("what was refused has changed the App: %d", n)
	}
}

// TestKfPushKeepsAnImage, until it is said from where to build one.
func TestKfPushKeepsAnImage(t *testing.T) {
	s := newSourced(t)
	s.kf("push", "shop", "--task", "--docker-image", "registry.example/shop:1", "--async")
	_, said, code := s.RunKf(t, s.space, "push", "shop", "--task", "-e", "A=1", "--async", "--container-registry", s.registry)
	if code != 0 || !strings.Contains(said, "keeps its image registry.example/shop:1") || s.app("shop").Spec.Build.Spec != nil {
		t.Errorf("%d %s %+v", code, said, s.app("shop").Spec.Build)
	}
	s.kf("push", "shop", "--task", "-p", folder(t, map[string]string{"a": "a"}), "--async", "--container-registry", s.registry)
	if b := s.app("shop").Spec.Build; b.Image != nil || b.Spec == nil || b.UpdateRequests != 3 {
		t.Errorf("%+v", b)
	}
	s.kf("push", "shop", "--task", "--docker-image", "registry.example/shop:2", "--async")
	if b := s.app("shop").Spec.Build; b.Image == nil || *b.Image != "registry.example/shop:2" {
		t.Errorf("%+v", b)
	}
}

// TestKfPushReadsAManifest: its Apps with their services, and nothing of any if something of one is wrong.
func TestKfPushReadsAManifest(t *testing.T) {
	s := newSourced(t)
	dir := folder(t, map[string]string{"src/a": "a", "manifest.yml": `
defaults: &defaults
  memory: 256M
  env: {VERSION: ((version))}
  services: [db]
applications:
- name: one
  <<: *defaults
  path: src
  routes: [{route: one.example}]
- name: two
  <<: *defaults
  docker: {image: registry.example/two:((version))}
  processes: [{type: task, memory: 1G, command: bin/two}]
`})
	push := []string{"push", "--task", "-f", dir, "--var", "version=7", "--container-registry", s.registry, "--async"}
	s.has(s.refused(push...), `there is no service "db"`)
	s.has(s.refused("push", "--task", "-f", dir), "line 4: the variable ((version)) has no value")
	if apps, err := s.Kf.Apps(s.space).List(t.Context(), metav1.ListOptions{}); err != nil || len(apps.Items) != 0 {
		t.Errorf("%v %v", apps.Items, err)
	}
	maySecrets(t, s.Cluster, s.space)
	f := s.Function(t, "bind")
	s.kf("create-user-provided-service", "db", "-p", `{"uri":"postgres://db"}`, "--async")
	out, said, code := s.RunKf(t, s.space, push...)
	f.Deliver(harness.Ping("resync"))
	if code != 0 || !strings.Contains(said, "manifest.yml: line 10: routes is not heeded") {
		t.Fatalf("%d %s %s", code, out, said)
	}
	one, two := s.app("one"), s.app("two")
	if c := one.Spec.Template.Spec.Containers[0]; one.Spec.Build.Spec == nil || c.Env[0].Value != "7" || c.Resources.Requests.Memory().String() != "256Mi" {
		t.Errorf("%+v", one.Spec)
	}
	if c := two.Spec.Template.Spec.Containers[0]; two.Spec.Build.Spec != nil || *two.Spec.Build.Image != "registry.example/two:7" ||
		c.Resources.Requests.Memory().String() != "1Gi" || two.Spec.Template.StartCommand != "bin/two" {
		t.Errorf("%+v", two.Spec)
	}
	s.has(s.kf("vcap-services", "two"), "postgres://db")
}

// TestKfPushInterruptedLeavesTheBuild, and says so.
func TestKfPushInterruptedLeavesTheBuild(t *testing.T) {
	s := newSourced(t)
	s.built(func(*v1alpha1.App) string {
		return `{"buildName": "shop-build-1", "conditions": [` + condition("BuildReady", "Unknown", "Building", "") + `,` + condition("Ready", "Unknown", "Building", "") + `]}`
	})
	var out, said bytes.Buffer
	cmd := s.Command(t, s.space, "push", "shop", "--task", "-p", folder(t, map[string]string{"a": "a"}), "--container-registry", s.registry)
	told := &signalled{to: &said, at: "Build shop-build-1:", seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &out, told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told.seen:
	case <-time.After(time.Minute):
		t.Fatal("the build was not shown")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
	s.has(said.String(), "Error: no longer waiting; the build goes on.")
}

// signalled tells when a text was written.
type signalled struct {
	to   *bytes.Buffer
	at   string
	seen chan struct{}
	done bool
}

func (w *signalled) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if !w.done && strings.Contains(w.to.String(), w.at) {
		w.done = true
		close(w.seen)
	}
	return n, err
}
