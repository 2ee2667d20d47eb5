package main

import (
	"strings"
	"testing"
)

// TestFilled: a run takes the place of the one before it of its kind, and leaves the others and what was said by hand.
func TestFilled(t *testing.T) {
	page := "# Proof\n\n## A\n\n<!-- written by a run: a -->\n\nNo run yet.\n\n<!-- to here: a -->\n\n## B\n\n<!-- written by a run: b -->\n<!-- to here: b -->\n\nBy hand.\n"
	for _, run := range [][2]string{{"b", "on NATS"}, {"a", "first\n\n| a |"}, {"a", "second\n"}} {
		var err error
		if page, err = filled(page, run[0], run[1]); err != nil {
			t.Fatal(err)
		}
	}
	want := "# Proof\n\n## A\n\n<!-- written by a run: a -->\n\nsecond\n\n<!-- to here: a -->\n\n## B\n\n<!-- written by a run: b -->\n\non NATS\n\n<!-- to here: b -->\n\nBy hand.\n"
	if page != want {
		t.Errorf("%s\nwant\n%s", page, want)
	}
	if _, err := filled(strings.ReplaceAll(page, "to here: b", ""), "b", "third"); err == nil {
		t.Error("where there is no place for it, it is not said to be there")
	}
}
