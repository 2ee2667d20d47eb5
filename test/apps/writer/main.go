// writer is the App of the tests of logs: it writes numbered lines, and does with a signal what it is told to.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	lines := flag.Int("lines", 10, "how many lines to write")
	width := flag.Int("width", 40, "bytes of a line")
	every := flag.Duration("every", 0, "pause between lines; 0 is full speed")
	stderr := flag.Int("stderr", 0, "each so-manieth line goes to stderr")
	before := flag.Duration("before", 0, "pause before the first line")
	stay := flag.Duration("stay", 0, "how long to stay after the last line")
	term := flag.Duration("term", 0, "how long to go on writing, a line each 100 ms, after SIGTERM")
	ignore := flag.Bool("ignore", false, "ignore SIGTERM, and write on")
	code := flag.Int("code", 0, "exit code")
	say := flag.String("say", "", "say just this, with Go's escapes")
	flag.Parse()

	stop := make(chan os.Signal, 1)
	if *ignore {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(stop, syscall.SIGTERM)
	}
	out, err := bufio.NewWriterSize(os.Stdout, 64<<10), bufio.NewWriterSize(os.Stderr, 64<<10)
	if *say != "" {
		fmt.Println(strings.NewReplacer(`\e`, "\x1b", `\n`, "\n", `\r`, "\r", `\a`, "\a").Replace(*say))
	}
	pad := strings.Repeat("x", max(0, *width-13))
	n := 0
	line := func() {
		n++
		w := out
		if *stderr > 0 && n%*stderr == 0 {
			w = err
		}
		fmt.Fprintf(w, "line %07d %s\n", n, pad)
		if *every > 0 || *stderr > 0 || n > *lines {
			w.Flush()
		}
	}
	pause := func(d time.Duration) (told bool) {
		select {
		case <-stop:
			return true
		case <-time.After(d):
			return false
		}
	}
	end := func() {
		out.Flush()
		for until := time.Now().Add(*term); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
			line()
		}
		fmt.Println("last words")
		os.Exit(143)
	}
	if pause(*before) {
		end()
	}
	for n < *lines {
		line()
		if *every > 0 && pause(*every) {
			end()
		}
	}
	out.Flush()
	for until := time.Now().Add(*stay); time.Now().Before(until); {
		if pause(100 * time.Millisecond) {
			end()
		}
		if *ignore {
			line()
		}
	}
	os.Exit(*code)
}
