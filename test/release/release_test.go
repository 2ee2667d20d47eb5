// Package release holds what a release refuses before it does anything. What one has is shown by making it: make reproducible VERSION=.
package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// repository is a clone in which a release may go wrong.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(harness.Root(), ".git")); err != nil {
		t.Skip("this is no clone: there are no commits")
	}
	dir := filepath.Join(t.TempDir(), "src")
	git(t, "", "clone", "--quiet", harness.Root(), dir)
	script, err := os.ReadFile(filepath.Join(harness.Root(), "hack", "release.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hack", "release.sh"), script, 0o755); err != nil { // as it is, committed or not
		t.Fatal(err)
	}
	git(t, dir, "commit", "--quiet", "--allow-empty", "-am", "as it is")
	return dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestAReleaseIsRefusedBeforeAnythingIsDone(t *testing.T) {
	dir := repository(t)
	git(t, dir, "tag", "v1.0.0", "HEAD~1")
	refused := func(why, version, want string) {
		t.Helper()
		cmd := exec.Command("hack/release.sh")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "VERSION="+version, "KO_DOCKER_REPO=registry.example", "PATH="+os.Getenv("PATH"), "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s, VERSION %q: %v, want it to say %q\n%s", why, version, err, want, out)
		}
		for _, made := range []string{"dist", "bin"} {
			if _, err := os.Stat(filepath.Join(dir, made)); err == nil {
				t.Errorf("%s, VERSION %q: it made %s", why, version, made)
			}
		}
	}
	for _, version := range []string{"", "0.1.0", "v0.1", "v01.0.0", "v0.1.0-", "v0.1.0-a..b", "v0.1.0+build", "v0.1.0 ", "latest"} {
		refused("no version", version, "say which")
	}
	refused("the tag of another commit", "v1.0.0", "take the next version")
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("a changed tree", "v1.0.1", "this tree has changes")
}
