// kf runs one-off and scheduled work of Apps on Kubernetes. Its commands and flags are those of Kf's own CLI.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, screen{os.Stdout, os.Stderr}, os.Args[1:]))
}

// run is the program; it returns its exit code.
func run(ctx context.Context, s screen, args []string) int {
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var exit exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case cmd == root: // no such command: cobra's suggestions are a paragraph of their own, and an error is one row
		err = errors.New(strings.Join(strings.Fields(err.Error()), " ") + "; `kf --help` lists commands and flags")
	}
	s.progress("Error: %v", err)
	return 1
}

// exitCode ends the program with a Task's own exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("the Task exited with code %d", int(e)) }
