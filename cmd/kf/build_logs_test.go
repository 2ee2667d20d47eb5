package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBuildLogsShowsTheStepsInTheirOrder: one after the other, not those that never ran, and what colours the builder has stay behind.
func TestBuildLogsShowsTheStepsInTheirOrder(t *testing.T) {
	steps := []struct{ name, log, state string }{
		{"source", "unpacked 3 files", `{"terminated": {"exitCode": 0}}`},
		{"detect", "no group \x1b[31mpassed", `{"terminated": {"exitCode": 20}}`},
		{"build", "", `{"terminated": {"exitCode": 1, "message": "[{\"key\":\"Reason\",\"value\":\"Skipped\",\"type\":3}]"}}`},
	}
	var containers, statuses []string
	for _, s := range steps {
		containers = append(containers, fmt.Sprintf(`{"name": "step-%s"}`, s.name))
		statuses = append([]string{fmt.Sprintf(`{"name": "step-%s", "state": %s}`, s.name, s.state)}, statuses...) // as the kubelet, in another order
	}
	pod := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop-build-1-pod", "uid": "1"}, "spec": {"containers": [%s, {"name": "sidecar"}]}, "status": {"containerStatuses": [%s]}}`,
		strings.Join(containers, ","), strings.Join(statuses, ","))
	run := `{"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": {"name": "shop-build-1"}, "status": {"conditions": [{"type": "Succeeded", "status": "False", "reason": "Failed", "message": "Tasks Completed: 1"}]}}`
	list := func(kind string, items ...string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": %q, "metadata": {}, "items": [%s]}`, kind, strings.Join(items, ","))
	}
	answers := map[string]string{
		"/apis/kf.dev/v1alpha1/namespaces/demo/apps/shop":               `{"apiVersion": "kf.dev/v1alpha1", "kind": "App", "metadata": {"name": "shop"}}`,
		"/apis/tekton.dev/v1/namespaces/demo/pipelineruns":              list("PipelineRunList", run),
		"/apis/tekton.dev/v1/namespaces/demo/pipelineruns/shop-build-1": run,
		"/apis/tekton.dev/v1/namespaces/demo/taskruns":                  list("TaskRunList"),
		"/api/v1/namespaces/demo/pods":                                  list("PodList", pod),
		"/api/v1/namespaces/demo/pods/shop-build-1-pod":                 pod,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/log") {
			for _, s := range steps {
				if r.URL.Query().Get("container") == "step-"+s.name && s.log != "" {
					_, _ = io.WriteString(w, "2026-03-01T12:00:00.000000001Z "+s.log+"\n")
				}
			}
			return
		}
		answer, has := answers[r.URL.Path]
		if !has {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	for _, follow := range []string{"--follow=false", "--follow"} {
		out, said, code := kf(t, "build-logs", "shop", "--kubeconfig", kubeconfig(t, server.URL), "--space", "demo", follow)
		if code != 0 || out != "unpacked 3 files\nno group passed\n" {
			t.Errorf("%s: exit code %d\n%q", follow, code, out)
		}
		want := "[kf] step source\n[kf] step detect\n[kf] step detect: exit code 20\n[kf] build shop-build-1: Failed: Tasks Completed: 1\n"
		if said != want {
			t.Errorf("%s: it says\n%s\nwant\n%s", follow, said, want)
		}
	}
}
