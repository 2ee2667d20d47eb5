package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

// TestRebaseOfAnAppThatWasNeverBuilt asks for nothing that nobody would do, and does not wait for it.
func TestRebaseOfAnAppThatWasNeverBuilt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "App", "metadata": {"name": "shop"}, "spec": {"build": {"spec": {"name": "buildpackv3"}}}}`)
	}))
	defer server.Close()
	if _, said, code := kf(t, "rebase", "shop", "--kubeconfig", kubeconfig(t, server.URL), "--space", "demo"); code != 1 || !strings.Contains(said, "has no image yet") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestTwoWhoRebaseOneApp: the later is the one that is done, and is as good to who has asked first.
func TestTwoWhoRebaseOneApp(t *testing.T) {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "demo", UID: "u"}}
	app.APIVersion, app.Kind = v1alpha1.GroupVersion.String(), "App"
	app.Spec.Build.Spec = &v1alpha1.BuildSpec{BuildTaskRef: v1alpha1.BuildTaskRef{Name: v1alpha1.BuildpackV3Task}}
	app.Status.Image = "registry.example/app-demo.shop@sha256:1"
	var asked atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := app.DeepCopy()
		switch {
		case r.Method == http.MethodPatch:
			asked.Store(true)
			now.Spec.Build.RebaseRequests = 1
		case asked.Load(): // somebody else has asked since, and been first
			now.Spec.Build.RebaseRequests = 2
			now.Status.RebaseName = build.RebaseName(now)
			now.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionBuildReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRebased}}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(now); err != nil {
			t.Error(fmt.Errorf("answer: %w", err))
		}
	}))
	defer server.Close()
	out, said, code := kf(t, "rebase", "shop", "--kubeconfig", kubeconfig(t, server.URL), "--space", "demo")
	if code != 0 || !strings.Contains(out, "App shop has the image "+app.Status.Image) {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
}
