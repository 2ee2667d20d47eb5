package build

import (
	"os"
	"slices"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestTheExampleOfATaskOfOnesOwn is one that Tekton takes, and that keeps to what docs/build.md asks of it.
func TestTheExampleOfATaskOfOnesOwn(t *testing.T) {
	b, err := os.ReadFile("../../config/examples/build-append.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var task tekton.Task
	if err := yaml.UnmarshalStrict(b, &task); err != nil {
		t.Fatal(err)
	}
	task.SetDefaults(t.Context())
	if err := task.Validate(t.Context()); err != nil {
		t.Errorf("Tekton would refuse it: %v", err)
	}
	var params, results []string
	for _, p := range task.Spec.Params {
		params = append(params, p.Name)
	}
	for _, r := range task.Spec.Results {
		results = append(results, r.Name)
	}
	for _, p := range []string{v1alpha1.ParamSourceImage, v1alpha1.ParamDestinationImage} {
		if !slices.Contains(params, p) {
			t.Errorf("it lacks the parameter %s", p)
		}
	}
	if !slices.Contains(results, ResultDigest) || !slices.Contains(results, ResultLog) {
		t.Errorf("results %v", results)
	}
}
