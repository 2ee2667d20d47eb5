package harness

import (
	"os/exec"
	"testing"
)

// before is the commit of the version before, which upgrades come from and benchmarks compare with.
const before = "274afb6"

// Before is the version before, in a folder.
func Before(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("bash", "-ec", "set -o pipefail; git archive "+before+" | tar -x -C "+dir)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("this clone lacks the commit %s (git fetch --unshallow): %v\n%s", before, err, out)
	}
	return dir
}
