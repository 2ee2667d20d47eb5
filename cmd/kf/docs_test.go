package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/docs/page"
)

// pages are all pages of the project.
func pages(t *testing.T) []*page.Page {
	t.Helper()
	all, err := page.All("../..")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// program is kf as its user calls it: with the commands that cobra adds.
func program() *cobra.Command {
	root := newRoot(screen{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// takes says what of a command line the program would not take.
func takes(words []string) error {
	c, rest, err := program().Find(words)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if help := c.Flags().Lookup("help"); help != nil && help.Changed {
		return nil
	}
	return c.ValidateArgs(c.Flags().Args())
}

// ofKf are the words after kf of a command of a script; is says whether it is one.
func ofKf(words []string) (rest []string, is bool) {
	switch {
	case words[0] == "kf" || words[0] == "bin/kf":
		return words[1:], true
	case words[0] == "kubectl" && len(words) > 1 && words[1] == "kf":
		return words[2:], true
	}
	return nil, false
}

// TestKfTakesWhatTheDocsSay: every command line of every page, as far as it can be told without a cluster.
func TestKfTakesWhatTheDocsSay(t *testing.T) {
	lines := 0
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.Lang != "sh" && b.Lang != "console" {
				continue
			}
			script := b.Text
			if b.Lang == "console" {
				script = strings.Join(regexp.MustCompile(`(?m)^\$ .*$`).FindAllString(b.Text, -1), "\n")
				script = strings.ReplaceAll("\n"+script, "\n$ ", "\n")
			}
			for _, words := range page.Commands(script) {
				if line, is := ofKf(words); is {
					lines++
					if err := takes(line); err != nil {
						t.Errorf("%s:%d: kf %s: %v", p.Path, b.Line, strings.Join(line, " "), err)
					}
				}
			}
		}
	}
	if lines < 30 {
		t.Errorf("only %d command lines found", lines)
	}
}

var flagWord = regexp.MustCompile(`(?:^|[ \[])(--?[a-z][a-z-]*)`)

// names says what of a command in running text is there: it may have placeholders where a command line has words.
func namesWhatIs(code string) error {
	words := strings.Fields(code)
	if len(words) < 2 || !regexp.MustCompile(`^[a-z][a-z-]+$`).MatchString(words[1]) {
		return nil
	}
	c, _, err := program().Find(words[1:2])
	if err != nil {
		return err
	}
	if sub, _, err := c.Find(words[2:]); err == nil {
		c = sub
	}
	c.InitDefaultHelpFlag()
	head, _, _ := strings.Cut(code, "|")
	for _, m := range flagWord.FindAllStringSubmatch(strings.TrimPrefix(head, "kf "+words[1]), -1) {
		long, isLong := strings.CutPrefix(m[1], "--")
		if isLong && c.Flag(long) == nil || !isLong && c.Flags().ShorthandLookup(m[1][1:2]) == nil && c.InheritedFlags().ShorthandLookup(m[1][1:2]) == nil {
			return fmt.Errorf("there is no flag %s", m[1])
		}
	}
	return nil
}

// TestKfHasWhatTheDocsName: in running text too.
func TestKfHasWhatTheDocsName(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, c := range p.Codes {
			if !strings.HasPrefix(c.Text, "kf ") {
				continue
			}
			found++
			if err := namesWhatIs(c.Text); err != nil {
				t.Errorf("%s:%d: %s: %v", p.Path, c.Line, c.Text, err)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d found", found)
	}
}

// TestDocsTestsCanFail: what is wrong in a page is found.
func TestDocsTestsCanFail(t *testing.T) {
	for _, line := range []string{"run-tusk shop", "run-task shop --comand x", "run-task", "tasks shop shop", "run-task shop --retries two", "webhook deliveries"} {
		if takes(strings.Fields(line)) == nil {
			t.Errorf("kf %s is taken", line)
		}
	}
	for _, line := range []string{"run-task shop -c x --wait", "webhook deliveries push", "completion bash", "why shop 3", "tasks --help", "help tasks"} {
		if err := takes(strings.Fields(line)); err != nil {
			t.Errorf("kf %s: %v", line, err)
		}
	}
	if namesWhatIs("kf run-tusk APP") == nil || namesWhatIs("kf run-task APP [--comand C]") == nil || namesWhatIs("kf run-task APP [-c C]") != nil {
		t.Error("running text")
	}
}
