// Package manifest reads Cloud Foundry's manifest.yml, as far as it concerns Apps that are there for their Tasks. What Cloud Foundry knows
// and such an App has no use for is named in a warning; what nobody knows is an error. Both say the line.
package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSize bounds a manifest and a file of variables, in bytes.
const MaxSize = 1 << 20

// Manifest is what a manifest says.
type Manifest struct {
	Applications []Application
	// Warnings name what is not heeded: "line 7: ...".
	Warnings []string
}

// Application is one App. What is not said of it is empty, or nil.
type Application struct {
	Line int
	Name string
	// Path is the folder of its source, relative to the manifest's.
	Path string
	// Env are variables as written, sorted by name.
	Env []Variable
	// Memory, Disk and CPU are amounts in Cloud Foundry's units, CPU in Kubernetes': Kf has it.
	Memory, Disk, CPU string
	// Command is the start command; "" is the image's own again (null or default).
	Command     *string
	Services    []Service
	Buildpacks  []string
	Stack       string
	DockerImage string
}

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// Service is one to bind, by the name that the App finds it under, if that is another than its own.
type Service struct{ Name, BindingName string }

// Parse reads a manifest. Its ((variables)) are replaced by vars, which ReadVars reads.
func Parse(text []byte, vars Vars) (*Manifest, error) {
	root, err := document(text)
	if err != nil {
		return nil, err
	}
	r := &reader{budget: maxNodes}
	if err := vars.replace(root, r); err != nil {
		return nil, err
	}
	if err := r.manifest(root); err != nil {
		return nil, err
	}
	return &r.Manifest, nil
}

// document is the one document of a text.
func document(text []byte) (*yaml.Node, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		return nil, errors.New("it is empty")
	} else if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document in it (---)")
	}
	return doc.Content[0], nil
}

// Bounds of what is read: an alias can say much in few bytes.
const (
	maxNodes = 200_000
	maxDepth = 100
)

// reader reads a manifest's nodes.
type reader struct {
	Manifest
	budget int
}

func at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %w", n.Line, fmt.Errorf(format, args...))
}

func (r *reader) warn(n *yaml.Node, format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf("line %d: ", n.Line)+fmt.Sprintf(format, args...))
}

// manifest reads the top. Keys of one's own are there for anchors, which Cloud Foundry's users keep there.
func (r *reader) manifest(root *yaml.Node) error {
	fields, err := r.fields(root, "the manifest")
	if err != nil {
		return err
	}
	var applications *yaml.Node
	for _, f := range fields {
		switch {
		case f.name == "applications":
			applications = f.value
		case f.name == "version":
			if version, err := r.text(f); err != nil || version != "1" {
				return at(f.key, "version can be 1")
			}
		case f.name == "inherit":
			return at(f.key, "Cloud Foundry has no inherit any more: write what is inherited, or use an anchor")
		case !anchored(f.value):
			return at(f.key, "unknown key %q: the manifest has applications, and keys with an anchor (&name) to be used in them", f.name)
		}
	}
	if applications == nil {
		return at(root, "it has no applications")
	}
	list, err := r.list(applications, "applications")
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return at(applications, "it has no applications")
	}
	lines := map[string]int{}
	for _, n := range list {
		app, err := r.application(n)
		if err != nil {
			return err
		}
		if line, twice := lines[app.Name]; twice {
			return at(n, "the App %q stands at line %d already", app.Name, line)
		}
		lines[app.Name] = app.Line
		r.Applications = append(r.Applications, app)
	}
	return nil
}

// anchored says whether a node has an anchor in it.
func anchored(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, anchored)
}
