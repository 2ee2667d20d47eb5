package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAShellCompletesNames: of what the argument names, in the Space that the line names.
func TestAShellCompletesNames(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": [`+
			`{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "of`+strings.ReplaceAll(r.URL.Path, "/", "-")+`"}}]}`)
	}))
	defer server.Close()
	config := kubeconfig(t, server.URL)
	for line, want := range map[string]string{
		"tasks|":        "of-apis-kf.dev-v1alpha1-namespaces-demo-apps",
		"run-job|":      "of-apis-kf.dev-v1alpha1-namespaces-demo-taskschedules",
		"logs|":         "of-apis-kf.dev-v1alpha1-namespaces-demo-tasks",
		"apps|--space|": "of-api-v1-namespaces",
		"apps|-o|":      "jsonpath=",
	} {
		out, said, code := kf(t, append([]string{"__complete", "--kubeconfig", config, "--space", "demo"}, strings.Split(line, "|")...)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, want %s\n%s%s", line, code, want, out, said)
		}
	}
}
