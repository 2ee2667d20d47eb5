package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func quiet(string, ...any) {}

// TestCacheFollowsWhatIsBuilt: another version is another folder, and what is not built from makes no difference.
func TestCacheFollowsWhatIsBuilt(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	files := map[string]string{"go.mod": "module m\n", "cmd/a/main.go": "package main\nfunc main() {}\n"}
	open := func(name, text string) string {
		changed := map[string]string{name: text}
		for k, v := range files {
			if k != name {
				changed[k] = v
			}
		}
		c, err := Open(module(t, changed), quiet)
		if err != nil {
			t.Fatal(err)
		}
		return c.Dir
	}
	first := open("go.mod", files["go.mod"])
	for name, same := range map[string]bool{"README.md": true, "cmd/a/main_test.go": true, "cmd/cluster/main.go": true, "go.sum": false, "cmd/a/other.go": false} {
		if got := open(name, "package main\n"); (got == first) != same {
			t.Errorf("%s changed: same cache %v, want %v", name, got == first, same)
		}
	}
}

func TestBuildOnceAndSayWhy(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var said []string
	fine, bad := "package main\nfunc main() {}\n", "package main\nfunc main() { undefinedThing() }\n"
	dir := module(t, map[string]string{"go.mod": "module m\n\ngo 1.26\n", "cmd/one/good/main.go": fine, "cmd/two/good/main.go": fine,
		"cmd/other/main.go": fine, "cmd/bad/main.go": bad})
	c, err := Open(dir, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if err != nil {
		t.Fatal(err)
	}
	good := []Program{{Package: "./cmd/one/good"}, {Package: "./cmd/two/good"}, {Package: "./cmd/other"}}
	for range 2 {
		if err := c.Start(t.Context(), good...).Wait(t.Context(), good...); err != nil {
			t.Fatal(err)
		}
	}
	built := slices.DeleteFunc(slices.Clone(said), func(line string) bool { return !strings.HasPrefix(line, "built ") })
	if len(built) != len(good) {
		t.Errorf("progress: %q", said)
	}
	for _, p := range good {
		if out, err := exec.Command(c.Bin(p)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", p.Package, err, out)
		}
	}
	broken := Program{Package: "./cmd/bad"}
	err = c.Start(t.Context(), broken).Wait(t.Context(), broken)
	if err == nil || !strings.Contains(err.Error(), "undefinedThing") || !strings.Contains(err.Error(), "the whole log: ") {
		t.Errorf("a build that fails: %v", err)
	}
	if _, err := os.Stat(c.Bin(broken)); err == nil {
		t.Error("a failed build is taken for done")
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "build-*")); slices.ContainsFunc(left, func(p string) bool { return filepath.Ext(p) != ".log" }) {
		t.Errorf("left behind: %q", left)
	}
}

// TestAProgramCanBeUsedBeforeTheRestIsBuilt: whoever waits for a program goes on when it is there, and whoever waits for
// another still waits.
func TestAProgramCanBeUsedBeforeTheRestIsBuilt(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c, err := Open(module(t, map[string]string{"go.mod": "module m\n"}), quiet)
	if err != nil {
		t.Fatal(err)
	}
	first, second := Program{Package: "./cmd/first"}, Program{Package: "./cmd/second"}
	b := &Build{cache: c, done: make(chan struct{})}
	if err := os.WriteFile(c.Bin(first), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(t.Context(), first); err != nil {
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := b.Wait(ended, first, second); !errors.Is(err, context.Canceled) {
		t.Errorf("what is not built: %v", err)
	}
	b.err = errors.New("it failed")
	close(b.done)
	if err := b.Wait(t.Context(), first, second); err != b.err {
		t.Errorf("what could not be built: %v", err)
	}
	if err := b.Wait(t.Context(), first); err != nil {
		t.Errorf("what was built before the rest failed: %v", err)
	}
}

func TestProgramsOfOneNameAreBuiltByTwoRuns(t *testing.T) {
	named := func(packages ...string) (out []Program) {
		for _, p := range packages {
			out = append(out, Program{Package: p})
		}
		return out
	}
	got := rounds(named("./cmd/kube", "a/controller", "a/webhook", "b/controller", "c/controller", "b/sink"))
	want := [][]Program{named("./cmd/kube", "a/controller", "a/webhook", "b/sink"), named("b/controller"), named("c/controller")}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := rounds(nil); len(got) != 0 {
		t.Errorf("nothing to build: %v", got)
	}
}

func TestCachesThatNobodyUsesGo(t *testing.T) {
	base := t.TempDir()
	now := time.Now()
	for name, age := range map[string]time.Duration{"used": time.Hour, "unused": 2 * unused} {
		if err := os.Mkdir(filepath.Join(base, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(base, name), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(base, now.Add(-unused)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(base, "used")); err != nil {
		t.Error("one in use is gone")
	}
	if _, err := os.Stat(filepath.Join(base, "unused")); err == nil {
		t.Error("one that is not used is still there")
	}
}
