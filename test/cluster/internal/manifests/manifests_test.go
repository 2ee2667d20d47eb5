package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRewrite(t *testing.T) {
	got := Rewrite(`image: ko://knative.dev/eventing/cmd/webhook
args: ["-shell-image", "cgr.dev/chainguard/busybox@sha256:19f02276bf8dbdd62f069b922f10c65262cc34b710eea26ff928129a736be791"]
value: "ko://knative.dev/eventing/cmd/webhook"
keep: registry.example/other:1
resources:
  requests:
    # Tuned to something.
    cpu: 300m
    memory: 60Mi
  limits:
    cpu: 600m
`, "shell:latest")
	for _, gone := range []string{"ko://", "cgr.dev"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is still in\n%s", gone, got)
		}
	}
	for _, want := range []string{`"shell:latest"`, "registry.example/other:1", "    cpu: 50m\n", "    cpu: 600m\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

func TestRender(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "kind: A", "b-hpa.yaml": "kind: HPA", "c-left-out.yaml": "kind: C"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	find := func(string) (string, error) { return dir, nil }
	set := Set{Name: "s", Patterns: map[string][]string{"m": {"*.yaml"}}, Without: []string{"left-out"}}
	if got, err := Render(set, find, "shell"); err != nil || got != "---\nkind: A\n" {
		t.Errorf("%q %v", got, err)
	}
	// A module whose files have moved must not pass for one with nothing to apply.
	set.Patterns["m"] = append(set.Patterns["m"], "moved/*.yaml")
	if _, err := Render(set, find, "shell"); err == nil || !strings.Contains(err.Error(), "moved/*.yaml") {
		t.Errorf("a pattern that finds nothing: %v", err)
	}
}
