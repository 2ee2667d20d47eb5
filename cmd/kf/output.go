package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// output is the form of a list, in kubectl's words: "" (a table), wide, json, yaml, name, or jsonpath=TEMPLATE.
type output string

var outputs = []string{"wide", "json", "yaml", "name", "jsonpath="}

func (o *output) flag(c *cobra.Command) {
	c.Flags().StringVarP((*string)(o), "output", "o", "", "wide, json, yaml, name or jsonpath=TEMPLATE; a table when left out")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

func (o output) check() error {
	if template, is := strings.CutPrefix(string(o), "jsonpath="); is {
		return jsonpath.New("output").Parse(template)
	}
	if o == "" || o != "jsonpath=" && slices.Contains(outputs, string(o)) {
		return nil
	}
	return fmt.Errorf("--output %s: it can be wide, json, yaml, name, or jsonpath='{.items[*].metadata.name}'", string(o))
}

// whole says that the objects themselves are asked for, not a table of them.
func (o output) whole() bool { return o != "" && o != "wide" }

// objects writes the objects of a list as they are, but for managedFields, which kubectl leaves out too.
func (t *target) objects(ctx context.Context, l listing) error {
	d, err := dynamic.NewForConfig(t.cfg)
	if err != nil {
		return err
	}
	items := []any{}
	namespace := t.space
	if l.everywhere {
		namespace = ""
	}
	of := d.Resource(v1alpha1.GroupVersion.WithResource(l.resource)).Namespace(namespace)
	for o, err := range client.All[*unstructured.Unstructured](ctx, of, l.which) {
		if err != nil {
			return err
		}
		unstructured.RemoveNestedField(o.Object, "metadata", "managedFields")
		items = append(items, o.Object)
	}
	return t.show(l.output, items)
}

// present writes a table that no kind of the API server is behind, in any form: as objects, a column is a field.
func (t *target) present(o output, kind string, table [][]string) error {
	if !o.whole() {
		return t.table(table)
	}
	items := []any{}
	for _, row := range table[1:] {
		item := map[string]any{"apiVersion": "cli.kf.dev/v1", "kind": kind, "metadata": map[string]any{"name": row[0]}}
		for i, cell := range row {
			field := strings.ReplaceAll(table[0][i], " ", "")
			item[strings.ToLower(field[:1])+field[1:]] = cell
		}
		items = append(items, item)
	}
	return t.show(o, items)
}

// show writes what a list holds in a form that programs read. Text that would act on a terminal is escaped where the
// form has a way to, which leaves it what it is to a program, and shown otherwise.
func (t *target) show(o output, items []any) error {
	list := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
	switch template, isPath := strings.CutPrefix(string(o), "jsonpath="); {
	case isPath:
		path := jsonpath.New("output").AllowMissingKeys(true)
		if err := path.Parse(template); err != nil {
			return err
		}
		var text strings.Builder
		if err := path.Execute(&text, list); err != nil {
			return err
		}
		t.document(text.String())
	case o == "name":
		for _, item := range items {
			object := unstructured.Unstructured{Object: item.(map[string]any)}
			t.printf("%s.%s/%s\n", strings.ToLower(object.GetKind()), object.GroupVersionKind().Group, object.GetName())
		}
	default:
		b, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		doc := escaped(string(b)) + "\n"
		if y, err := yaml.JSONToYAML([]byte(doc)); o == "yaml" && err == nil && escaped(string(y)) == string(y) {
			doc = string(y)
		} // else it stays JSON, which all that reads YAML reads
		t.document(doc)
	}
	return nil
}

// escaped is JSON whose strings have nothing in them that acts on a terminal: \u escapes say the same to a program.
func escaped(doc string) string {
	var b []byte
	for _, r := range doc {
		if r == '\n' || inert.Line(string(r)) == string(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b = fmt.Appendf(b, `\u%04x`, unit)
		}
	}
	return string(b)
}
