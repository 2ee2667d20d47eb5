package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// fill puts what a run wrote in a page, in place of what one of its kind wrote there before. No page, nothing to do.
func fill(path, kind, text string) error {
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := filled(string(b), kind, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

// filled is a page with the text between the two comments that say its kind.
func filled(page, kind, text string) (string, error) {
	from, to := "<!-- written by a run: "+kind+" -->", "<!-- to here: "+kind+" -->"
	head, rest, began := strings.Cut(page, from)
	_, tail, ended := strings.Cut(rest, to)
	if !began || !ended {
		return "", fmt.Errorf("it lacks the lines %q and %q", from, to)
	}
	return head + from + "\n\n" + strings.TrimSpace(text) + "\n\n" + to + tail, nil
}

// machine is what it all runs on.
func machine() string {
	memory := "unknown memory"
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib float64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %f kB", &kib); err == nil {
			memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
		}
	}
	return fmt.Sprintf("a machine of %d cores and %s", runtime.NumCPU(), memory)
}
