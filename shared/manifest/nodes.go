package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one key of a mapping with its value, which no alias is.
type field struct {
	name       string
	key, value *yaml.Node
}

// resolve is what an alias stands for, or the node itself.
func resolve(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return n
}

func null(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// spend bounds what is read: aliases of aliases would be read for ever, or nearly.
func (r *reader) spend(n *yaml.Node) error {
	if r.budget--; r.budget < 0 {
		return at(n, "its aliases and merges say too much: it can have %d keys and items", maxNodes)
	}
	return nil
}

// fields are the keys of a mapping. Those that are merged (<<, yaml.org/type/merge.html) count where the mapping does not have them itself,
// and of several mappings the earlier.
func (r *reader) fields(n *yaml.Node, what string) ([]field, error) {
	return r.merged(n, what, 0)
}

func (r *reader) merged(n *yaml.Node, what string, depth int) (fields []field, err error) {
	m := resolve(n)
	if m.Kind != yaml.MappingNode {
		return nil, at(n, "%s has to be a mapping (key: value), and is %s", what, kind(m))
	}
	if depth > maxDepth {
		return nil, at(n, "merges are nested more than %d deep", maxDepth)
	}
	var merges []*yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if err := r.spend(key); err != nil {
			return nil, err
		}
		name := resolve(key)
		if name.Kind != yaml.ScalarNode || null(name) {
			return nil, at(key, "a key has to be text, and is %s", kind(name))
		}
		if line, twice := lines[name.Value]; twice {
			return nil, at(key, "%s stands at line %d already", name.Value, line)
		}
		lines[name.Value] = key.Line
		if name.Tag == "!!merge" {
			merges = append(merges, value)
			continue
		}
		fields = append(fields, field{name.Value, key, resolve(value)})
	}
	for _, merge := range merges {
		from := []*yaml.Node{merge}
		if list := resolve(merge); list.Kind == yaml.SequenceNode {
			from = list.Content
		}
		for _, one := range from {
			more, err := r.merged(one, "what is merged (<<)", depth+1)
			if err != nil {
				return nil, err
			}
			for _, f := range more {
				if _, own := lines[f.name]; !own {
					lines[f.name] = f.key.Line
					fields = append(fields, f)
				}
			}
		}
	}
	return fields, nil
}

// list are the items of a sequence; null has none.
func (r *reader) list(n *yaml.Node, what string) ([]*yaml.Node, error) {
	l := resolve(n)
	if null(l) {
		return nil, nil
	}
	if l.Kind != yaml.SequenceNode {
		return nil, at(n, "%s has to be a list (- item), and is %s", what, kind(l))
	}
	for _, item := range l.Content {
		if err := r.spend(item); err != nil {
			return nil, err
		}
	}
	return l.Content, nil
}

// text is a scalar as it is written.
func (r *reader) text(f field) (string, error) {
	n := resolve(f.value)
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", at(f.key, "%s has to be text, and is %s", f.name, kind(n))
	case null(n):
		return "", at(f.key, `%s has no value: leave it out, or write "" where nothing is meant`, f.name)
	case f.name != "command" && strings.TrimSpace(n.Value) == "" && essential[f.name]:
		return "", at(f.key, "%s is empty", f.name)
	}
	return n.Value, nil
}

// essential are keys whose empty value says nothing.
var essential = map[string]bool{
	"name": true, "path": true, "memory": true, "disk_quota": true, "disk-quota": true, "cpu": true, "stack": true,
	"image": true, "type": true, "a service": true, "buildpack": true, "an item of buildpacks": true,
}

func (r *reader) texts(f field) (texts []string, err error) {
	list, err := r.list(f.value, f.name)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		one, err := r.text(field{"an item of " + f.name, n, n})
		if err != nil {
			return nil, err
		}
		texts = append(texts, one)
	}
	return texts, nil
}

// kind says what a node is, to people.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case null(n):
		return "nothing"
	}
	return "text"
}
