// call is the program of a Task that sends an HTTP request. It ends with 0 if the answer was a 2xx, with 1 if it was not or there was
// none, and as a program that a signal ended if it was stopped.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/call"
)

const terminated = 128 + int(syscall.SIGTERM) // as every shell says it

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := call.Send(ctx, os.Getenv, os.Stdout, time.Now)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "ERROR:", err)
	if ctx.Err() != nil {
		os.Exit(terminated) //nolint:gocritic // nothing is left to be stopped
	}
	os.Exit(1)
}
