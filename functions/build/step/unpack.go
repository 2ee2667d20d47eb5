package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kf-tasks/kf-tasks/shared/registry"
)

const (
	// sourceDir is where the source is in its image, as Kf's CLI puts it there.
	sourceDir = "/var/run/kontext"
	// maxSource is how many bytes a source may have, and maxFiles how many files: the node's disk is everybody's.
	maxSource = 4 << 30
	maxFiles  = 500_000
)

// unpack writes the source of an image into a directory, and returns how many files that is. Nothing is written outside of it, whatever
// names and links the source has: os.Root follows none that leads out.
func unpack(image v1.Image, into string) (files int, err error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, err
	}
	root, err := os.OpenRoot(into)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	budget := &budget{bytes: maxSource, files: maxFiles}
	for _, layer := range layers {
		if err := unpackLayer(layer, root, budget); err != nil {
			return 0, err
		}
	}
	if files = maxFiles - budget.files; files == 0 {
		return 0, fmt.Errorf("the image has no file in %s: it is not the image of a source", sourceDir)
	}
	return files, nil
}

type budget struct {
	bytes int64
	files int
}

func unpackLayer(layer v1.Layer, root *os.Root, b *budget) error {
	r, err := registry.Open(layer)
	if err != nil {
		return err
	}
	defer r.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, inside := strings.CutPrefix(path.Clean("/"+h.Name), sourceDir+"/")
		if !inside {
			continue
		}
		if b.files--; b.files < 0 {
			return fmt.Errorf("it has more than %d files", maxFiles)
		}
		if b.bytes -= h.Size; b.bytes < 0 {
			return fmt.Errorf("it has more than %d GiB", maxSource>>30)
		}
		if err := write(root, name, h, t); err != nil {
			return fmt.Errorf("%.200q: %w", name, err)
		}
	}
}

// write writes one entry. A source has files, directories and links; devices and the like are refused.
func write(root *os.Root, name string, h *tar.Header, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := root.Mkdir(name, 0o755)
		if errors.Is(err, os.ErrExist) {
			err = nil
		}
		return err
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), sourceDir+"/"), name)
	case tar.TypeReg:
		mode := os.FileMode(0o644)
		if h.Mode&0o111 != 0 {
			mode = 0o755
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	}
	return fmt.Errorf("it is neither a file, a directory nor a link")
}
