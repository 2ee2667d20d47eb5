package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// buildKfsOwn builds Kf's own CLI from its module, whose version test/fixtures/kfcli pins. Nothing of Kf is changed. It is
// made for a fork of cobra that its module does not carry (a replace with a path); in place of it stands cobra's release that has learned the same
// since, the hooks of a command's parents, with the name under which Kf asks for it.
var buildKfsOwn = sync.OnceValues(func() (string, error) {
	fixture := filepath.Join(Root(), "test", "fixtures", "kfcli")
	dir, err := os.MkdirTemp("", "kf-tasks-test-")
	if err != nil {
		return "", err
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = fixture, append(os.Environ(), WithoutC)
		out, err := cmd.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		return strings.TrimSpace(string(out)), err
	}
	const cobra = "github.com/spf13/cobra"
	if _, err = run("mod", "download", cobra); err != nil {
		return "", err
	}
	source, err := run("list", "-m", "-f", "{{.Dir}}", cobra)
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(filepath.Join(dir, "cobra"), os.DirFS(source)); err != nil {
		return "", err
	}
	for file, edit := range map[string][2]string{
		"command.go": {"\n\tTraverseChildren bool\n", "\n\tTraverseChildren bool\n\n\tTraverseChildrenHooks bool\n"},
		"cobra.go":   {"defaultTraverseRunHooks = false", "defaultTraverseRunHooks = true"},
	} {
		path := filepath.Join(dir, "cobra", file)
		was, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		is := strings.Replace(string(was), edit[0], edit[1], 1)
		if is == string(was) {
			return "", fmt.Errorf("%s of cobra is not as it was: %q is not in it", file, edit[0])
		}
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(is), 0o644)); err != nil {
			return "", err
		}
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(fixture, file))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
			return "", err
		}
	}
	mod := filepath.Join(dir, "go.mod")
	if _, err := run("mod", "edit", "-replace="+cobra+"="+filepath.Join(dir, "cobra"), mod); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "kf")
	// -trimpath: what is built does not depend on the folder, so that it is built once
	_, err = run("build", "-modfile="+mod, "-trimpath", "-ldflags=-s -w", "-o", program, "github.com/google/kf/v2/cmd/kf")
	return program, err
})

// KfsOwn runs Kf's own CLI in a Space, and returns all that it printed and its exit code.
func (c *Cluster) KfsOwn(t testing.TB, space string, args ...string) (printed string, code int) {
	t.Helper()
	program, err := buildKfsOwn()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, append(args, "--space", space)...)
	// Some of its clients are made before it has read its flags: --kubeconfig comes too late for them. HOME has its settings.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
