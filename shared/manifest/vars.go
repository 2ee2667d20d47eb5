package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Vars are the values of ((variables)): trees of YAML.
type Vars map[string]*yaml.Node

// variable is what a manifest says in place of a value, with keys of a mapping after dots, as Cloud Foundry's CLI has it.
var variable = regexp.MustCompile(`\(\(!?([-/\.\w\pL]+)\)\)`)

// AddFile reads a file of variables: a mapping of names to values. A later file counts for more than an earlier one.
func (v Vars) AddFile(text []byte) error {
	root, err := document(text)
	if err != nil {
		return err
	}
	fields, err := (&reader{budget: maxNodes}).fields(root, "a file of variables")
	if err != nil {
		return err
	}
	for _, f := range fields {
		v[f.name] = f.value
	}
	return nil
}

// Add reads NAME=VALUE, whose value is YAML, so that 3 is a number and "3" is text: to be added after the files.
func (v Vars) Add(pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || !variable.MatchString("(("+name+"))") || strings.Contains(name, "(") {
		return fmt.Errorf("%.80q: write NAME=VALUE", pair)
	}
	if value == "" {
		v[name] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
		return nil
	}
	node, err := document([]byte(value))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	v[name] = node
	return nil
}

// maxFailed is how many variables of one text are named that have no value: enough to mend, where a text of a megabyte could name all.
const maxFailed = 10

// replace puts values in place of variables, in keys too. What is one variable and nothing else becomes whatever its value is; a value is
// not looked at for variables again.
func (v Vars) replace(n *yaml.Node, r *reader) error {
	if err := r.spend(n); err != nil {
		return err
	}
	if n.Kind != yaml.ScalarNode {
		for _, c := range n.Content { // not where aliases lead, which is in the tree itself
			if err := v.replace(c, r); err != nil {
				return err
			}
		}
		return nil
	}
	if whole := variable.FindStringSubmatch(n.Value); whole != nil && whole[0] == n.Value {
		value, err := v.value(n, whole[1])
		if err != nil {
			return err
		}
		anchor := n.Anchor
		placed, err := r.placed(value, n.Line, 0)
		if err != nil {
			return err
		}
		*n = *placed
		n.Anchor = anchor
		return nil
	}
	if !variable.MatchString(n.Value) {
		return nil
	}
	var failed []error
	n.Value = variable.ReplaceAllStringFunc(n.Value, func(text string) string {
		name := variable.FindStringSubmatch(text)[1]
		value, err := v.value(n, name)
		if err == nil && value.Kind != yaml.ScalarNode {
			err = at(n, "((%s)) is %s, and stands within text", name, kind(value))
		}
		if err != nil {
			if len(failed) < maxFailed {
				failed = append(failed, err)
			}
			return ""
		}
		return value.Value
	})
	n.Tag = "!!str"
	return errors.Join(failed...)
}

// placed is a copy of a value at the line where it is put. What is wrong with it is then said of that line.
func (r *reader) placed(value *yaml.Node, line, depth int) (*yaml.Node, error) {
	value = resolve(value)
	n := *value
	n.Line, n.Anchor, n.Content = line, "", nil
	if err := r.spend(&n); err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, at(&n, "the variable's value is nested more than %d deep", maxDepth)
	}
	for _, c := range value.Content {
		one, err := r.placed(c, line, depth+1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, one)
	}
	return &n, nil
}

// value is what a variable, a name with keys after dots, stands for.
func (v Vars) value(n *yaml.Node, name string) (*yaml.Node, error) {
	if value, ok := v[name]; ok {
		return resolve(value), nil
	}
	first, keys, dotted := strings.Cut(name, ".")
	value, ok := v[first]
	if !ok || !dotted {
		return nil, at(n, "the variable ((%s)) has no value: give it one by --var %[1]s=VALUE, or in a file by --vars-file", name)
	}
	for key := range strings.SplitSeq(keys, ".") {
		fields, err := (&reader{budget: maxNodes}).fields(value, "(("+first+"))")
		if err != nil {
			return nil, at(n, "((%s)): %v", name, err)
		}
		value = nil
		for _, f := range fields {
			if f.name == key {
				value = f.value
			}
		}
		if value == nil {
			return nil, at(n, "((%s)): there is no key %q in its value", name, key)
		}
	}
	return resolve(value), nil
}
