package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// pushed is the image of a source with such entries, in a registry of the test.
func pushed(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := h.PAXRecords["content"]
		h.PAXRecords, h.Size = nil, int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/src:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	d, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return ref.Context().Digest(d.String()).Name()
}

func file(name, content string, mode int64) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, PAXRecords: map[string]string{"content": content}}
}

// step runs the program's own entry, and returns what it told as the result LOG.
func step(t *testing.T, dir string, args ...string) (code int, told string, err error) {
	t.Helper()
	told = filepath.Join(dir, "LOG")
	code, err = run(t.Context(), args, io.Discard, io.Discard)
	b, readErr := os.ReadFile(told)
	if readErr != nil && !os.IsNotExist(readErr) {
		t.Fatal(readErr)
	}
	return code, string(b), err
}

func TestSource(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"app", "platform", "step", "secrets/0", "secrets/1", "registry"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secrets/0/.dockerconfigjson", `{"auths": {"a.example": {"auth": "Zmlyc3Q6eA=="}}}`)
	write("secrets/1/.dockercfg", `{"a.example": {"auth": "c2Vjb25kOng="}, "b.example": {"auth": "c2Vjb25kOng="}}`)
	image := pushed(t, tar.Header{Name: "var/run/kontext/bin", Typeflag: tar.TypeDir, Mode: 0o700},
		file("var/run/kontext/bin/web", "#!/bin/sh", 0o755), file("./var/run/kontext/Procfile", "web: bin/web", 0o600),
		tar.Header{Name: "var/run/kontext/link", Typeflag: tar.TypeSymlink, Linkname: "bin/web"}, file("etc/passwd", "not of the source", 0o644))
	t.Setenv(envOfBuild, `{"A": "\u0024(x) \"q\"\n"}`)
	args := []string{"source", "-image", image, "-into", dir + "/app", "-platform", dir + "/platform", "-program", dir + "/step/step",
		"-secrets", dir + "/secrets", "-registry", dir + "/registry", "-log", dir + "/LOG"}
	if code, told, err := step(t, dir, args...); code != 0 || err != nil || told != "" {
		t.Fatalf("%d %q %v", code, told, err)
	}
	for name, want := range map[string]string{"app/bin/web": "#!/bin/sh", "app/link": "#!/bin/sh", "app/Procfile": "web: bin/web", "platform/env/A": "$(x) \"q\"\n"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); string(b) != want {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if there, _ := filepath.Glob(dir + "/app/*"); len(there) != 3 {
		t.Errorf("what is not of the source is there: %v", there)
	}
	if info, err := os.Stat(dir + "/step/step"); err != nil || info.Mode()&0o111 == 0 || info.Size() < 1<<20 {
		t.Errorf("the program is not there: %v %v", info, err)
	}
	var config struct {
		Auths map[string]struct{ Auth string }
	}
	b, err := os.ReadFile(dir + "/registry/config.json")
	if err != nil || json.Unmarshal(b, &config) != nil || config.Auths["a.example"].Auth != "Zmlyc3Q6eA==" || config.Auths["b.example"].Auth != "c2Vjb25kOng=" {
		t.Errorf("%s %v", b, err)
	}
}

// TestASourceStaysInItsPlace, whatever names and links it has, and what it is told of it.
func TestASourceStaysInItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"upwards":            {[]tar.Header{file("var/run/kontext/../../../outside", "x", 0o644)}, "no file under /var/run/kontext"},
		"by a link":          {[]tar.Header{{Name: "var/run/kontext/a", Typeflag: tar.TypeSymlink, Linkname: "../"}, file("var/run/kontext/a/outside", "x", 0o644)}, "leads out"},
		"by an absolute one": {[]tar.Header{{Name: "var/run/kontext/a", Typeflag: tar.TypeSymlink, Linkname: os.TempDir()}, file("var/run/kontext/a/outside", "x", 0o644)}, "leads out"},
		"by a hard link":     {[]tar.Header{{Name: "var/run/kontext/a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, "no file of the source"},
		"a device":           {[]tar.Header{{Name: "var/run/kontext/null", Typeflag: tar.TypeChar, Mode: 0o666}}, "neither file"},
		"nothing":            {[]tar.Header{file("Procfile", "x", 0o644)}, "no file under /var/run/kontext"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(dir+"/app", 0o755); err != nil {
			t.Fatal(err)
		}
		code, told, err := step(t, dir, "source", "-image", pushed(t, test.entries...), "-into", dir+"/app", "-platform", dir+"/platform", "-log", dir+"/LOG")
		if code == 0 || err == nil || !strings.HasPrefix(told, "source: ") || !strings.Contains(told, test.want) {
			t.Errorf("%s: %d %q, want %q", name, code, told, test.want)
		}
		if _, err := os.Stat(dir + "/outside"); err == nil {
			t.Errorf("%s: a file outside was written", name)
		}
	}
}

// TestAPhaseThatFails is told with its exit code and its last lines, in no more than there is room for.
func TestAPhaseThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		code   int
		want   []string
	}{
		"a few lines":      {"echo one; echo two >&2; exit 51", 51, []string{"build failed with exit code 51:", "one", "two"}},
		"many lines":       {"for i in $(seq 1000); do echo line $i; done; exit 2", 2, []string{"exit code 2", "line 1000"}},
		"one line, long":   {"head -c 100000 /dev/zero | tr '\\0' x; exit 3", 3, []string{"exit code 3", "xxx..."}},
		"quotes":           {`for i in $(seq 99); do echo '"\<&>"\<&>"\<&>'; done; exit 4`, 4, []string{"exit code 4", `"\<&>`}},
		"control":          {`printf 'a\033[31mb\0c\r\n'; exit 5`, 5, []string{"exit code 5"}},
		"killed":           {"kill -9 $$", 137, []string{"exit code 137"}},
		"stopped":          {"echo compiling; kill -15 $$", 143, []string{"build was stopped", "deleted or evicted", "push again", "compiling"}},
		"nothing is there": {"", 1, []string{"build: ", "no such file"}},
	} {
		dir := t.TempDir()
		command := []string{"/bin/sh", "-c", test.script}
		if test.script == "" {
			command = []string{"/nothing/here"}
		}
		code, told, _ := step(t, dir, append([]string{"run", "-phase", "build", "-log", dir + "/LOG", "-digest", dir + "/D", "--"}, command...)...)
		b, err := json.Marshal(told)
		if code != test.code || err != nil || len(b) > maxTold+2 || strings.ContainsAny(told, "\x00\x1b\r") {
			t.Errorf("%s: exit code %d, want %d; %d bytes: %q", name, code, test.code, len(b), told)
		}
		for _, w := range test.want {
			if !strings.Contains(told, w) {
				t.Errorf("%s: %q, want %q in it", name, told, w)
			}
		}
	}
}

// TestAPhaseThatIsStopped, by the signal that its Pod gets, is no failure of the source, whatever exit code it answers that with.
func TestAPhaseThatIsStopped(t *testing.T) {
	for _, code := range []string{"0", "1", "143"} {
		ctx, stop := context.WithCancel(t.Context())
		dir := t.TempDir()
		time.AfterFunc(300*time.Millisecond, stop)
		got, err := run(ctx, []string{"run", "-phase", "build", "-log", dir + "/LOG", "--", "/bin/sh", "-c", "trap 'exit " + code + "' TERM; while :; do sleep 0.05; done"},
			io.Discard, io.Discard)
		if b, _ := os.ReadFile(dir + "/LOG"); got != 143 || err != nil || !strings.Contains(string(b), "build was stopped, as when its Pod is deleted or evicted") {
			t.Errorf("exit code %s: %d %v, told %q", code, got, err, b)
		}
	}
}

// TestAFetchThatIsStopped does not blame the registry, which was slow.
func TestAFetchThatIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}))
	defer server.Close()
	dir := t.TempDir()
	code, err := run(ctx, []string{"source", "-image", strings.TrimPrefix(server.URL, "http://") + "/src:1", "-into", dir + "/app", "-platform", dir + "/platform", "-log", dir + "/LOG"},
		io.Discard, io.Discard)
	if b, _ := os.ReadFile(dir + "/LOG"); code != 1 || err == nil || string(b) != "source was stopped, as when its Pod is deleted or evicted: push again" {
		t.Errorf("%d %v, told %q", code, err, b)
	}
}

