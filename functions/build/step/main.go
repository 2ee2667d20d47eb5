// step is the program in the steps of a build: it fetches the source, and runs the phases of Cloud Native Buildpacks so that what
// has failed, and how, is told as a result of the Tekton task.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `step source ...               fetches the source, and prepares what the other steps need
step prepare ...              prepares it without a source
step run ... -- COMMAND ARG   runs a phase`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
	}
	os.Exit(code)
}

// run does what the arguments say, and returns the exit code: a phase's own, else 1 for an error.
func run(ctx context.Context, args []string, out, errOut io.Writer) (code int, err error) {
	if len(args) == 0 {
		return 1, errors.New(usage)
	}
	switch args[0] {
	case "source", "prepare":
		if err := prepare(ctx, args[0], args[1:], out); err != nil {
			return 1, err
		}
		return 0, nil
	case "run":
		return phase(ctx, args[1:], out, errOut)
	}
	return 1, fmt.Errorf("there is no %.80q:\n%s", args[0], usage)
}
