// Package build makes the programs and images of the cluster from the pinned Go modules, once for each version of what
// they are made from, and keeps them in the user's cache.
package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"
)

// Program is one Go program.
type Program struct {
	Package string // import path, or ./cmd/... in this module
	// Image is its image's name, "" if it runs on the node itself.
	Image string
	// User is the image's.
	User string
}

// Name is the file that the program is built to.
func (p Program) Name() string {
	return strings.ReplaceAll(strings.TrimPrefix(p.Package, "./cmd/"), "/", "_")
}

const nonroot = "65532" // Knative refuses to run its own as root

// ImageOf is the name under which a third-party program's image is known to the node. Serving does not try to resolve
// tags under dev.local.
func ImageOf(pkg string) string { return "dev.local/" + pkg + ":cluster" }

func thirdParty(pkgs ...string) (out []Program) {
	for _, p := range pkgs {
		out = append(out, Program{Package: p, Image: ImageOf(p), User: nonroot})
	}
	return out
}

// Programs by what needs them. The order is the one that uses the build cache best: what links most first.
var (
	Kube    = Program{Package: "./cmd/kube"}
	Webhook = Program{Package: tekton + "webhook", Image: ImageOf(tekton + "webhook"), User: nonroot}

	Registry = Program{Package: "./cmd/registry"}
	Pause    = Program{Package: "./cmd/pause", Image: "dev.local/kf-tasks/pause:cluster", User: nonroot}
	CoreDNS  = Program{Package: "./cmd/coredns", Image: "dev.local/kf-tasks/coredns:cluster", User: "0"}
	Ingress  = Program{Package: "./cmd/ingress", Image: "dev.local/kf-tasks/ingress:cluster", User: nonroot}

	Tekton = thirdParty(tekton+"controller", tekton+"entrypoint", tekton+"nop", tekton+"workingdirinit",
		tekton+"sidecarlogresults", tekton+"events")
	Eventing = thirdParty(eventing+"controller", eventing+"webhook", eventing+"apiserver_receive_adapter", eventing+"mtping",
		eventing+"jobsink", eventing+"mtchannel_broker", eventing+"broker/ingress", eventing+"broker/filter",
		eventing+"in_memory/channel_controller", eventing+"in_memory/channel_dispatcher")
	Serving = thirdParty(serving+"controller", serving+"webhook", serving+"activator", serving+"autoscaler", serving+"queue")
)

const (
	tekton   = "github.com/tektoncd/pipeline/cmd/"
	eventing = "knative.dev/eventing/cmd/"
	serving  = "knative.dev/serving/cmd/"
)

// Cache is a folder that holds everything built from one version of this module.
type Cache struct {
	Dir    string // the cache's
	Module string // this module's source
	Say    func(format string, args ...any)
}

// Open finds the cache for the module's present state: its go.mod, go.sum and programs, the Go version and the machine.
func Open(module string, say func(string, ...any)) (*Cache, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, "v1")
	var files []string
	for _, root := range []string{"cmd", "internal/ingress", "go.mod", "go.sum"} {
		filepath.WalkDir(filepath.Join(module, root), func(path string, d fs.DirEntry, err error) error {
			// This program itself is not among what it builds.
			if err == nil && !d.IsDir() && !strings.Contains(path, "/cmd/cluster/") && !strings.HasSuffix(path, "_test.go") {
				files = append(files, path)
			}
			return nil
		})
	}
	sort.Strings(files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(h, strings.TrimPrefix(f, module), len(b))
		h.Write(b)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	c := &Cache{Dir: filepath.Join(base, "kf-tasks", "cluster", hex.EncodeToString(h.Sum(nil))[:16]), Module: module, Say: say}
	if err := os.MkdirAll(filepath.Join(c.Dir, "bin"), 0o755); err != nil {
		return nil, err
	}
	now := time.Now()
	if err := os.Chtimes(c.Dir, now, now); err != nil {
		return nil, err
	}
	return c, forget(filepath.Dir(c.Dir), now.Add(-unused))
}

// unused is how long what an earlier version built is kept: a clone of it may still be in use.
const unused = 30 * 24 * time.Hour

// forget removes the caches that nobody has opened since.
func forget(base string, since time.Time) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && info.ModTime().Before(since) {
			if err := os.RemoveAll(filepath.Join(base, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bin is where a program is.
func (c *Cache) Bin(p Program) string { return filepath.Join(c.Dir, "bin", p.Name()) }

// Build builds the programs that are not there yet, one after another: each build uses all cores by itself.
func (c *Cache) Build(programs ...Program) error {
	var missing []Program
	for _, p := range programs {
		if _, err := os.Stat(c.Bin(p)); err != nil {
			missing = append(missing, p)
		}
	}
	began := time.Now()
	for i, p := range missing {
		c.Say("building %s (%d of %d, %s so far)", p.Package, i+1, len(missing), time.Since(began).Round(time.Second))
		if err := c.build(p); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache) build(p Program) error {
	logPath := filepath.Join(c.Dir, "build-"+p.Name()+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	stop := c.heartbeat(p.Package)
	defer stop()
	// Kubernetes reports its version from these variables, which its own build sets.
	version := "k8s.io/component-base/version."
	ldflags := "-s -w -X " + version + "gitVersion=v1.35.4 -X " + version + "gitMajor=1 -X " + version + "gitMinor=35 -X " + version + "gitTreeState=clean"
	tmp := c.Bin(p) + ".new"
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", ldflags, "-o", tmp, p.Package)
	cmd.Dir = c.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false -mod=readonly", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s\nthe whole log: %s", p.Package, err, tail(logPath, 20), logPath)
	}
	return os.Rename(tmp, c.Bin(p))
}

// heartbeat says every half minute that a long build still goes on.
func (c *Cache) heartbeat(what string) (stop func()) {
	done := make(chan struct{})
	go func() {
		began := time.Now()
		t := time.NewTicker(30 * time.Second)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				c.Say("  still building %s (%s)", path.Base(what), time.Since(began).Round(time.Second))
			}
		}
	}()
	return func() { close(done) }
}

func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > 64<<10 {
		f.Seek(-64<<10, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	all := strings.Split(string(bytes.TrimRight(b, "\n")), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// ModuleDir returns where a module that go.mod pins lies in the module cache.
func (c *Cache) ModuleDir(module string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = c.Module
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w: %s", module, err, stderr.String())
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		dl := exec.Command("go", "mod", "download", module)
		dl.Dir, dl.Env = c.Module, cmd.Env
		if out, err := dl.CombinedOutput(); err != nil {
			return "", fmt.Errorf("download module %s: %w: %s", module, err, out)
		}
		return c.ModuleDir(module)
	}
	return dir, nil
}
