// kf runs one-off and scheduled work of Apps on Kubernetes. Its commands and flags are those of Kf's own CLI.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	var exit exitCode
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(int(exit))
	default:
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// exitCode ends the program with a Task's own exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("the Task exited with code %d", int(e)) }
