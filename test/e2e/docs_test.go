package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/docs/page"
	"github.com/kf-tasks/kf-tasks/test/harness"
	"github.com/kf-tasks/kf-tasks/test/transcript"
)

// TestTutorial walks through docs/tutorial.md as it stands: each command, in its order, ends well and prints what the page shows.
func TestTutorial(t *testing.T) {
	c := harness.Deployed(t)
	const space = "tutorial" // the page's
	remove := func() {
		_ = c.Kf.Spaces().Delete(ctx, space, metav1.DeleteOptions{})
		harness.Eventually(t, 2*time.Minute, func() error {
			_, err := c.Kube.CoreV1().Namespaces().Get(ctx, space, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return os.ErrExist
		})
	}
	remove()
	t.Cleanup(remove)
	kf := c.Command(t, space)
	source, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, b := range page.Parse("docs/tutorial.md", source).Blocks {
		if b.Lang != "console" {
			continue
		}
		for _, s := range transcript.Parse(b.Text) {
			steps++
			cmd := exec.CommandContext(t.Context(), "bash", "-c", s.Command)
			cmd.Dir = harness.Root()
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kf.Path)+":"+os.Getenv("PATH"), "KUBECONFIG="+kf.Args[len(kf.Args)-1])
			began := time.Now()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("docs/tutorial.md:%d: $ %s: %v\n%s", b.Line, s.Command, err, out)
			}
			t.Logf("%5.1fs  $ %s", time.Since(began).Seconds(), s.Command)
			if err := s.Differs(strings.Split(strings.TrimRight(string(out), "\n"), "\n")); err != nil {
				t.Errorf("docs/tutorial.md:%d: %v", b.Line, err)
			}
		}
	}
	if steps < 9 {
		t.Errorf("only %d commands found", steps)
	}
}
