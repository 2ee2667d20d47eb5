package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// store is a registry that counts what it is asked, and may fail.
type store struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int // by method
	sent  int64          // bytes of blobs
	fail  func(w http.ResponseWriter, r *http.Request) bool
}

func newStore(t testing.TB) *store {
	s := &store{asked: map[string]int{}}
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.Method]++
		if r.Method == http.MethodPatch {
			s.sent += r.ContentLength
		}
		fail := s.fail
		s.mu.Unlock()
		if fail == nil || !fail(w, r) {
			images.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// from is how the store answers from now on; its counts begin anew. A request that was cut off may still be answered.
func (s *store) from(fail func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail, s.asked, s.sent = fail, map[string]int{}, 0
}

// counted is what it was asked, by method, and the bytes of blobs that it was sent.
func (s *store) counted() (asked map[string]int, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asked), s.sent
}

func (s *store) repository(t testing.TB) name.Repository {
	t.Helper()
	repo, err := Repository(strings.TrimPrefix(s.URL, "http://")+"/kf", "demo", "shop", nil)
	must(t, err)
	return repo
}

// TestUploadSendsWhatIsNotThere, under the App's name and its content's, and nothing the second time.
func TestUploadSendsWhatIsNotThere(t *testing.T) {
	s := newStore(t)
	dir := write(t, t.TempDir(), "a", "b/c!", "l -> a")
	push := func() (name.Digest, int64) {
		p, err := Pack(t.Context(), dir)
		must(t, err)
		defer p.Close()
		var last, of int64
		image, err := p.Upload(t.Context(), s.repository(t), func(done, total int64) { last, of = done, total })
		must(t, err)
		if of > 0 && last != of {
			t.Errorf("the progress ends at %d of %d", last, of)
		}
		return image, of
	}
	image, of := push()
	if !strings.HasSuffix(image.Context().RepositoryStr(), "kf/src-demo.shop") || of == 0 {
		t.Errorf("pushed %s, %d bytes", image, of)
	}
	s.from(nil)
	again, _ := push()
	if asked, sent := s.counted(); again != image || sent != 0 || asked["PATCH"]+asked["POST"]+asked["PUT"] != 0 || asked["HEAD"] != 1 {
		t.Errorf("pushed again: %s, %v", again, asked)
	}
	to := t.TempDir()
	summary, err := Fetch(t.Context(), image, to, DefaultLimits)
	must(t, err)
	if got := tree(t, to); got != "a 644 content of a\nb/ 755\nb/c 755 content of b/c\nl -> a\n" || summary.Files != 3 {
		t.Errorf("fetched %d files\n%s", summary.Files, got)
	}
}

// TestAnUploadThatIsCutIsTriedAgain within one push, from the beginning of the layer; and the next push sends only what is not there.
func TestAnUploadThatIsCutIsTriedAgain(t *testing.T) {
	s := newStore(t)
	p, err := Pack(t.Context(), write(t, t.TempDir(), "a", "b"))
	must(t, err)
	defer p.Close()
	var cut atomic.Bool // two blobs are sent at once
	s.from(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch || !cut.CompareAndSwap(false, true) {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 10)
		panic(http.ErrAbortHandler)
	})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if _, err := p.Upload(t.Context(), s.repository(t), nil); err != nil || !cut.Load() {
		t.Fatalf("cut: %t, %v", cut.Load(), err)
	}

	other, err := Pack(t.Context(), write(t, t.TempDir(), "c"))
	must(t, err)
	defer other.Close()
	s.from(func(w http.ResponseWriter, r *http.Request) bool { // the blobs are taken, the manifest is not
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			http.Error(w, "no", http.StatusForbidden)
			return true
		}
		return false
	})
	if _, err := other.Upload(t.Context(), s.repository(t), nil); err == nil || !strings.Contains(err.Error(), "upload the source to") {
		t.Fatalf("refused: %v", err)
	}
	s.from(nil)
	_, err = other.Upload(t.Context(), s.repository(t), nil)
	if _, sent := s.counted(); err != nil || sent != 0 {
		t.Errorf("the next push sent %d bytes again: %v", sent, err)
	}
}

// TestRepository: the prefix is what an operator wrote, and the hosts that are spoken to by plain HTTP are the ones listed.
func TestRepository(t *testing.T) {
	for prefix, want := range map[string]string{
		"registry.example/kf":      "https registry.example/kf/src-demo.shop",
		"registry.example:5000/kf": "http registry.example:5000/kf/src-demo.shop",
		"registry.example:5000":    "http registry.example:5000/src-demo.shop",
		"Registry.example/KF":      "is no place for images",
		"https://registry.example": "is no place for images",
	} {
		repo, err := Repository(prefix, "demo", "shop", []string{"registry.example:5000"})
		got := repo.Scheme() + " " + repo.Name()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", prefix, got, want)
		}
	}
}

