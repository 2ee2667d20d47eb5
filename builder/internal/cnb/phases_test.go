package cnb

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// platform plays what starts the phases of a build, in a root that is the builder image, against a registry of its own.
type platform struct {
	*testing.T
	*world
}

// world is made once for all tests: it takes seconds. Each test builds Apps of its own.
type world struct {
	registry  string
	buildRoot string
	run       v1.Image
	runImage  string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kf-builder-")
	if err != nil {
		panic(err)
	}
	os.Setenv("TMPDIR", dir) // so that all goes with it
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var theWorld = sync.OnceValues(func() (*world, error) {
	blobs, err := os.MkdirTemp("", "registry-")
	if err != nil {
		return nil, err
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs))))
	w := &world{registry: strings.TrimPrefix(server.URL, "http://")}
	parts, err := theParts()
	if err != nil {
		return nil, err
	}
	if w.run, err = RunImage(parts.Debian); err != nil {
		return nil, err
	}
	w.runImage = w.registry + "/run:1"
	if err := push(w.runImage, w.run); err != nil {
		return nil, err
	}
	parts.RunImage = w.runImage
	builder, err := Builder(parts)
	if err != nil {
		return nil, err
	}
	w.buildRoot, err = root(builder)
	return w, err
})

func newPlatform(t *testing.T) *platform {
	if os.Geteuid() != 0 {
		t.Skip("a root of its own needs root")
	}
	w, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	return &platform{t, w}
}

// theParts are the real ones.
var theParts = sync.OnceValues(func() (p Parts, err error) {
	if p.Debian, err = FindDebian(); err != nil {
		return p, err
	}
	if p.Buildpacks, err = Buildpacks("../../buildpacks"); err != nil {
		return p, err
	}
	p.Programs, err = Compile(context.Background(), "../..", "../../../bin")
	return p, err
})

// parts have programs that are none: what an image of them is does not depend on what they do, and packing the real ones takes long.
func parts(t *testing.T) (p Parts) {
	t.Helper()
	debian, err := FindDebian()
	if err != nil {
		t.Fatal(err)
	}
	packs, err := Buildpacks("../../buildpacks")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"lifecycle", "launcher"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return Parts{debian, Programs{filepath.Join(dir, "lifecycle"), filepath.Join(dir, "launcher")}, packs, "registry.example/run:latest"}
}

func (p *platform) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func push(ref string, img v1.Image) error {
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return remote.Write(tag, img)
}

func (p *platform) pull(ref string) (v1.Image, *v1.ConfigFile) {
	p.Helper()
	tag, err := name.NewTag(ref)
	p.must(err)
	img, err := remote.Image(tag)
	p.must(err)
	conf, err := img.ConfigFile()
	p.must(err)
	return img, conf
}

// root unpacks an image, which is seconds' work for no container runtime.
func root(img v1.Image) (string, error) {
	dir, err := os.MkdirTemp("", "root-")
	if err != nil {
		return "", err
	}
	flat := mutate.Extract(img)
	defer flat.Close()
	files := tar.NewReader(flat)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if err := unpack(filepath.Join(dir, h.Name), h, files); err != nil {
			return "", err
		}
	}
	null := filepath.Join(dir, "dev/null") // which every container has
	return dir, errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Dir(null), 0o755), os.WriteFile(null, nil, 0o666), os.Chmod(null, 0o666))
}

func unpack(to string, h *tar.Header, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, to)
	default:
		f, err := os.Create(to)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, content); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return errors.Join(os.Lchown(to, h.Uid, h.Gid), os.Chmod(to, fs.FileMode(h.Mode&0o777)))
}

