// crd FILE FIELD takes the documentation of all that is below a field out of a CustomResourceDefinition. An App has a PodSpec: with its
// documentation it is larger than what kubectl apply can note on an object, and `kubectl explain pod.spec` has that already.
package main

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: crd FILE FIELD, such as spec.template.spec")
		os.Exit(2)
	}
	if err := shorten(os.Args[1], strings.Split(os.Args[2], ".")); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func shorten(file string, path []string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd map[string]any
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	for _, version := range crd["spec"].(map[string]any)["versions"].([]any) {
		field := version.(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
		for _, name := range path {
			properties, _ := field["properties"].(map[string]any)
			below, is := properties[name].(map[string]any)
			if !is {
				return fmt.Errorf("there is no field %s", strings.Join(path, "."))
			}
			field = below
		}
		undescribe(field["properties"])
	}
	text, err = yaml.Marshal(crd)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte("---\n"), text...), 0o644)
}

// undescribe takes descriptions out of a schema's properties and of what is below them. A property may itself be called description.
func undescribe(properties any) {
	all, _ := properties.(map[string]any)
	for _, p := range all {
		schema(p)
	}
}

func schema(s any) {
	of, is := s.(map[string]any)
	if !is {
		return
	}
	delete(of, "description")
	undescribe(of["properties"])
	schema(of["items"])
	schema(of["additionalProperties"])
}
