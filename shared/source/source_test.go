package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// write makes files by their paths: "x!" one that can be executed, "x/" a folder, "x -> y" a link.
func write(t testing.TB, dir string, files ...string) string {
	t.Helper()
	for _, file := range files {
		name, target, link := strings.Cut(file, " -> ")
		name, executable := strings.CutSuffix(name, "!")
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, at)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(at, 0o700)
		default:
			mode := os.FileMode(0o600)
			if executable {
				mode = 0o700
			}
			err = os.WriteFile(at, []byte("content of "+name), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listing is what a tar holds, one line each.
func listing(t testing.TB, r io.Reader) (lines []string) {
	t.Helper()
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%s has a time or an owner: %+v", h.Name, h)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %o %s%s", h.Name, h.Mode, h.Linkname, content)))
	}
}

// TestPackIsKfsLayout, in one order, without times and owners, and without what is left out.
func TestPackIsKfsLayout(t *testing.T) {
	dir := write(t, t.TempDir(), "b/run!", "b/z", "a", ".git/config", "sub/.git/x", ".gitignore", ".DS_Store", "node_modules/x", "keep.log", "drop.log",
		"empty/", "b/link -> ../a", "dangling -> nothing", ".profile")
	if err := os.WriteFile(filepath.Join(dir, ".cfignore"), []byte("node_modules/\n*.log\n!keep.log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "hard")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	summary, err := Tar(t.Context(), dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/var/run/kontext/.profile 644 content of .profile",
		"/var/run/kontext/a 644 content of a",
		"/var/run/kontext/b/ 755",
		"/var/run/kontext/b/link 777 ../a",
		"/var/run/kontext/b/run 755 content of b/run",
		"/var/run/kontext/b/z 644 content of b/z",
		"/var/run/kontext/dangling 777 nothing",
		"/var/run/kontext/empty/ 755",
		"/var/run/kontext/hard 644 content of a",
		"/var/run/kontext/keep.log 644 content of keep.log",
		"/var/run/kontext/sub/ 755",
	}
	if got := listing(t, &out); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if summary.Files != 8 {
		t.Errorf("%d files, want 8", summary.Files)
	}
}

// TestKfsOwnIgnoreFileCounts, where both are there.
func TestKfsOwnIgnoreFileCounts(t *testing.T) {
	dir := write(t, t.TempDir(), "a", "b")
	for name, text := range map[string]string{".kfignore": "a\n", ".cfignore": "b\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := Tar(t.Context(), dir, &out); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, &out); len(got) != 1 || !strings.HasPrefix(got[0], Root+"/b ") {
		t.Errorf("%q, want b alone", got)
	}
}

// TestTheSameFilesMakeTheSameImage: in another folder, at another time, with another mask, made in another order.
func TestTheSameFilesMakeTheSameImage(t *testing.T) {
	first := pack(t, write(t, t.TempDir(), "a", "b/c!", "b/d -> c"))
	dir := write(t, t.TempDir(), "b/d -> c", "b/c!", "a")
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o644))
	must(t, os.Chtimes(filepath.Join(dir, "a"), time.Now(), time.Now().Add(-time.Hour)))
	second := pack(t, dir)
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o755))
	third := pack(t, dir)
	if first != second {
		t.Errorf("%s and %s, of the same files", first, second)
	}
	if third == first {
		t.Error("a file that can be executed is not the same as one that can't")
	}
}