// in runs a program in a root, as the user of the image.
func (p *platform) in(root string, env []string, args ...string) (said string, code int) {
	p.Helper()
	cmd := exec.CommandContext(p.Context(), args[0], args[1:]...)
	cmd.Path, cmd.Err = args[0], nil // of the root, not of the machine
	cmd.Dir = "/"
	cmd.Env = append([]string{searchPath, "HOME=/home/cnb", "CNB_USER_ID=1000", "CNB_GROUP_ID=1000", "CNB_PLATFORM_API=0.13"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: User, Gid: Group}}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.Fatalf("%q: %v", args, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// source is what is built; a program has "#!" in front.
type source map[string]string

// build runs the phases in folders of their own, and returns what they said and the first exit code that is not zero.
func (p *platform) build(app string, s source) (said string, code int) {
	p.Helper()
	for _, dir := range []string{"app", "layers", "platform"} {
		p.must(os.RemoveAll(filepath.Join(p.buildRoot, dir)))
		p.must(os.MkdirAll(filepath.Join(p.buildRoot, dir), 0o755))
		p.must(os.Chown(filepath.Join(p.buildRoot, dir), User, Group))
	}
	for to, text := range s {
		to, mode := filepath.Join(p.buildRoot, "app", to), fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		p.must(os.MkdirAll(filepath.Dir(to), 0o755))
		p.must(os.WriteFile(to, []byte(text), mode))
	}
	image, cache := p.registry+"/"+app+":1", p.registry+"/"+app+":cache"
	var all strings.Builder
	for _, phase := range [][]string{
		{"analyzer", "-run-image", p.runImage, "-cache-image", cache, image},
		{"detector", "-app", "/app"},
		{"restorer", "-cache-image", cache},
		{"builder", "-app", "/app"},
		{"exporter", "-app", "/app", "-cache-image", cache, image},
	} {
		said, code := p.in(p.buildRoot, nil, append([]string{"/cnb/lifecycle/" + phase[0]}, phase[1:]...)...)
		fmt.Fprintf(&all, "[%s]\n%s", phase[0], said)
		if code != 0 {
			return all.String(), code
		}
	}
	return all.String(), 0
}

// process is one of a label of an App's image.
type process struct {
	Type    string   `json:"type"`
	Command []string `json:"command"`
	Args    []string `json:"args"`
}

func (p *platform) processes(conf *v1.ConfigFile) (found []process) {
	p.Helper()
	var metadata struct{ Processes []process }
	p.must(json.Unmarshal([]byte(conf.Config.Labels["io.buildpacks.build.metadata"]), &metadata))
	return metadata.Processes
}

var shop = source{
	"Procfile":    "# what the shop runs\nmigrate: bin/migrate --all\r\n\nreport-2:\tgreet \"a\\b\" | cat",
	"bin/migrate": "#!/bin/sh\necho migrated \"$@\"\n",
	"bin/greet":   "#!/bin/bash\necho \"hello $1\"\n",
}

// TestFiveStepsMakeAnImage is the story of an App: built, built again from the cache, run, and put on a new run image.
func TestFiveStepsMakeAnImage(t *testing.T) {
	p := newPlatform(t)
	if out, code := p.in(p.buildRoot, nil, "/cnb/lifecycle/lifecycle", "-version"); code != 0 || strings.TrimSpace(out) != Version {
		t.Errorf("the lifecycle says that it is %q, not %s: exit code %d", out, Version, code)
	}
	said, code := p.build("shop", shop)
	if code != 0 || !strings.Contains(said, "kf/shell: putting /app/bin on the PATH") {
		t.Fatalf("the first build: %d\n%s", code, said)
	}
	first, conf := p.pull(p.registry + "/shop:1")
	want := []process{{Type: "migrate", Command: []string{"bash", "-c", "bin/migrate --all"}}, {Type: "report-2", Command: []string{"bash", "-c", `greet "a\b" | cat`}}}
	if got := p.processes(conf); !reflect.DeepEqual(got, want) {
		t.Errorf("processes %+v, want %+v", got, want)
	}
	if conf.Config.User != "1000:1000" || !reflect.DeepEqual(conf.Config.Entrypoint, []string{"/cnb/lifecycle/launcher"}) {
		t.Errorf("user %q, entry point %q", conf.Config.User, conf.Config.Entrypoint)
	}

	said, code = p.build("shop", shop)
	if code != 0 || !strings.Contains(said, "kf/shell: /app/bin is on the PATH, as in the build before") {
		t.Fatalf("the second build had nothing from the first: %d\n%s", code, said)
	}
	second, conf := p.pull(p.registry + "/shop:1")
	if a, b := digest(t, first), digest(t, second); a != b {
		t.Errorf("the same source gave %s and then %s\n%s", a, b, said)
	}

	root, err := root(second)
	p.must(err)
	for command, want := range map[string]string{"/cnb/process/migrate": "migrated --all\n", "/cnb/process/report-2": "hello a\\b\n"} {
		if out, code := p.in(root, conf.Config.Env, command); code != 0 || out != want {
			t.Errorf("%s: %d %q, want %q", command, code, out, want)
		}
	}
	if out, code := p.in(root, conf.Config.Env, "/cnb/lifecycle/launcher", "greet you | tr a-z A-Z"); code != 0 || out != "HELLO YOU\n" {
		t.Errorf("a command of a Task: %d %q", code, out)
	}
	p.rebase(second)
}

// TestTheSampleDoesWhatItSays: the folder that is shown to newcomers builds, and its process types run.
func TestTheSampleDoesWhatItSays(t *testing.T) {
	p := newPlatform(t)
	sample := source{}
	folder := os.DirFS("../../../test/fixtures/shop")
	p.must(fs.WalkDir(folder, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(folder, file)
		sample[file] = string(b)
		return err
	}))
	if said, code := p.build("sample", sample); code != 0 {
		t.Fatalf("%d\n%s", code, said)
	}
	img, conf := p.pull(p.registry + "/sample:1")
	root, err := root(img)
	p.must(err)
	env := append(conf.Config.Env, "ORDERS=2")
	for command, want := range map[string]string{
		"/cnb/process/migrate": "migrate --all: orders: add a column\nmigrate --all: orders: fill it\nmigrate --all: customers: make an index\nmigrated\n",
		"/cnb/process/report":  "order 1: 7.00\norder 2: 28.00\n",
	} {
		if out, code := p.in(root, env, command); code != 0 || out != want {
			t.Errorf("%s: %d %q, want %q", command, code, out, want)
		}
	}
}

// rebase puts the App on the run image that its name has now, with a layer more: the App's own layers are the same. The lifecycle
// refuses a run image of another name, so that one which is rebased on has a tag that moves.
func (p *platform) rebase(app v1.Image) {
	p.Helper()
	more := tree{}
	more.text("/etc/mended", "yes\n")
	layer, err := more.layer()
	p.must(err)
	mended, err := mutate.AppendLayers(p.run, layer)
	p.must(err)
	p.must(push(p.runImage, mended))
	said, code := p.in(p.buildRoot, nil, "/cnb/lifecycle/rebaser", "-run-image", p.runImage, p.registry+"/shop:1")
	if code != 0 {
		p.Fatalf("rebase: %d\n%s", code, said)
	}
	rebased, conf := p.pull(p.registry + "/shop:1")
	before, err := app.Layers()
	p.must(err)
	after, err := rebased.Layers()
	p.must(err)
	if len(after) != len(before)+1 || digest(p.T, after[len(after)-1]) != digest(p.T, before[len(before)-1]) {
		p.Errorf("%d layers became %d, or others", len(before), len(after))
	}
	if len(p.processes(conf)) != 2 {
		p.Error("a rebase lost the process types")
	}
	root, err := root(rebased)
	p.must(err)
	if out, code := p.in(root, conf.Config.Env, "/cnb/lifecycle/launcher", "cat /etc/mended && migrate"); code != 0 || out != "yes\nmigrated\n" {
		p.Errorf("on the new run image: %d %q", code, out)
	}
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	d, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestWhatIsFoundInASource: what makes an App, and which process runs when nothing is said.
func TestWhatIsFoundInASource(t *testing.T) {
	p := newPlatform(t)
	script := "#!/bin/sh\necho ran\n"
	for name, row := range map[string]struct {
		source     source
		types      []string
		entrypoint string
	}{
		"only bin":            {source{"bin/task": script}, nil, "/cnb/lifecycle/launcher"},
		"only a script":       {source{"task.sh": script}, nil, "/cnb/lifecycle/launcher"},
		"only a Procfile":     {source{"Procfile": "task: echo ran"}, []string{"task"}, "/cnb/process/task"},
		"web among others":    {source{"Procfile": "task: a\nweb: b\n"}, []string{"task", "web"}, "/cnb/process/web"},
		"several without web": {source{"Procfile": "one: a\ntwo: b:c\n"}, []string{"one", "two"}, "/cnb/lifecycle/launcher"},
	} {
		app := "found-" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		said, code := p.build(app, row.source)
		if code != 0 {
			t.Errorf("%s: %d\n%s", name, code, said)
			continue
		}
		_, conf := p.pull(p.registry + "/" + app + ":1")
		var types []string
		for _, process := range p.processes(conf) {
			types = append(types, process.Type)
		}
		if !reflect.DeepEqual(types, row.types) || conf.Config.Entrypoint[0] != row.entrypoint {
			t.Errorf("%s: process types %q, entry point %q", name, types, conf.Config.Entrypoint)
		}
	}
}

// TestABuildThatFailsSaysWhy: the exit code names the phase, the output the cause, and no image is made.
func TestABuildThatFailsSaysWhy(t *testing.T) {
	p := newPlatform(t)
	for name, row := range map[string]struct {
		source source
		code   int
		says   string
	}{
		"nothing matches":            {source{"README": "text"}, 20, "No buildpack groups passed detection"},
		"a folder named as a script": {source{"x.sh/README": "text"}, 20, "No buildpack groups passed detection"},
		"the source says so":         {source{"bin/x": "#!/bin/sh\n", "fail-build": "no more apples\n"}, 51, "no more apples"},
		"a line without a colon":     {source{"Procfile": "web: a\nbin/migrate\n"}, 51, "Procfile, line 2: it has no colon: bin/migrate"},
		"a line without a type":      {source{"Procfile": ": a\n"}, 51, "Procfile, line 1: a process type has"},
		"a type with a quote":        {source{"Procfile": "\n\na\"b: x"}, 51, "Procfile, line 3: a process type has"},
		"a path as a type":           {source{"Procfile": "../x: x"}, 51, "Procfile, line 1: a process type has"},
		"a line without command":     {source{"Procfile": "web: \t\n"}, 51, "Procfile, line 1: it has no command"},
		"a type twice":               {source{"Procfile": "web: a\nweb: b\n"}, 51, "Procfile, line 2: web is there already"},
		"a control character":        {source{"Procfile": "web: a\x01b\n"}, 51, "Procfile, line 1: it has control characters"},
		"no line":                    {source{"Procfile": "# nothing yet\n"}, 51, "the Procfile has no process types"},
		"not text":                   {source{"Procfile": "web: \xff\xfe\n"}, 52, "invalid UTF-8 byte"},
	} {
		app := "failed-" + strings.ToLower(strings.ReplaceAll(name, " ", "-"))
		said, code := p.build(app, row.source)
		if code != row.code || !strings.Contains(said, row.says) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", name, code, row.code, row.says, said)
		}
		if p.exists(app) {
			t.Errorf("%s: there is an image", name)
		}
	}
}

func (p *platform) exists(app string) bool {
	p.Helper()
	tag, err := name.NewTag(p.registry + "/" + app + ":1")
	p.must(err)
	_, err = remote.Head(tag)
	return err == nil
}

// TestOneSourceOneDigest: the digest of the builder goes into the name of a build, so that the same parts must give the same.
func TestOneSourceOneDigest(t *testing.T) {
	parts := parts(t)
	one, err := Builder(parts)
	if err != nil {
		t.Fatal(err)
	}
	another := parts
	copied := t.TempDir() // at another place, with other times and another umask
	if err := os.CopyFS(copied, os.DirFS("../../buildpacks")); err != nil {
		t.Fatal(err)
	}
	filepath.WalkDir(copied, func(p string, d fs.DirEntry, err error) error {
		if info, _ := d.Info(); !d.IsDir() {
			os.Chmod(p, info.Mode()&^0o077)
		}
		return err
	})
	if another.Buildpacks, err = Buildpacks(copied); err != nil {
		t.Fatal(err)
	}
	two, err := Builder(another)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := digest(t, one), digest(t, two); a != b {
		t.Errorf("the same parts gave %s and %s", a, b)
	}
	another.RunImage += "-other"
	if three, err := Builder(another); err != nil || digest(t, three) == digest(t, one) {
		t.Errorf("another run image gave the same builder: %v", err)
	}
}

// TestKeyFollowsWhatIsBuilt: what is pushed is found again until something that it is made from changes.
func TestKeyFollowsWhatIsBuilt(t *testing.T) {
	debian, err := FindDebian()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(file, text string, mode fs.FileMode) string {
		t.Helper()
		at := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), mode), os.Chmod(at, mode)); err != nil {
			t.Fatal(err)
		}
		key, err := Key(dir, debian)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	seen := map[string]string{}
	for _, change := range []struct {
		file, text string
		mode       fs.FileMode
	}{{"go.mod", "module m", 0o644}, {"go.sum", "x", 0o644}, {"bin/build", "a", 0o644}, {"bin/build", "a", 0o755}, {"bin/build", "b", 0o755}} {
		key := write(change.file, change.text, change.mode)
		if before, has := seen[key]; has {
			t.Errorf("%v changed nothing of the key of %s", change, before)
		}
		seen[key] = fmt.Sprint(change)
		if again := write("x_test.go", change.file, 0o644); again != key {
			t.Errorf("a test changed the key")
		}
	}
}

