// Package build makes the programs and images of the cluster from the pinned Go modules, once for each version of what
// they are made from, and keeps them in the user's cache.
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/host"
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

// Programs by what needs them.
var (
	Kube    = Program{Package: "./cmd/kube"}
	Webhook = Program{Package: tekton + "webhook", Image: ImageOf(tekton + "webhook"), User: nonroot}

	Registry        = Program{Package: "./cmd/registry"}
	NetworkPolicies = Program{Package: "./cmd/networkpolicies"}
	Pause           = Program{Package: "./cmd/pause", Image: "dev.local/kf-tasks/pause:cluster", User: nonroot}
	CoreDNS         = Program{Package: "./cmd/coredns", Image: "dev.local/kf-tasks/coredns:cluster", User: "0"}
	Ingress         = Program{Package: "./cmd/ingress", Image: "dev.local/kf-tasks/ingress:cluster", User: nonroot}

	Tekton = thirdParty(tekton+"controller", tekton+"entrypoint", tekton+"nop", tekton+"workingdirinit",
		tekton+"sidecarlogresults", tekton+"events")
	Eventing = thirdParty(eventing+"controller", eventing+"webhook", eventing+"apiserver_receive_adapter", eventing+"mtping",
		eventing+"jobsink", eventing+"mtchannel_broker", eventing+"broker/ingress", eventing+"broker/filter",
		eventing+"in_memory/channel_controller", eventing+"in_memory/channel_dispatcher")
	Serving = thirdParty(serving+"controller", serving+"webhook", serving+"activator", serving+"autoscaler", serving+"queue")

	// Of the module jetstream: the servers, and Knative's channel on them.
	NATS      = Program{Package: "./cmd/nats"}
	JetStream = thirdParty(natss+"controller", natss+"dispatcher")
)

const (
	tekton   = "github.com/tektoncd/pipeline/cmd/"
	eventing = "knative.dev/eventing/cmd/"
	serving  = "knative.dev/serving/cmd/"
	natss    = "knative.dev/eventing-natss/cmd/jetstream/"
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

// Missing are those of the programs that are not built yet.
func (c *Cache) Missing(programs ...Program) (out []Program) {
	for _, p := range programs {
		if _, err := os.Stat(c.Bin(p)); err != nil {
			out = append(out, p)
		}
	}
	return out
}

// Build is a run of the compiler over programs; each can be used as soon as it is there.
type Build struct {
	cache *Cache
	done  chan struct{} // closed at the end
	err   error         // read it after done
}

// Start begins to build the programs that are not there yet, in their order where cores are short.
func (c *Cache) Start(ctx context.Context, programs ...Program) *Build {
	b := &Build{cache: c, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		b.err = c.buildMissing(ctx, programs)
	}()
	return b
}

// End waits until a run whose context is done has ended: who builds next would find its files in the way. One that still waits for
// another's run ends with the process.
func (b *Build) End() {
	select {
	case <-b.done:
	case <-time.After(20 * time.Second):
	}
}

func (c *Cache) buildMissing(ctx context.Context, programs []Program) error {
	if len(c.Missing(programs...)) == 0 {
		return nil
	}
	unlock, err := host.Lock(c.Dir, c.Say)
	if err != nil {
		return err
	}
	defer unlock()
	for i, round := range rounds(c.Missing(programs...)) { // another run may have built some meanwhile
		if err := c.build(ctx, fmt.Sprint("build-", i+1), round); err != nil {
			return err
		}
	}
	return nil
}

// Wait returns when these programs are there, or can't be built.
func (b *Build) Wait(ctx context.Context, programs ...Program) error {
	for {
		if len(b.cache.Missing(programs...)) == 0 {
			return nil
		}
		select {
		case <-b.done:
			if missing := b.cache.Missing(programs...); b.err == nil && len(missing) > 0 {
				return fmt.Errorf("%s was not among what was built", missing[0].Package)
			}
			return b.err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// rounds splits programs into as few runs of `go build` as can be: it names a program by the last element of its path,
// so that two of one name need two runs.
func rounds(programs []Program) (out [][]Program) {
	seen := map[string]int{}
	for _, p := range programs {
		name := path.Base(p.Package)
		if seen[name] == len(out) {
			out = append(out, nil)
		}
		out[seen[name]] = append(out[seen[name]], p)
		seen[name]++
	}
	return out
}

// build runs `go build` once for all the programs: it compiles what they share once, keeps all cores busy while one
// program waits for its last packages or its linker, and begins with what the first program needs.
func (c *Cache) build(ctx context.Context, name string, programs []Program) error {
	logPath, dir := filepath.Join(c.Dir, name+".log"), filepath.Join(c.Dir, name)
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	// go renames a program into place when it is whole, if its temporary files are on the same file system.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "tmp"), 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Kubernetes reports its version from these variables, which its own build sets.
	version := "k8s.io/component-base/version."
	ldflags := "-s -w -X " + version + "gitVersion=v1.35.4 -X " + version + "gitMajor=1 -X " + version + "gitMinor=35 -X " + version + "gitTreeState=clean"
	args := []string{"build", "-v", "-trimpath", "-ldflags", ldflags, "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, p.Package)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go ends its compilers and removes its temporary files
	cmd.Dir = c.Module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false -mod=readonly", "GOWORK=off", "GOTMPDIR="+filepath.Join(dir, "tmp"))
	// Compilers and linkers live for seconds: collecting garbage is a fifth of their work, and for nothing.
	cmd.Env = append(cmd.Env, "GOGC=off", fmt.Sprint("GOMEMLIMIT=", host.Memory()/uint64(2*runtime.NumCPU())))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := c.follow(ended, dir, logPath, programs); err != nil {
		return fmt.Errorf("go build: %w\n%s\nthe whole log: %s", err, tail(logPath, 20), logPath)
	}
	return nil
}

// follow hands out each program as it is built, until the run has ended, and says what goes on.
func (c *Cache) follow(ended <-chan error, dir, logPath string, programs []Program) error {
	look, heartbeat := time.NewTicker(100*time.Millisecond), time.NewTicker(30*time.Second)
	defer look.Stop()
	defer heartbeat.Stop()
	began, built := time.Now(), 0
	collect := func() error {
		for _, p := range programs {
			made := filepath.Join(dir, path.Base(p.Package))
			if _, err := os.Stat(made); err != nil {
				continue
			}
			if err := os.Rename(made, c.Bin(p)); err != nil {
				return err
			}
			built++
			c.Say("built %s (%d of %d)", p.Package, built, len(programs))
		}
		return nil
	}
	c.Say("programs to build: %d", len(programs))
	for {
		select {
		case <-look.C:
			if err := collect(); err != nil {
				return err
			}
		case <-heartbeat.C:
			c.Say("  still building: %d packages compiled (%s)", lines(logPath), time.Since(began).Round(time.Second))
		case err := <-ended:
			return errors.Join(err, collect())
		}
	}
}

// lines counts what `go build -v` has printed: a line for each package.
func lines(path string) int {
	b, _ := os.ReadFile(path)
	return bytes.Count(b, []byte("\n"))
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