func pack(t *testing.T, dir string) string {
	t.Helper()
	p, err := Pack(t.Context(), dir)
	must(t, err)
	digest, err := p.Digest()
	must(t, err)
	must(t, p.Close())
	if _, err := os.Stat(p.file); err == nil {
		t.Errorf("%s is still there", p.file)
	}
	return digest.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatCantGoAlongIsRefused, with its path and what to do; what is left out is not looked at.
func TestWhatCantGoAlongIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, dir string)
		want string
	}{
		"a link that leads out":            {func(t *testing.T, dir string) { write(t, dir, "sub/x -> ../../y") }, `sub/x is a link that leads out of the folder, to "../../y"`},
		"an absolute link":                 {func(t *testing.T, dir string) { write(t, dir, "x -> /etc/passwd") }, `x is a link that leads out of the folder, to "/etc/passwd"`},
		"an absolute link within":          {func(t *testing.T, dir string) { write(t, dir, "y", "x -> "+dir+"/y") }, "only relative links"},
		"a link that leads out by another": {func(t *testing.T, dir string) { write(t, dir, "top/y", "sub/l -> ../top", "x -> sub/l/../../etc") }, "x is a link that leads out of the folder by other links"},
		"links in a circle":                {func(t *testing.T, dir string) { write(t, dir, "x -> y", "y -> x") }, "in a circle"},
		"a pipe":                           {func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, "x"), 0o600)) }, "x is a device, a socket or a pipe: leave it out by .cfignore"},
		"a socket": {func(t *testing.T, dir string) {
			l, err := net.Listen("unix", filepath.Join(dir, "x"))
			must(t, err)
			t.Cleanup(func() { l.Close() })
		}, "x is a device, a socket or a pipe"},
		"a name that is not UTF-8": {func(t *testing.T, dir string) { write(t, dir, "x\xff") }, `the name "x\xff" is not UTF-8`},
		"a link to such a name":    {func(t *testing.T, dir string) { write(t, dir, "x -> \xff") }, `x is a link to a name that is not UTF-8`},
		"a path that is too long":  {deep, "bytes, and may have 3900"},
		"a huge ignore file": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, ".cfignore"), make([]byte, 1<<20+1), 0o600))
		}, "read .cfignore: it has more than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, t.TempDir(), "a")
			c.make(t, dir)
			if _, err := Tar(t.Context(), dir, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(c.want, "ignore file") || strings.Contains(c.want, "read .cfignore") {
				return
			}
			must(t, os.WriteFile(filepath.Join(dir, ".cfignore"), []byte("x*\ny\nsub\nd*\n"), 0o600))
			if _, err := Tar(t.Context(), dir, io.Discard); err != nil {
				t.Errorf("left out: %v", err)
			}
		})
	}
	if _, err := Tar(t.Context(), write(t, t.TempDir(), ".git/x"), io.Discard); err == nil || !strings.Contains(err.Error(), "there is no file in it") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Pack(t.Context(), filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "open the folder") {
		t.Errorf("no folder: %v", err)
	}
}

// deep makes a path that no single call of the kernel takes.
func deep(t *testing.T, dir string) {
	root, err := os.OpenRoot(dir)
	must(t, err)
	name := strings.Repeat("d", 200)
	for range 25 {
		must(t, root.Mkdir(name, 0o700))
		inner, err := root.OpenRoot(name)
		must(t, err)
		must(t, root.Close())
		root = inner
	}
	f, err := root.Create("file")
	must(t, errors.Join(err, f.Close(), root.Close()))
}

// meddler changes a file when its content is on its way.
type meddler struct {
	change func()
	done   bool
}

func (m *meddler) Write(p []byte) (int, error) {
	if !m.done && bytes.Contains(p, []byte("content")) {
		m.done = true
		m.change()
	}
	return len(p), nil
}

// TestAFileThatChangesWhileItIsReadIsSaid: the image would hold a state that never was.
func TestAFileThatChangesWhileItIsReadIsSaid(t *testing.T) {
	for name, change := range map[string]func(at string) error{
		"longer":  func(at string) error { return os.WriteFile(at, bytes.Repeat([]byte("content"), 200<<10), 0o600) },
		"shorter": func(at string) error { return os.Truncate(at, 10) },
		"other":   func(at string) error { return os.Chtimes(at, time.Now(), time.Now().Add(time.Second)) },
	} {
		dir := t.TempDir()
		at := filepath.Join(dir, "a")
		must(t, os.WriteFile(at, bytes.Repeat([]byte("content"), 100<<10), 0o600))
		m := &meddler{change: func() { must(t, change(at)) }}
		if _, err := Tar(t.Context(), dir, m); err == nil || !strings.Contains(err.Error(), "a changed while it was read") || !m.done {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPackingEndsWithItsContext, also within a file.
func TestPackingEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte("content"), 100<<10), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Tar(ctx, dir, &meddler{change: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Pack(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
