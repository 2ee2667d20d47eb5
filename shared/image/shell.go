package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kf-tasks/kf-tasks/shared/registry"
)

const (
	// maxImage bounds how much of an image is read for its shells, and maxLayer how much of one layer: bytes, uncompressed. Shells
	// lie in base layers, which come first and are small beside what an image of some GiB is large with.
	maxImage = 2 << 30
	maxLayer = 1 << 30
	// maxMore is how large a layer may be, compressed, to be read for a better shell where there is one.
	maxMore = 64 << 20
)

// ErrTooLarge is an answer: the same image is as large the next time.
var ErrTooLarge = errors.New("the image is too large to look for a shell in it")

// shells, the best first: bash hands on variables whose names are none of the shell's. /bin is often a link to /usr/bin.
var shells = []string{"/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh"}

// findShell looks for the best shell in the layers' tables of contents, "" if there is none.
func findShell(img v1.Image) (string, error) {
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	there, whole, budget := map[string]bool{}, true, int64(maxImage)
	for _, l := range layers {
		if size, err := l.Size(); err == nil && size > maxMore && best(there) != "" {
			continue
		}
		read, err := readLayer(l, min(budget, maxLayer), there)
		switch {
		case errors.Is(err, ErrTooLarge):
			whole = false
		case err != nil && best(there) != "":
			return best(there), nil // what is left could only have a better one
		case err != nil:
			return "", err
		}
		budget -= read
		if budget <= 0 {
			whole = false
			break
		}
	}
	if best(there) == "" && !whole {
		return "", ErrTooLarge
	}
	return best(there), nil
}

func best(there map[string]bool) string {
	for _, s := range shells {
		if there[s] {
			return s
		}
	}
	return ""
}

// readLayer notes what a layer brings and takes away of the shells, in so many bytes of it.
func readLayer(l v1.Layer, budget int64, there map[string]bool) (read int64, err error) {
	r, err := registry.Open(l)
	if err != nil {
		return 0, fmt.Errorf("read a layer: %w", err)
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: budget}
	for t := tar.NewReader(limited); ; {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return budget - limited.N, nil
		case err != nil && limited.N <= 0:
			return budget, ErrTooLarge
		case err != nil:
			return budget - limited.N, fmt.Errorf("read a layer: %w", err)
		}
		note(path.Clean("/"+h.Name), there)
	}
}

// note notes one entry. A whiteout takes away what layers below have brought (OCI image-spec, layer.md).
func note(entry string, there map[string]bool) {
	dir, file := path.Split(entry)
	for _, s := range shells {
		gone, hidden := strings.CutPrefix(file, ".wh.")
		switch {
		case entry == s:
			there[s] = true
		case file == ".wh..wh..opq" && strings.HasPrefix(s, dir), hidden && (s == dir+gone || strings.HasPrefix(s, dir+gone+"/")):
			there[s] = false
		}
	}
}
