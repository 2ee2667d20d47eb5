package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// phase runs a command, passes on what it writes, and returns its exit code. Where it fails, the result LOG tells phase, exit code and
// its last lines; where it makes an image, the result IMAGE_DIGEST tells which.
func phase(ctx context.Context, args []string, out, errOut io.Writer) (code int, err error) {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	name := f.String("phase", "", "name of the phase")
	log := f.String("log", "", "file to write a failure to")
	digest := f.String("digest", "", "file to write the digest of the image to")
	report := f.String("report", "", "report.toml of a phase that makes an image")
	buildpacks := f.String("buildpacks", "", "IDs of the buildpacks to use, with commas in between")
	order := f.String("order", "", "order.toml to write of them")
	if err := f.Parse(args); err != nil {
		return 1, err
	}
	fail := func(err error) (int, error) {
		return 1, errors.Join(err, tell(*log, fmt.Sprintf("%s: %v", *name, err)))
	}
	if err := forget(*log, *digest, *report, provenance); err != nil {
		return fail(err)
	}
	command := f.Args()
	if len(command) == 0 {
		return fail(errors.New("there is no command"))
	}
	if *buildpacks != "" {
		if err := writeOrder(*order, cnbBuildpacks, strings.Split(*buildpacks, ",")); err != nil {
			return fail(err)
		}
	}
	last := &tail{}
	code, err = execute(ctx, command, io.MultiWriter(out, last), io.MultiWriter(errOut, last))
	err = errors.Join(err, forget(*log, *digest, provenance))
	switch {
	case err != nil:
		return fail(err)
	case code == terminated:
		return code, tell(*log, stopped(*name)+"\n"+last.String())
	case code != 0:
		return code, tell(*log, fmt.Sprintf("%s failed with exit code %d:\n%s", *name, code, last))
	case *report != "":
		if err := writeDigest(*report, *digest); err != nil {
			return fail(err)
		}
	}
	return 0, nil
}

// stopped says that a phase had no chance: what it met when it was to end is not why.
func stopped(phase string) string {
	return phase + " was stopped, as when its Pod is deleted or evicted: push again"
}

// provenance is a file that Tekton's entrypoint reads at the end of each step, as it reads the results.
var provenance = "/tekton/artifacts/provenance.json"

// forget removes what a step before has left where Tekton reads what this one tells. All steps write there, and Tekton follows links: one
// that a buildpack has left would have it tell the credentials that this step sees.
func forget(files ...string) error {
	for _, file := range files {
		if file == "" {
			continue
		}
		if err := os.RemoveAll(file); err != nil {
			return fmt.Errorf("remove what another step has left: %w", err)
		}
	}
	return nil
}

// write writes a file that is not there; what is there, be it a link, is removed.
func write(to, text string) error {
	if err := forget(to); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// terminated is the exit code of what SIGTERM has ended, as a shell gives it. Nothing in a build sends that, but the kubelet does.
const terminated = 128 + int(syscall.SIGTERM)

// execute runs a command to its end. A signal that ends this program ends it first, and it has the time that the Pod has.
func execute(ctx context.Context, command []string, out, errOut io.Writer) (code int, err error) {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = time.Minute
	c.Stdout, c.Stderr = out, errOut
	err = c.Run()
	var exit *exec.ExitError
	switch {
	case err != nil && ctx.Err() != nil: // however it took the signal: a compiler ends with an exit code of its own
		return terminated, nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal()), nil
	}
	return 0, err
}

// writeDigest says which image was made (buildpacks/spec, platform.md, report.toml).
func writeDigest(report, to string) error {
	var r struct {
		Image struct {
			Digest string `toml:"digest"`
		} `toml:"image"`
	}
	if _, err := toml.DecodeFile(report, &r); err != nil {
		return fmt.Errorf("the report of the image that was made: %w", err)
	}
	if r.Image.Digest == "" {
		return fmt.Errorf("the report of the image that was made, %s, has no digest", report)
	}
	return write(to, r.Image.Digest)
}

// Kubernetes takes 12 KiB of what the containers of a Pod say at their end, each an equal part: of eight containers 1.5 KiB, Tekton's
// own words and the quotes of JSON included. What is longer is cut, and then all of it is lost.
const (
	maxTold  = 900 // bytes, as JSON
	maxLines = 20
)

// tell writes a failure as a result.
func tell(to, what string) error {
	if to == "" {
		return nil
	}
	return write(to, short(what))
}

// short is the first line, which says what failed, and of the others the last.
func short(what string) string {
	lines := strings.Split(strings.TrimSpace(what), "\n")
	for i := range lines {
		lines[i] = strings.ToValidUTF8(inert.Line(strings.TrimRight(lines[i], "\r \t")), "?")
	}
	first := cut(lines[0], maxTold/2)
	kept, left := []string{}, maxTold-quoted(first)
	for i := len(lines) - 1; i > 0 && len(kept) < maxLines; i-- {
		line := cut(lines[i], maxTold/2)
		if left -= quoted(line) + 2; left < 0 {
			break
		}
		if line != "" {
			kept = append([]string{line}, kept...)
		}
	}
	return strings.Join(append([]string{first}, kept...), "\n")
}

// cut keeps the beginning of a line that has more than so many bytes.
func cut(line string, most int) string {
	if quoted(line) <= most {
		return line
	}
	runes := []rune(line)
	for len(runes) > 0 && quoted(string(runes)) > most-len("...") {
		runes = runes[:len(runes)*9/10]
	}
	return string(runes) + "..."
}

// quoted is how many bytes a string has as JSON, at most: Go's encoder writes < > & and control characters as six.
func quoted(s string) (n int) {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			n += 2
		case r < 0x20 || r == '<' || r == '>' || r == '&' || r == 0x2028 || r == 0x2029:
			n += 6
		default:
			n += len(string(r))
		}
	}
	return n
}

// tail keeps the last of what is written to it, by a command's two outputs at once.
type tail struct {
	mu   sync.Mutex
	last []byte
}

// maxTail is more than can be told.
const maxTail = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if n := len(t.last) - maxTail; n > 0 {
		t.last = append([]byte(nil), t.last[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
