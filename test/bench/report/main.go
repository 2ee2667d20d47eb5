// report runs the benchmarks one after the other and writes docs/bench.md, a page of tables, and docs/bench: plots, and what the benchmarks printed.
//
//	go run ./test/bench/report -size small
//
// Each is run as often as -count says, so that a figure has a spread. What needs a full cluster is run if one is up, and stands in the page as
// not measured otherwise.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	size := flag.String("size", "large", "small or large: how much each benchmark does")
	count := flag.Int("count", 3, "how often each is run")
	only := flag.String("only", "", "run only benchmarks whose title matches, and leave the others as they were measured before")
	out := flag.String("out", "docs/bench", "where the plots and the benchmarks' output go; the page is beside it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *size, *count, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, size string, count int, only, out string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if size != "small" && size != "large" {
		return fmt.Errorf("-size is %q: write small or large", size)
	}
	raw := filepath.Join(out, "raw")
	if err := os.MkdirAll(raw, 0o755); err != nil {
		return err
	}
	for _, b := range benches {
		file := filepath.Join(raw, b.name+".txt")
		if !chosen.MatchString(b.title) || ctx.Err() != nil {
			continue
		}
		why := b.cannot()
		if why == "" {
			fmt.Printf("%s: %s\n", time.Now().Format(time.TimeOnly), b.title)
			why = b.measure(ctx, size, count, file)
		}
		if why != "" { // in place of what was measured by an earlier state of the code
			fmt.Printf("%s: not measured: %s\n", b.title, why)
			if err := os.WriteFile(file, []byte("not measured: "+why+"\n"), 0o644); err != nil {
				return err
			}
		}
	}
	return write(out)
}

// measure runs a benchmark, writes its output to a file, and says why there is none.
func (b bench) measure(ctx context.Context, size string, count int, file string) (why string) {
	args := []string{"test", "-vet=off", "-run", "-", "-bench", b.run, "-benchtime", cmp.Or(b.times, "1x"), "-count", fmt.Sprint(count), "-timeout", "6h", "./" + b.folder}
	settings := b.settings(size)
	var printed bytes.Buffer
	fmt.Fprintf(&printed, "command: %s\n", strings.Join(append(settings, "go "+strings.Join(args, " ")), " "))
	fmt.Fprintf(&printed, "%s", machine())
	cmd := exec.CommandContext(ctx, "go", args...)
	if b.full {
		cmd = exec.CommandContext(ctx, "bash", append([]string{"-c", `. "$0/env" && exec go "$@"`, clusterDir()}, args...)...)
	}
	// Functions are built as their images are: what is measured is what is shipped, and what deploy has compiled is compiled.
	cmd.Env = append(append(os.Environ(), "HARNESS_RACE=0", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false -trimpath",
		"CLUSTER_DIR="+clusterDir()), settings...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&printed, os.Stdout), io.MultiWriter(&printed, os.Stderr)
	if err := cmd.Run(); err != nil {
		return "its benchmark failed: " + err.Error()
	}
	fmt.Fprintf(&printed, "load average at the end: %s\n", load())
	text := strings.ReplaceAll(printed.String(), root(), ".") // where this machine has it is no news
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err.Error()
	}
	return ""
}

func root() string {
	dir, _ := os.Getwd() // `make` and `go run` start in the repository
	return dir
}

// machine says on what, and on what else it did, a benchmark was run.
func machine() string {
	first := func(path, key string) string {
		b, _ := os.ReadFile(path)
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	say := func(name string, args ...string) string {
		b, _ := exec.Command(name, args...).Output()
		return strings.TrimSpace(string(b))
	}
	commit := say("git", "rev-parse", "--short", "HEAD")
	if say("git", "status", "--porcelain", "--", ".", ":!docs/bench") != "" {
		commit += ", with changes"
	}
	return fmt.Sprintf("date: %s\nmachine: %s processors (%s), %s of memory, %s, %s\ncommit: %s\nload average at the start: %s\n",
		time.Now().UTC().Format(time.DateTime), say("nproc"), first("/proc/cpuinfo", "model name"), first("/proc/meminfo", "MemTotal"),
		"Linux "+say("uname", "-r"), say("go", "version"), commit, load())
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return strings.Join(strings.Fields(string(b))[:2], ", ") + " (1 and 5 minutes)"
}