func TestFetchRefusesWhatIsNoSource(t *testing.T) {
	s := newStore(t)
	repo := s.repository(t)
	must(t, remote.Write(repo.Tag("empty"), empty.Image))
	digest, err := empty.Image.Digest()
	must(t, err)
	if _, err := Fetch(t.Context(), repo.Digest(digest.String()), t.TempDir(), DefaultLimits); err == nil || !strings.Contains(err.Error(), "has 0 layers") {
		t.Errorf("an image without a layer: %v", err)
	}
	missing := repo.Digest("sha256:" + strings.Repeat("a", 64))
	if _, err := Fetch(t.Context(), missing, t.TempDir(), DefaultLimits); err == nil || !strings.Contains(err.Error(), missing.String()) {
		t.Errorf("an image that is not there: %v", err)
	}
}

// TestFetchChecksTheDigest: a registry that gives another layer is not believed.
func TestFetchChecksTheDigest(t *testing.T) {
	s := newStore(t)
	p, err := Pack(t.Context(), write(t, t.TempDir(), "a"))
	must(t, err)
	defer p.Close()
	image, err := p.Upload(t.Context(), s.repository(t), nil)
	must(t, err)
	other, err := Pack(t.Context(), write(t, t.TempDir(), "a", "b"))
	must(t, err)
	defer other.Close()
	s.from(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			http.ServeFile(w, r, other.file)
			return true
		}
		return false
	})
	if _, err := Fetch(t.Context(), image, t.TempDir(), DefaultLimits); err == nil {
		t.Error("another layer is taken")
	}
}

// TestFetchChecksTheDigestToTheEnd: what follows the files is read as well, or refused, for only at the end the digest is known.
func TestFetchChecksTheDigestToTheEnd(t *testing.T) {
	dir := t.TempDir()
	long := append(archive(t, tar.Header{Name: "var/run/kontext/a", Mode: 0o644}), make([]byte, maxPadding+1)...)
	if _, err := Untar(bytes.NewReader(long), dir, DefaultLimits); err == nil || !strings.Contains(err.Error(), "goes on after the end") {
		t.Errorf("%v", err)
	}
}

// tree is what a folder holds.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var out strings.Builder
	must(t, filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, at)
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			fmt.Fprintf(&out, "%s/ %o\n", name, info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			to, _ := os.Readlink(at)
			fmt.Fprintf(&out, "%s -> %s\n", name, to)
		default:
			content, _ := os.ReadFile(at)
			fmt.Fprintf(&out, "%s %o %s\n", name, info.Mode().Perm(), content)
		}
		return nil
	}))
	return out.String()
}

// archive is a tar of headers; a file's content is its name.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		must(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(h.Name))
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

