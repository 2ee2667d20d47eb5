// Package source packs a folder into an image, as Kf's CLI does, and unpacks it again: one layer with the files under Root. The same
// files make the same image, byte for byte, whoever packs them, where and when.
package source

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Root is where the files are in the image: Kf's place, in Kf's form (its pkg/sourceimage).
const Root = "/var/run/kontext"

// maxPath is the longest path that is packed, in bytes: where it is built, a folder stands before it, and Linux takes 4,096.
const maxPath = 3900

// ignoreFiles are looked for at the root of the folder; the first that is there counts.
var ignoreFiles = []string{".kfignore", ".cfignore"}

// maxIgnoreFile bounds an ignore file, which is read whole, in bytes.
const maxIgnoreFile = 1 << 20

// epoch is the time of every file: that of the folder's files says when they were checked out.
var epoch = time.Unix(0, 0)

// Summary is what was packed.
type Summary struct {
	Files int
	Bytes int64 // of their content
}

// Tar writes the files of a folder, in one order, without times and owners, and of the modes only whether a file can be executed. Of
// what an image can't carry safely it writes nothing, and says what and where: links that lead out of the folder, devices, names that
// are not UTF-8, files that change while they are read. It holds one folder's names in memory, and no file. It ends early with ctx.
func Tar(ctx context.Context, dir string, to io.Writer) (Summary, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Summary{}, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer root.Close()
	ignore, err := readIgnore(root)
	if err != nil {
		return Summary{}, err
	}
	p := packer{ctx: ctx, root: root, out: tar.NewWriter(to), ignore: ignore}
	if err := fs.WalkDir(root.FS(), ".", p.visit); err != nil {
		return Summary{}, fmt.Errorf("pack %s: %w", dir, err)
	}
	if p.Files == 0 {
		return Summary{}, fmt.Errorf("pack %s: there is no file in it that is not left out", dir)
	}
	return p.Summary, p.out.Close()
}

// readIgnore reads Cloud Foundry's defaults, and the ignore file of the folder if it has one.
func readIgnore(root *os.Root) (Ignore, error) {
	for _, name := range ignoreFiles {
		f, err := root.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Ignore{}, fmt.Errorf("read %s: %w", name, err)
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxIgnoreFile+1))
		if err != nil {
			return Ignore{}, fmt.Errorf("read %s: %w", name, err)
		}
		if len(text) > maxIgnoreFile {
			return Ignore{}, fmt.Errorf("read %s: it has more than %d bytes", name, maxIgnoreFile)
		}
		return ParseIgnore(append([]byte(Defaults), strings.TrimPrefix(string(text), "\xef\xbb\xbf")...)), nil
	}
	return ParseIgnore([]byte(Defaults)), nil
}

type packer struct {
	Summary
	ctx    context.Context
	root   *os.Root
	out    *tar.Writer
	ignore Ignore
	buffer [64 << 10]byte
}

func (p *packer) visit(name string, d fs.DirEntry, err error) error {
	switch {
	case p.ctx.Err() != nil:
		return p.ctx.Err()
	case name == "." || err != nil:
		return err
	case p.ignore.Excludes(name, d.IsDir()):
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %q is not UTF-8: rename it, or leave it out by .cfignore", name)
	case len(name) > maxPath:
		return fmt.Errorf("the path %.60q... has %d bytes, and may have %d", name, len(name), maxPath)
	}
	header := &tar.Header{Name: Root + "/" + name, ModTime: epoch}
	switch d.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o755, header.Name+"/"
		return p.out.WriteHeader(header)
	case fs.ModeSymlink:
		header.Typeflag, header.Mode = tar.TypeSymlink, 0o777
		if header.Linkname, err = p.root.Readlink(name); err != nil {
			return err
		}
		if err := checkLink(name, header.Linkname, p.root.Stat); err != nil {
			return err
		}
		p.Files++
		return p.out.WriteHeader(header)
	case 0:
		return p.file(header, name, d)
	}
	return fmt.Errorf("%s is a device, a socket or a pipe: leave it out by .cfignore", name)
}

// file writes a file as it was when it was found, or says that it has changed.
func (p *packer) file(header *tar.Header, name string, d fs.DirEntry) error {
	found, err := d.Info()
	if err != nil {
		return err
	}
	f, err := p.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unchanged(name, found, f.Stat); err != nil {
		return err
	}
	header.Typeflag, header.Mode, header.Size = tar.TypeReg, 0o644, found.Size()
	if found.Mode()&0o111 != 0 {
		header.Mode = 0o755
	}
	if err := p.out.WriteHeader(header); err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{p.out}, io.LimitReader(until{p.ctx, f}, found.Size()), p.buffer[:])
	if err != nil {
		return err
	}
	if n < found.Size() {
		return changed(name)
	}
	p.Files++
	p.Bytes += n
	return unchanged(name, found, f.Stat)
}

// until is a reader that ends with its context.
type until struct {
	ctx  context.Context
	from io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.from.Read(b)
}

// unchanged says that a file is what was found: that file, of that size, last written at that time.
func unchanged(name string, found fs.FileInfo, stat func() (fs.FileInfo, error)) error {
	now, err := stat()
	if err != nil {
		return err
	}
	if !os.SameFile(found, now) || !now.Mode().IsRegular() || now.Size() != found.Size() || !now.ModTime().Equal(found.ModTime()) {
		return changed(name)
	}
	return nil
}

func changed(name string) error {
	return fmt.Errorf("%s changed while it was read: push again when nothing writes to it, or leave it out by .cfignore", name)
}

// checkLink refuses a link that leads out of the folder, by what it says or by other links on its way. One that leads to
// nothing is a file like any other.
func checkLink(name, target string, stat func(string) (fs.FileInfo, error)) error {
	there := path.Join(path.Dir(name), target)
	if target == "" || path.IsAbs(target) || there == ".." || strings.HasPrefix(there, "../") {
		return fmt.Errorf("%s is a link that leads out of the folder, to %q: only relative links within it can go along", name, target)
	}
	if !utf8.ValidString(target) {
		return fmt.Errorf("%s is a link to a name that is not UTF-8, %q", name, target)
	}
	if _, err := stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is a link that leads out of the folder by other links, or in a circle, or can't be looked at: %w", name, err)
	}
	return nil
}
