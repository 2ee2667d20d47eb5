package drift

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// field is what a CustomResourceDefinition says of one field.
type field struct {
	Type        string
	Description string
	Default     any
	Enum        []any
	IntOrString bool `json:"x-kubernetes-int-or-string"`
	Required    []string
	Properties  map[string]*field
	Items       *field
}

// crds are the schemas of our kinds, by the file that has them.
func crds(t *testing.T) map[string]*field {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(harness.Root(), "config", "crd", "kf.dev_*.yaml"))
	all := map[string]*field{}
	for _, f := range files {
		var crd struct {
			Spec struct {
				Versions []struct {
					Schema struct{ OpenAPIV3Schema *field }
				}
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, "config", "crd", filepath.Base(f))), &crd); err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	if len(all) < 5 {
		t.Fatalf("only %d CRDs", len(all))
	}
	return all
}

// theirs are fields of Kubernetes' own types: what is below them is documented there.
var theirs = []string{"spec.template.spec", "valueFrom", "spec.build.spec.env", "conditions", "appRef", "sourcePackage", "active", "metadata",
	"secretKeyRef", "instanceRef", "parametersFrom"}

// each calls visit with the path of every field of ours, and whether its object must have it.
func (f *field) each(path string, visit func(path string, f *field, required bool)) {
	for name, p := range f.Properties {
		at := strings.TrimPrefix(path+"."+name, ".")
		visit(at, p, slices.Contains(f.Required, name))
		if slices.ContainsFunc(theirs, func(t string) bool { return at == t || strings.HasSuffix(at, "."+t) }) {
			continue
		}
		p.each(at, visit)
		if p.Items != nil {
			p.Items.each(at, visit)
		}
	}
}

var (
	example = regexp.MustCompile(`(?i)such\s+as|e\.g\.`)
	leftOut = regexp.MustCompile(`(?i)left\s+out|default`)
)

// TestEveryFieldIsExplained: `kubectl explain` teaches. Each field says what it is; one that a user writes has an example where it is no choice of
// words, and what holds where it is left out.
func TestEveryFieldIsExplained(t *testing.T) {
	fields := 0
	for file, schema := range crds(t) {
		schema.each("", func(path string, f *field, required bool) {
			fields++
			switch {
			case path == "apiVersion" || path == "kind" || path == "metadata":
			case f.Description == "":
				t.Errorf("%s: %s has no description: write its doc comment in shared/api/v1alpha1, then make generate", file, path)
			case !strings.HasPrefix(path, "spec.") || slices.ContainsFunc(theirs, func(t string) bool { return strings.HasSuffix(path, "."+t) }):
			case strings.Contains(f.Description, "and refused"): // of Kf's, and nobody writes it here
			case f.Properties != nil || f.Items != nil && f.Items.Properties != nil:
			case f.Type != "boolean" && f.Enum == nil && !example.MatchString(f.Description):
				t.Errorf("%s: %s has no example: write \"such as ...\" into its doc comment, then make generate", file, path)
			case !required && f.Default == nil && !leftOut.MatchString(f.Description):
				t.Errorf("%s: %s does not say what holds when it is left out: write it into its doc comment, then make generate", file, path)
			}
		})
	}
	if fields < 150 {
		t.Errorf("only %d fields found", fields)
	}
}

// TestNoRuleHasAQuoteOfProse: gofmt makes one such of two apostrophes in a comment, also where they are the empty string of a rule, and no API server takes that.
func TestNoRuleHasAQuoteOfProse(t *testing.T) {
	for file := range crds(t) {
		if strings.ContainsAny(read(t, "config", "crd", file), "“”") {
			t.Errorf("config/crd/%s has “ or ”: write the empty string of a rule as \"\", and the rule in backquotes", file)
		}
	}
}
