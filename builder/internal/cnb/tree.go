package cnb

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is a file, folder or symbolic link of an image. Its owner is root unless it is the user's.
type file struct {
	kind    byte // tar's
	mode    int64
	user    bool // owned by User, not by root
	content []byte
	target  string // of a link
}

// tree is the files of a layer by their absolute paths. Folders that are not named are made, for everybody to read.
type tree map[string]file

func (t tree) text(to, content string) {
	t[to] = file{kind: tar.TypeReg, mode: 0o644, content: []byte(content)}
}
func (t tree) link(to, target string) {
	t[to] = file{kind: tar.TypeSymlink, mode: 0o777, target: target}
}
func (t tree) folder(to string, mode int64) { t[to] = file{kind: tar.TypeDir, mode: mode} }

// home is a folder that the user may write into.
func (t tree) home(to string) { t[to] = file{kind: tar.TypeDir, mode: 0o755, user: true} }

func (t tree) program(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	t[to] = file{kind: tar.TypeReg, mode: 0o755, content: b}
	return nil
}

// copyFolder adds a folder with all that is in it. Of the modes only "may be run" counts, for umasks differ.
func (t tree) copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f := file{kind: tar.TypeReg, mode: 0o644, content: b}
		if info.Mode()&0o100 != 0 {
			f.mode = 0o755
		}
		rel, err := filepath.Rel(from, p)
		t[path.Join(to, filepath.ToSlash(rel))] = f
		return err
	})
}

// layer is the same for the same files: they are in order and have no times.
func (t tree) layer() (v1.Layer, error) {
	whole := maps.Clone(t)
	for name := range t {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			if _, has := whole[dir]; !has {
				whole.folder(dir, 0o755)
			}
		}
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(whole)) { // a folder before what is in it
		f := whole[name]
		h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Typeflag: f.kind, Mode: f.mode, Size: int64(len(f.content)),
			Linkname: f.target, ModTime: time.Unix(0, 0)}
		if f.kind == tar.TypeDir {
			h.Name += "/"
		}
		if f.user {
			h.Uid, h.Gid = User, Group
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
}
