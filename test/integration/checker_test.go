package integration

import (
	"os"
	"os/exec"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestJobsChecker runs functions/tick's checker, which stands beside the function because it replaces its clock. What it
// does, and how to run it for longer, is said there.
func TestJobsChecker(t *testing.T) {
	c := harness.New(t)
	cmd := exec.Command("go", "test", "-race", "-count=1", "-v", "-tags=checker", "-run=Checker", "./functions/tick")
	cmd.Dir = harness.Root()
	cmd.Env = os.Environ()
	if os.Getenv("KUBECONFIG") == "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+harness.Root()+"/.cluster-test/kubeconfig")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("against %s: %v", c.Config.Host, err)
	}
	t.Logf("%s", out)
}
