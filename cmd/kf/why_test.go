package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/story"
)

func TestInstantIn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-12-01T02:30:00Z":      "2026-12-01T02:30:00Z",
		"2026-12-01T02:30:00+01:00": "2026-12-01T01:30:00Z",
		"2026-12-01T02:30Z":         "2026-12-01T02:30:00Z",
		"2026-12-01T02:30":          "2026-12-01T01:30:00Z",
		"2026-12-01 02:30":          "2026-12-01T01:30:00Z",
		"2026-12-01T02:30:07Z":      "whole minutes",
		"0001-01-01T00:00:00Z":      "before 1970",
		"yesterday":                 "neither a Task's ID nor an instant",
		"2026-13-01T02:30:00Z":      "neither a Task's ID nor an instant",
	} {
		at, err := instantIn(text, berlin)
		got := at.Format(time.RFC3339)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestAStoryIsInertAndShort: whoever wrote its parts, and however much.
func TestAStoryIsInertAndShort(t *testing.T) {
	var out strings.Builder
	o := &why{target: &target{screen: screen{&out, &out}}, output: "wide"}
	hostile := "x\x1b[2J\nforged" + strings.Repeat("y", 5000)
	s := story.Story{About: hostile, Outcome: "Failed", Lines: []story.Line{{What: hostile, By: "Pod"}}, Unknown: []string{hostile}, Do: "wait"}
	o.print(s)
	text := out.String()
	if n := strings.Count(text, "\n"); n != 6 || strings.ContainsAny(text, "\x1b%") || !strings.Contains(text, "[Pod]") {
		t.Errorf("%d rows: %.300q", n, text)
	}
	for _, row := range strings.Split(text, "\n")[1:] {
		if inert.Columns(row) > longest+50 {
			t.Errorf("%d columns", inert.Columns(row))
		}
	}
	out.Reset()
	o.output = "json"
	if err := o.data(s); err != nil {
		t.Fatal(err)
	}
	if text = out.String(); strings.Contains(text, "\x1b") || !strings.Contains(text, strings.Repeat("y", 5000)) || !strings.Contains(text, `"kind": "Story"`) {
		t.Errorf("%.300q", text)
	}
}

// TestBadOverridesAreRefusedBeforeAnythingIsAsked: there is no cluster here, and none is missed.
func TestBadOverridesAreRefusedBeforeAnythingIsAsked(t *testing.T) {
	many := []string{"run-job", "nightly"}
	for i := range maxEnv + 1 {
		many = append(many, "-e", fmt.Sprintf("V%d=", i))
	}
	t.Setenv("KUBECONFIG", "/nonexistent")
	for says, args := range map[string][]string{
		"write NAME=VALUE":               {"run-job", "nightly", "--env", "MONTH"},
		"no digit first":                 {"run-job", "nightly", "--env", "1A=x"},
		"letters, digits and '_'":        {"run-job", "nightly", "--env", "a.b=x"},
		"its value has 32769 bytes":      {"run-job", "nightly", "--env", "A=" + strings.Repeat("x", maxEnvValue+1)},
		"this system's own":              {"run-job", "nightly", "--env", "KF_DOLLAR=x"},
		"not valid UTF-8":                {"run-job", "nightly", "--env", "A=\xff"},
		"can have 64 variables":          many,
		"--memory-limit":                 {"run-job", "nightly", "-m", "512"},
		"--cpu-cores":                    {"run-job", "nightly", "--cpu-cores", "-1"},
		"--disk-quota":                   {"run-job", "nightly", "-k", "0"},
		"can't be negative":              {"run-job", "nightly", "--timeout", "-1s"},
		"at most 87600h":                 {"run-job", "nightly", "--timeout", "87601h"},
		"at most 100":                    {"run-job", "nightly", "--retries", "101"},
		"--command is empty":             {"run-job", "nightly", "--command", ""},
		"--env is empty":                 {"run-job", "nightly", "--env", ""},
		"neither a Task's ID nor an ins": {"why", "nightly", "today"},
		"schedules name whole minutes":   {"why", "nightly", "2026-12-01T02:30:07Z"},
		"--output yam":                   {"why", "nightly", "-o", "yam"},
		"argument 2 is empty":            {"why", "nightly", ""},
	} {
		_, said, code := kf(t, args...)
		if code != exitUsage || !strings.Contains(said, says) {
			t.Errorf("kf %.80q: exit code %d, %.300s; want %s", args, code, said, says)
		}
	}
}
