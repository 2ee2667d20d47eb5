package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// WithoutC is how all is built that is not built for the race detector, the tests' own programs among it: each package once.
const WithoutC = "CGO_ENABLED=0"

var buildKf = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kf-tasks-test-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "kf")
	build := exec.Command("go", "build", "-o", program, "./cmd/kf")
	build.Dir, build.Env = Root(), append(os.Environ(), WithoutC)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build kf: %w\n%s", err, out)
	}
	return program, nil
})

// Command is the CLI in a Space, not yet started.
func (c *Cluster) Command(t testing.TB, space string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := buildKf()
	if err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), program, append(args, "--space", space, "--kubeconfig", c.kubeconfig)...)
}

// RunKf runs the CLI in a Space, and returns what it printed and its exit code.
func (c *Cluster) RunKf(t testing.TB, space string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := c.Command(t, space, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
