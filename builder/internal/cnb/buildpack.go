package cnb

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// Buildpack is one that lies in a folder.
type Buildpack struct {
	ID, Version, Name string

	dir string
}

// Buildpacks reads those in the folders of a folder.
func Buildpacks(dir string) (packs []Buildpack, _ error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "buildpack.toml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no folder with a buildpack.toml", dir)
	}
	for _, f := range files {
		var descriptor struct{ Buildpack Buildpack }
		if _, err := toml.DecodeFile(f, &descriptor); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		p := descriptor.Buildpack
		if p.ID == "" || p.Version == "" {
			return nil, fmt.Errorf("%s: a buildpack has an id and a version", f)
		}
		p.dir = filepath.Dir(f)
		packs = append(packs, p)
	}
	return packs, nil // in the order of Glob, which is that of their names
}

// folder is where the lifecycle looks for it.
func (b Buildpack) folder() string {
	return "/cnb/buildpacks/" + strings.ReplaceAll(b.ID, "/", "_") + "/" + b.Version
}
