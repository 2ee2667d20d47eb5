// Package golden compares the PipelineRuns that are rendered with those in testdata, for tests.
package golden

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Compare compares a run with testdata/NAME.yaml, and puts it through Tekton's own defaults and validation, which change it.
func Compare(t *testing.T, name string, run *tekton.PipelineRun) {
	t.Helper()
	got, err := yaml.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("differs from %s (go test -update writes it anew):\n%s", file, got)
	}
	run.SetDefaults(context.Background())
	if err := run.Validate(context.Background()); err != nil {
		t.Errorf("Tekton would refuse it: %v", err)
	}
}