func TestAPhaseThatMakesAnImage(t *testing.T) {
	dir := t.TempDir()
	args := []string{"run", "-phase", "export", "-log", dir + "/LOG", "-digest", dir + "/D", "-report", dir + "/report.toml", "--", "/bin/sh", "-c"}
	code, told, err := step(t, dir, append(args, `printf '[image]\ntags = ["a"]\ndigest = "sha256:1"\n' > `+dir+"/report.toml")...)
	if b, _ := os.ReadFile(dir + "/D"); code != 0 || err != nil || told != "" || string(b) != "sha256:1" {
		t.Errorf("%d %q %v: digest %q", code, told, err, b)
	}
	if code, told, _ := step(t, dir, append(args, "echo > "+dir+"/report.toml")...); code != 1 || !strings.Contains(told, "no digest") {
		t.Errorf("a report without a digest: %d %q", code, told)
	}
}

// TestAStepTellsNothingThatAnotherHasLeft: Tekton reads the results of a step with all that the step sees, and follows links. What a buildpack
// has left, or leaves while a later step runs, would be told with the credentials of that step.
func TestAStepTellsNothingThatAnotherHasLeft(t *testing.T) {
	dir := t.TempDir()
	was := provenance
	t.Cleanup(func() { provenance = was })
	provenance = dir + "/provenance.json"
	read := []string{dir + "/LOG", dir + "/D", provenance} // by Tekton
	secret := dir + "/config.json"
	link := "ln -sf " + secret + " " + strings.Join(read[:1], "") + "; ln -sf " + secret + " " + read[1] + "; ln -sf " + secret + " " + read[2] + "; "
	made := "printf '[image]\\ndigest = \"sha256:1\"\\n' > " + dir + "/report.toml; "
	for name, test := range map[string]struct {
		script      string
		code        int
		log, digest string
	}{
		"succeeds":                {"exit 0", 0, "", ""},
		"fails":                   {"echo why; exit 5", 5, "exit code 5", ""},
		"leaves links":            {link + "exit 0", 0, "", ""},
		"leaves links, and fails": {link + "exit 5", 5, "exit code 5", ""},
		"makes an image":          {made + link + "exit 0", 0, "", "sha256:1"},
	} {
		if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, file := range append(read, dir+"/report.toml") {
			if err := errors.Join(os.RemoveAll(file), os.Symlink(secret, file)); err != nil {
				t.Fatal(err)
			}
		}
		args := []string{"run", "-phase", "export", "-log", read[0], "-digest", read[1]}
		if test.digest != "" {
			args = append(args, "-report", dir+"/report.toml")
		}
		if code, told, _ := step(t, dir, append(args, "--", "/bin/sh", "-c", test.script)...); code != test.code || !strings.Contains(told, test.log) {
			t.Errorf("%s: %d %q", name, code, told)
		}
		for _, file := range read {
			if b, _ := os.ReadFile(file); strings.Contains(string(b), "secret") || file == read[1] && string(b) != test.digest {
				t.Errorf("%s: Tekton reads %q as %s", name, b, filepath.Base(file))
			}
		}
		if b, err := os.ReadFile(secret); string(b) != "secret" {
			t.Errorf("%s: it was written through a link: %q %v", name, b, err)
		}
	}
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"example_ruby/1.9.0", "example_ruby/1.10.0", "procfile/2"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	order := filepath.Join(dir, "order.toml")
	for ids, want := range map[string]string{
		"example/ruby,procfile": "[[order]]\n[[order.group]]\nid = \"example/ruby\"\nversion = \"1.10.0\"\n[[order.group]]\nid = \"procfile\"\nversion = \"2\"\n",
		"example/ruby@1.9.0":    "[[order]]\n[[order.group]]\nid = \"example/ruby\"\nversion = \"1.9.0\"\n",
		"example/go":            "the builder has no buildpack example/go: it has example/ruby, order.toml, procfile",
		"procfile@3":            "of procfile it has 2",
	} {
		err := writeOrder(order, dir, strings.Split(ids, ","))
		b, _ := os.ReadFile(order)
		if err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), "order.toml, ", ""), strings.ReplaceAll(want, "order.toml, ", "")) || err == nil && string(b) != want {
			t.Errorf("%s: %v\n%s", ids, err, b)
		}
	}
}
