// chaos breaks the full local cluster under a steady load, by a plan that is made of a seed alone, and then checks every promise from what
// the cluster has and what the containers wrote: make chaos. With -soak nothing is broken, and what grows is looked for: make soak.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "what is broken, and when, is drawn from this; what the cluster makes of it has no seed")
	flag.DurationVar(&o.length, "length", 8*time.Minute, "how long the run is to take, waiting for what recovers included")
	flag.DurationVar(&o.every, "every", 5*time.Second, "how often the load asks for something")
	flag.StringVar(&o.dir, "dir", ".cluster", "the cluster's folder")
	flag.StringVar(&o.binary, "cluster", "bin/cluster", "the program that started it")
	flag.StringVar(&o.report, "report", "dist/chaos.md", "where the report goes")
	flag.StringVar(&o.proof, "proof", "", "a page which has a place for the report, besides")
	flag.StringVar(&o.lost, "lost", "", "a page which has a place for the table of what is lost when what dies")
	flag.StringVar(&o.log, "log", "dist/chaos.log", "where each fault is logged")
	flag.BoolVar(&o.soak, "soak", false, "break nothing, and watch memory, goroutines, open files and etcd")
	plan := flag.Bool("plan", false, "print the plan, and do nothing")
	flag.Parse()
	if *plan {
		for _, s := range Plan(o.seed, o.window(), namesOf(faults(inMemory))) {
			fmt.Printf("%8s  %s\n", s.At.Round(time.Second), s.Fault)
		}
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := execute(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	seed                                  uint64
	length, every                         time.Duration
	dir, binary, report, proof, lost, log string
	soak                                  bool
}

// window is how long faults come: the rest of the time things recover.
func (o options) window() time.Duration { return o.length * 3 / 4 }

// errBroken is the end of a run that found something.
var errBroken = errors.New("a promise is broken: see the report")

// execute sets up, runs, and tidies up, whatever comes of it.
func execute(ctx context.Context, o options) error {
	w, err := settings()
	if err != nil {
		return err
	}
	if w.Cluster, err = connect(o.dir, o.binary); err != nil {
		return err
	}
	if o.soak {
		w.retain = soakRetain
	}
	if w.sink, err = listen(ctx, w.host); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(w.records) }() // a container may still write
	defer func() {
		if err := w.restore(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, "not all is as it was:", err)
		}
	}()
	r, err := newRecord(ctx, o, &w)
	if err != nil {
		return err
	}
	if o.soak {
		return soak(ctx, r)
	}
	return r.run(ctx)
}
