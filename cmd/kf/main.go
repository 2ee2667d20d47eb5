// kf runs one-off and scheduled work of Apps on Kubernetes. Its commands and flags are those of Kf's own CLI.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.SetLogger(logr.Discard()) // client-go's own words, of a watch that ends with the program for example
	os.Exit(run(ctx, screen{os.Stdout, os.Stderr}, os.Args[1:]))
}

// run is the program; it returns its exit code.
func run(ctx context.Context, s screen, args []string) int {
	root, t := newProgram(s)
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") { // a plugin of kubectl: kubectl kf
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl kf"}
	}
	whichShell(root)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var exit exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case cmd == root: // no such command: cobra's suggestions are a paragraph of their own, and an error is one row
		err = coded{exitUsage, errors.New(strings.Join(strings.Fields(err.Error()), " ") + "; `kf --help` lists commands and flags")}
	}
	s.failure(err, advice(err, t.space))
	code := codeOf(err, t.asked)
	waits := cmd.Flags().Lookup("wait")
	if waits != nil && waits.Value.String() == "true" && t.asked && !errors.As(err, new(unsuccessful)) {
		code = exitNotWaited
	}
	return code
}
