package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// cnbBuildpacks is where a builder image has its buildpacks: ID, with "_" for "/", and version (buildpacks/spec, platform.md).
const cnbBuildpacks = "/cnb/buildpacks"

// writeOrder writes the order that uses just these buildpacks, in this order. A version that is not named is the builder's newest: only
// in the builder image is it known which those are.
func writeOrder(to, dir string, ids []string) error {
	var b strings.Builder
	b.WriteString("[[order]]\n")
	for _, each := range ids {
		id, version, named := strings.Cut(each, "@")
		there, err := versions(dir, id)
		if err != nil {
			return err
		}
		switch {
		case len(there) == 0:
			return fmt.Errorf("the builder has no buildpack %s: it has %s", id, strings.Join(known(dir), ", "))
		case !named:
			version = there[len(there)-1]
		case !slices.Contains(there, version):
			return fmt.Errorf("the builder has no buildpack %s: of %s it has %s", each, id, strings.Join(there, ", "))
		}
		fmt.Fprintf(&b, "[[order.group]]\nid = %q\nversion = %q\n", id, version)
	}
	return os.WriteFile(to, []byte(b.String()), 0o644)
}

// versions of a buildpack, the newest last.
func versions(dir, id string) (all []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, strings.ReplaceAll(id, "/", "_")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			all = append(all, e.Name())
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		v, err := version.ParseGeneric(a)
		if err == nil {
			if c, err := v.Compare(b); err == nil && c != 0 {
				return c
			}
		}
		return strings.Compare(a, b)
	})
	return all, nil
}

func known(dir string) (ids []string) {
	entries, _ := os.ReadDir(dir) // none: then it has none
	for _, e := range entries {
		ids = append(ids, strings.ReplaceAll(e.Name(), "_", "/"))
	}
	return ids
}
