// Package transcript compares what a page shows of a terminal with what a terminal has shown.
package transcript

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// LeftOut is a line of a page in whose place any number of lines may have been printed.
const LeftOut = "..."

// Step is one command, and what it printed, line by line.
type Step struct {
	Command string
	Output  []string
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Parse reads steps: a line that begins with "$ " is a command, what follows is its output. What stands before the first is nobody's.
func Parse(text string) (steps []Step) {
	for line := range strings.SplitSeq(strings.TrimRight(colour.ReplaceAllString(text, ""), "\n"), "\n") {
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case is:
			steps = append(steps, Step{Command: command})
		case len(steps) > 0:
			last := &steps[len(steps)-1]
			last.Output = append(last.Output, line)
		}
	}
	return steps
}

// changing are the parts of a line that no two runs have alike. Both sides are written so; what is alike by accident costs no test its point.
var changing = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b`), "DAY"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:?\d\d)?( ?[A-Z]{2,5}\b)?`), "TIME"},
	{regexp.MustCompile(`-build-[0-9a-f]{6,}\b`), "-build-HASH"},
	{regexp.MustCompile(`\b([a-z][a-z0-9-]*)-[a-z0-9]{5}\b`), "$1-ID"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|s|m|h|d))+\b`), "DURATION"},
	{regexp.MustCompile(`\s+`), " "},
}

// progress are lines that say how far something is; whether one is seen is a matter of time.
var progress = regexp.MustCompile(`^Task [a-z0-9-]+: (Pending|Running)\b|^waiting for |^\s*$`)

func plain(lines []string) (out []string) {
	for _, line := range lines {
		if progress.MatchString(line) {
			continue
		}
		for _, c := range changing {
			line = c.pattern.ReplaceAllString(line, c.as)
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

// Differs says where what was printed is not what the page shows, or nothing. IDs, times and durations may differ, and columns be wider.
func (s Step) Differs(printed []string) error {
	want, got := plain(s.Output), plain(printed)
	if fits(want, got) {
		return nil
	}
	return fmt.Errorf("$ %s\nthe page shows (compared as)\n  %s\nprinted was\n  %s", s.Command, strings.Join(want, "\n  "), strings.Join(got, "\n  "))
}

func fits(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == LeftOut:
		for skip := range len(got) + 1 {
			if fits(want[1:], got[skip:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && want[0] == got[0] && fits(want[1:], got[1:])
}

// Compare says where a log is not what a page shows in its block "printed by". The log may have more commands than the page, not fewer.
func Compare(page, by, log string) error {
	_, block, found := strings.Cut(page, "<!-- printed by "+by+" -->\n```console\n")
	block, _, ended := strings.Cut(block, "\n```")
	if !found || !ended {
		return fmt.Errorf("the page has no block of what is printed by %s", by)
	}
	printed := map[string][]string{}
	for _, s := range Parse(log) {
		printed[s.Command] = s.Output
	}
	var errs []error
	for _, s := range Parse(block) {
		if got, ran := printed[s.Command]; !ran {
			errs = append(errs, fmt.Errorf("%s was not run", s.Command))
		} else {
			errs = append(errs, s.Differs(got))
		}
	}
	return errors.Join(errs...)
}
