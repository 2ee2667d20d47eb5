package pipelinerun

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestTheRelayEndsAsTheProgramDid, whatever becomes of its report: there is no /tekton here.
func TestTheRelayEndsAsTheProgramDid(t *testing.T) {
	tried := 0
	for _, shell := range [][]string{{"dash"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		program, err := exec.LookPath(shell[0])
		if err != nil {
			continue
		}
		tried++
		for script, want := range map[string]int{
			"true": 0, "exit 3": 3, "exit 255": 255, "kill -SEGV $$": 128 + 11, "s=7 exec false": 1, "exec /none": 127,
			"sleep 1; exit 4": 4, // and has the signal that the container gets
		} {
			c := exec.Command(program, append(shell[1:], "-c", relay, "sh", "sh", "-c", script)...)
			c.Env = append(c.Environ(), "s=9")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if want == 4 {
				time.AfterFunc(500*time.Millisecond, func() { _ = c.Process.Signal(syscall.SIGTERM) }) // to the relay alone
			}
			err := c.Wait()
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			if code != want {
				t.Errorf("%v: %s: exit code %d, want %d", shell, script, code, want)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no shell was found: dash, bash or busybox")
	}
}