// TestUntarKeepsWithinItsFolder, whatever an archive says.
func TestUntarKeepsWithinItsFolder(t *testing.T) {
	const in = "var/run/kontext/"
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: in + name, Linkname: to}
	}
	hard := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeLink, Name: in + name, Linkname: to}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o4777} }
	for name, c := range map[string]struct {
		headers []tar.Header
		want    string // in the error
		tree    string
	}{
		"names as others write them": {[]tar.Header{file("/" + in + "a"), file("./" + in + "b"), file(in + "d/c")}, "",
			"a 755 /var/run/kontext/a\nb 755 ./var/run/kontext/b\nd/ 755\nd/c 755 var/run/kontext/d/c\n"},
		"other files of the image":      {[]tar.Header{file("etc/passwd"), file("var/run/kontextual"), file(in + "a")}, "", "a 755 var/run/kontext/a\n"},
		"nothing else":                  {[]tar.Header{file("etc/passwd")}, "there is no file under /var/run/kontext", ""},
		"a later entry counts":          {[]tar.Header{link("a", "b"), file(in + "a"), file(in + "b")}, "", "a 755 var/run/kontext/a\nb 755 var/run/kontext/b\n"},
		"a hard link":                   {[]tar.Header{file(in + "a"), hard("b", "/"+in+"a")}, "", "a 755 var/run/kontext/a\nb 755 var/run/kontext/a\n"},
		"a name with ..":                {[]tar.Header{file(in + "../../../x")}, "no file under", ""},
		"a name with .. inside":         {[]tar.Header{file(in + "a/../../kontext/x")}, "is none that source may have", ""},
		"a link that leads out":         {[]tar.Header{link("x", "../y")}, "leads out of the folder", ""},
		"an absolute link":              {[]tar.Header{link("x", "/etc/passwd")}, "leads out of the folder", ""},
		"a file through such a link":    {[]tar.Header{link("x", ".."), file(in + "x/y")}, "leads out of the folder", ""},
		"a link that leads out by one":  {[]tar.Header{file(in + "top/y"), link("sub/l", "../top"), link("x", "sub/l/../../etc")}, "by other links", ""},
		"a link in a link's folder":     {[]tar.Header{file(in + "p/q/y"), link("p/q/k", "../.."), link("p/q/k/x", "../../../etc")}, "by other links", ""},
		"a hard link to another file":   {[]tar.Header{hard("x", "/etc/passwd")}, "no file of the source", ""},
		"a hard link with ..":           {[]tar.Header{hard("x", in+"../../../etc/passwd")}, "no file of the source", ""},
		"a hard link to a link":         {[]tar.Header{link("l", "nothing"), hard("x", in+"l")}, "no file of the source", ""},
		"a device":                      {[]tar.Header{{Typeflag: tar.TypeChar, Name: in + "x", Devmajor: 1, Devminor: 3}}, "neither file, folder nor link", ""},
		"a pipe":                        {[]tar.Header{{Typeflag: tar.TypeFifo, Name: in + "x"}}, "neither file, folder nor link", ""},
		"a file in place of its folder": {[]tar.Header{file(in + "a/b"), file(in + "a")}, "a", ""},
		"too many entries":              {slices.Repeat([]tar.Header{{Typeflag: tar.TypeDir, Name: in + "a"}}, 11), "more files and folders than", ""},
		"too many folders in names":     {[]tar.Header{file(in + strings.Repeat("a/", 11) + "c")}, "more files and folders than", ""},
		"too many bytes":                {[]tar.Header{file(in + strings.Repeat("a", 80)), file(in + strings.Repeat("b", 80))}, "more bytes than", ""},
	} {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			dir := filepath.Join(outer, "dir")
			must(t, os.Mkdir(dir, 0o700))
			_, err := Untar(bytes.NewReader(archive(t, c.headers...)), dir, Limits{Entries: 10, Bytes: 100})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if got := tree(t, dir); c.want == "" && got != c.tree {
				t.Errorf("%s\nwant\n%s", got, c.tree)
			}
			if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
				t.Errorf("something was written outside: %v %v", entries, err)
			}
		})
	}
}

// FuzzUntar: no archive writes outside its folder, has a link that leads there, or more than its limits. An entry is a line: its type, a
// name and what it links to; as bytes, hardly a mutation would get past the checksums of tar.
func FuzzUntar(f *testing.F) {
	f.Add("0 a\n2 b a\n5 d\n0 d/c")
	f.Add("2 b ..\n0 b/x")
	f.Add("5 d\n0 a\n1 h a\n1 i ../../../etc/passwd")
	f.Add("2 p/q/k ../..\n2 p/q/k/x ../../../etc\n0 p/q/y")
	f.Add("0 ../x\n0 a/../../kontext/x\n3 device\n6 pipe")
	f.Fuzz(func(t *testing.T, lines string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for line := range strings.Lines(lines) {
			kind, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			entry, link, _ := strings.Cut(rest, " ")
			h := tar.Header{Name: "var/run/kontext/" + entry, Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
			if len(kind) == 1 {
				h.Typeflag = kind[0]
			}
			switch h.Typeflag {
			case tar.TypeReg:
				h.Size = int64(len(entry))
			case tar.TypeLink:
				h.Linkname = "var/run/kontext/" + link
			case tar.TypeSymlink:
				h.Linkname = link
			}
			if w.WriteHeader(&h) == nil && h.Size > 0 {
				_, err := w.Write([]byte(entry))
				must(t, err)
			}
		}
		must(t, w.Close())
		outer := t.TempDir()
		dir := filepath.Join(outer, "dir")
		must(t, os.Mkdir(dir, 0o700))
		limits := Limits{Entries: 20, Bytes: 1 << 16}
		summary, err := Untar(&b, dir, limits)
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Fatalf("something was written outside: %v", entries)
		}
		if err != nil {
			return
		}
		if summary.Files > limits.Entries || summary.Bytes > limits.Bytes {
			t.Errorf("%+v, over the limits", summary)
		}
		root, err := os.OpenRoot(dir)
		must(t, err)
		defer root.Close()
		must(t, fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type() == fs.ModeSymlink {
				if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the link %s: %v", name, err)
				}
			}
			return err
		}))
	})
}
