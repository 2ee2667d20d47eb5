package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/docs/page"
)

// schema is what a CustomResourceDefinition says of a field.
type schema struct {
	Type        string
	Format      string
	Description string
	Default     any
	Enum        []any
	Minimum     *float64
	Maximum     *float64
	MinLength   *int64
	MaxLength   *int64
	MinItems    *int64
	MaxItems    *int64
	Required    []string
	Properties  map[string]*schema
	Items       *schema
	IntOrString bool `json:"x-kubernetes-int-or-string"`
	Rules       []struct {
		Message string
	} `json:"x-kubernetes-validations"`
	AdditionalProperties *schema
}

// fields are a page for each kind, by its CustomResourceDefinition.
func fields(root string) (pages []*page.Page, err error) {
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "kf.dev_*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("there are no CustomResourceDefinitions")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		var crd struct {
			Spec struct {
				Names    struct{ Kind, Plural string }
				Scope    string
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema *schema }
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		kind, of := crd.Spec.Names.Kind, crd.Spec.Versions[0]
		var b strings.Builder
		plural := crd.Spec.Names.Plural
		where := map[string]string{"Cluster": "in no namespace", "Namespaced": "in a namespace"}[crd.Spec.Scope]
		fmt.Fprintf(&b, "# Fields of %s\n\n`%s.kf.dev`, version `%s`, %s. `kubectl explain %s.kf.dev.spec` says the same.\n\n%s\n",
			kind, plural, of.Name, where, plural, prose(of.Schema.OpenAPIV3Schema.Description))
		rules(&b, "", of.Schema.OpenAPIV3Schema)
		for _, part := range []string{"spec", "status"} {
			fmt.Fprintf(&b, "\n## %s of %s\n", part, kind)
			rules(&b, "", of.Schema.OpenAPIV3Schema.Properties[part])
			b.WriteString("\n| field | type | says | bounds | default |\n| --- | --- | --- | --- | --- |\n")
			rows(&b, part, of.Schema.OpenAPIV3Schema.Properties[part])
		}
		pages = append(pages, makePage(strings.ToLower(kind), b.String()))
	}
	return pages, nil
}

func rules(b *strings.Builder, at string, s *schema) {
	for _, r := range s.Rules {
		fmt.Fprintf(b, "\n- %s%s", at, prose(r.Message))
	}
	b.WriteString("\n")
}

// theirs are fields of Kubernetes' own types: `kubectl explain` has what is below them.
var theirs = []string{"spec.template.spec", "valueFrom", "spec.build.spec.env", "conditions", "appRef", "sourcePackage", "active"}

func rows(b *strings.Builder, at string, of *schema) {
	for _, name := range sorted(of.Properties) {
		field, path := of.Properties[name], at+"."+name
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", path, field.kind(), prose(field.Description), field.bounds(),
			field.unset(slices.Contains(of.Required, name)))
		if slices.ContainsFunc(theirs, func(t string) bool { return path == t || strings.HasSuffix(path, "."+t) }) {
			continue
		}
		rows(b, path, field)
		if field.Items != nil {
			rows(b, path+"[]", field.Items)
		}
	}
}

func sorted(properties map[string]*schema) (names []string) {
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *schema) kind() string {
	switch {
	case s.IntOrString:
		return "integer or string"
	case s.Items != nil:
		return "list of " + cmp.Or(s.Items.Type, "any")
	case s.AdditionalProperties != nil:
		return "map"
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

func (s *schema) unset(required bool) string {
	switch {
	case s.Default != nil:
		b, err := json.Marshal(s.Default)
		if err != nil {
			return ""
		}
		return code(string(b))
	case required:
		return "required"
	}
	return ""
}

// bounds are what the API server holds the field to, in a few words.
func (s *schema) bounds() string {
	var all []string
	for _, e := range s.Enum {
		all = append(all, code(fmt.Sprint(e)))
	}
	if len(all) > 0 {
		return strings.Join(all, ", ")
	}
	for _, bound := range []struct {
		text string
		of   *float64
	}{{"from %.0f", s.Minimum}, {"to %.0f", s.Maximum}} {
		if bound.of != nil {
			all = append(all, fmt.Sprintf(bound.text, *bound.of))
		}
	}
	for _, bound := range []struct {
		text string
		of   *int64
	}{
		{"at least %d characters", s.MinLength}, {"at most %d characters", s.MaxLength},
		{"at least %d", s.MinItems}, {"at most %d", s.MaxItems},
	} {
		if bound.of != nil {
			all = append(all, fmt.Sprintf(bound.text, *bound.of))
		}
	}
	for _, r := range s.Rules {
		all = append(all, prose(r.Message))
	}
	return strings.Join(all, "; ")
}