// TestABuilderIsReadByPlatforms: what `pack builder inspect` and other platforms look for.
func TestABuilderIsReadByPlatforms(t *testing.T) {
	parts := parts(t)
	img, err := Builder(parts)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Buildpacks []struct{ ID, Version string }
		Images     []struct{ Image string }
		Lifecycle  struct {
			Version string
			APIs    struct{ Platform struct{ Supported []string } }
		}
	}
	if err := json.Unmarshal([]byte(conf.Config.Labels["io.buildpacks.builder.metadata"]), &metadata); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(metadata.Buildpacks) != "[{kf/procfile 1.0.0} {kf/shell 1.0.0}]" || metadata.Images[0].Image != parts.RunImage ||
		metadata.Lifecycle.Version != Version || !strings.Contains(fmt.Sprint(metadata.Lifecycle.APIs.Platform.Supported), "0.15") {
		t.Errorf("%+v", metadata)
	}
	if !strings.Contains(strings.Join(conf.Config.Env, " "), "CNB_USER_ID=1000 CNB_GROUP_ID=1000") {
		t.Errorf("%q", conf.Config.Env)
	}
	if mod, err := os.ReadFile("../../go.mod"); err != nil || !strings.Contains(string(mod), "github.com/buildpacks/lifecycle v"+Version+"\n") {
		t.Errorf("go.mod has another version than %s: %v", Version, err)
	}
}
