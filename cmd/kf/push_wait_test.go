package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// building plays an API server with an App whose build ends once its log has been asked for.
type building struct {
	mu      sync.Mutex
	read    bool
	outcome string // conditions of the App at its end
}

func (b *building) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		b.read = true
		_, _ = io.WriteString(w, "2026-11-23T12:00:00.000000000Z compiling\x1b[2J\n2026-11-23T12:00:00.100000000Z done\n")
	case strings.HasSuffix(r.URL.Path, "/pods"):
		fmt.Fprintf(w, `{"apiVersion": "v1", "kind": "PodList", "items": [%s]}`, pod)
	case strings.Contains(r.URL.Path, "/pods/"):
		_, _ = io.WriteString(w, pod)
	default:
		status := `{"observedGeneration": 1, "buildName": "shop-build-1", "conditions": [{"type": "BuildReady", "status": "Unknown", "reason": "Building"}]}`
		if b.read {
			status = b.outcome
		}
		fmt.Fprintf(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "App", "metadata": {"name": "shop", "namespace": "demo", "generation": 1}, "status": %s}`, status)
	}
}

const pod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "demo", "uid": "1"},
  "spec": {"containers": [{"name": "step-build"}]},
  "status": {"containerStatuses": [{"name": "step-build", "state": {"terminated": {"containerID": "c", "exitCode": 0}}}]}}`

// TestABuildIsShownToItsEnd: its log, which does nothing on a terminal, and then the image, or why there is none, without the lines that were shown.
func TestABuildIsShownToItsEnd(t *testing.T) {
	for name, c := range map[string]struct{ outcome, image, err string }{
		"built": {`{"observedGeneration": 1, "buildName": "shop-build-1", "image": "i@sha256:1", "conditions": [{"type": "BuildReady", "status": "True"}, {"type": "Ready", "status": "True"}]}`,
			"i@sha256:1", ""},
		"failed": {`{"observedGeneration": 1, "buildName": "shop-build-1", "conditions": [
			{"type": "BuildReady", "status": "False", "reason": "BuildFailed", "message": "build: exit code 51\ndone"}]}`,
			"", "the build shop-build-1 of App shop failed: BuildFailed: build: exit code 51"},
	} {
		server := httptest.NewServer(&building{outcome: c.outcome})
		t.Cleanup(server.Close)
		var out, said bytes.Buffer
		cfg := &rest.Config{Host: server.URL, QPS: -1}
		kf, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		o := &push{name: "shop", target: &target{screen: screen{&out, &said}, space: "demo", cfg: cfg, kf: kf}}
		image, err := o.built(t.Context(), &metav1.ObjectMeta{Name: "shop", Generation: 1})
		if image != c.image || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %q %v", name, image, err)
		}
		if out.String() != "build | compiling^[[2J\nbuild | done\n" || said.String() != "Build shop-build-1:\n" {
			t.Errorf("%s: %q %q", name, out.String(), said.String())
		}
	}
}

// TestABuildThatIsNotWaitedForGoesOn.
func TestABuildThatIsNotWaitedForGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "/pods") {
			_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "PodList", "items": []any{}})
			cancel()
			return
		}
		(&building{}).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	var out, said bytes.Buffer
	o := &push{name: "shop", target: &target{screen: screen{&out, &said}, space: "demo", cfg: &rest.Config{Host: server.URL, QPS: -1}}}
	_, err := o.built(ctx, &metav1.ObjectMeta{Name: "shop", Generation: 1})
	if err == nil || !strings.HasPrefix(err.Error(), "no longer waiting; the build goes on.") {
		t.Errorf("%v %s", err, said.String())
	}
}

// TestALastBuildThatFailed is known by the build, whatever became of the App since; one that is gone has not failed.
func TestALastBuildThatFailed(t *testing.T) {
	for status, want := range map[string]bool{"True": false, "False": true, "Unknown": false, "": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if status == "" || r.URL.Path != "/apis/tekton.dev/v1/namespaces/demo/pipelineruns/shop-build-1" {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}`)
				return
			}
			fmt.Fprintf(w, `{"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": {"name": "shop-build-1"},
			  "status": {"conditions": [{"type": "Succeeded", "status": %q, "reason": "R"}]}}`, status)
		}))
		t.Cleanup(server.Close)
		o := &push{name: "shop", target: &target{space: "demo", cfg: &rest.Config{Host: server.URL, QPS: -1}}}
		app := &v1alpha1.App{}
		app.Status.BuildName = "shop-build-1"
		if failed, err := o.lastBuildFailed(t.Context(), app); failed != want || err != nil {
			t.Errorf("%q: %t %v", status, failed, err)
		}
	}
}
