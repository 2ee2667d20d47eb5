package build

import (
	"fmt"
	"os"
	"path/filepath"
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
	dir := module(t, map[string]string{"go.mod": "module m\n\ngo 1.26\n", "cmd/good/main.go": "package main\nfunc main() {}\n",
		"cmd/bad/main.go": "package main\nfunc main() { undefinedThing() }\n"})
	c, err := Open(dir, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Build(Program{Package: "./cmd/good"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], "1 of 1") {
		t.Errorf("progress: %q", said)
	}
	err = c.Build(Program{Package: "./cmd/bad"})
	if err == nil || !strings.Contains(err.Error(), "undefinedThing") || !strings.Contains(err.Error(), "the whole log: ") {
		t.Errorf("a build that fails: %v", err)
	}
	if _, err := os.Stat(c.Bin(Program{Package: "./cmd/bad"})); err == nil {
		t.Error("a failed build is taken for done")
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
