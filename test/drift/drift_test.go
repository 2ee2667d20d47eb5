// Package drift compares things that are written in two places.
package drift

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

func read(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{harness.Root()}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func functions(t *testing.T) (names []string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(harness.Root(), "functions", "*", "main.go"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no functions found", err)
	}
	for _, d := range dirs {
		names = append(names, filepath.Base(filepath.Dir(d)))
	}
	return names
}

func TestNoFunctionImportsAnother(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./functions/...", "./shared/...")
	cmd.Dir = harness.Root()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		for _, imported := range f[1:] {
			if strings.Contains(imported, "kf-tasks/functions/") {
				t.Errorf("%s imports %s", f[0], imported)
			}
		}
	}
}

var triggerType = regexp.MustCompile(`type: ([a-z0-9.]+)`)

func TestTriggersFilterOnTypesOfTheCatalogue(t *testing.T) {
	known := append(slices.Collect(maps.Keys(events.Catalogue)),
		events.ResourceAdded, events.ResourceUpdated, events.ResourceDeleted, events.Ping)
	files, _ := filepath.Glob(filepath.Join(harness.Root(), "config", "sources", "trigger-*.yaml"))
	if len(files) == 0 {
		t.Fatal("no Triggers found")
	}
	for _, f := range files {
		for _, m := range triggerType.FindAllStringSubmatch(read(t, "config", "sources", filepath.Base(f)), -1) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s filters on %s, which shared/events does not have", filepath.Base(f), m[1])
			}
		}
	}
}

var setting = regexp.MustCompile("envconfig:\"([A-Z_]+)\"")

// TestSettingsAreDocumented: a setting stands in the function's README; one that has no default also in its YAML.
func TestSettingsAreDocumented(t *testing.T) {
	for _, name := range functions(t) {
		sources, _ := filepath.Glob(filepath.Join(harness.Root(), "functions", name, "*.go"))
		readme := read(t, "functions", name, "README.md")
		for _, s := range sources {
			for _, m := range setting.FindAllStringSubmatch(read(t, "functions", name, filepath.Base(s)), -1) {
				if !strings.Contains(readme, m[1]) {
					t.Errorf("functions/%s/README.md does not mention the setting %s", name, m[1])
				}
			}
		}
	}
}

func TestEveryFunctionHasItsPlaceInTheCluster(t *testing.T) {
	for _, name := range functions(t) {
		for _, dir := range []string{"knative", "rbac"} {
			read(t, "config", dir, name+".yaml")
			if !strings.Contains(read(t, "config", dir, "kustomization.yaml"), "- "+name+".yaml") {
				t.Errorf("config/%s/kustomization.yaml does not list %s.yaml", dir, name)
			}
		}
		if !strings.Contains(read(t, "README.md"), "functions/"+name) {
			t.Errorf("README.md does not mention functions/%s", name)
		}
	}
}
