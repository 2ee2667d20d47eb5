package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestWhenAPauseEnds(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 500, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-12-01T06:00":     "2026-12-01T05:00:00Z",
		"2026-12-01 06:00":     "2026-12-01T05:00:00Z",
		"2026-12-01":           "2026-11-30T23:00:00Z",
		"2026-12-01T06:00:00Z": "2026-12-01T06:00:00Z",
		"+8h":                  "2026-11-30T20:00:01Z",
		"90m":                  "2026-11-30T13:30:01Z",
		"2026-11-30T12:59":     "! is over, it was at 2026-11-30T11:59:00Z: give a time that is to come",
		"-1h":                  "! is over",
		"+0s":                  "! is over",
		"tomorrow":             "! neither a time",
	} {
		at, err := pauseEnd(text, berlin, now)
		switch said, isError := strings.CutPrefix(want, "! "); {
		case isError:
			if err == nil || !strings.Contains(err.Error(), said) {
				t.Errorf("%s: %v, want %s", text, err, said)
			}
		case err != nil || at.UTC().Format(time.RFC3339) != want:
			t.Errorf("%s: %v %v, want %s", text, at, err, want)
		}
	}
	if at, err := pauseEnd("", berlin, now); at != nil || err != nil {
		t.Errorf("%v %v", at, err)
	}
}

func TestABlackoutOfTheCommandLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "holidays.ics")
	if err := os.WriteFile(file, []byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large.ics")
	if err := os.WriteFile(large, make([]byte, maxICalendar+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what blackout
		err  string
	}{
		{blackout{policy: "Skip", from: "2999-12-24T12:00", to: "2999-12-27T00:00", zone: "Europe/Berlin"}, ""},
		{blackout{policy: "Shift", from: "22:00", to: "06:00", days: []string{"Fri", "Sat"}}, ""},
		{blackout{policy: "RunAfter", from: "22:00", to: "06:00"}, ""},
		{blackout{policy: "Skip", icalendar: file}, ""},
		{blackout{policy: "skip", from: "22:00", to: "06:00"}, "Skip, Shift or RunAfter"},
		{blackout{policy: "Skip"}, "say when"},
		{blackout{policy: "Skip", from: "22:00"}, "say when"},
		{blackout{policy: "Skip", from: "2020-12-24T12:00", to: "2020-12-27T00:00"}, "is over"},
		{blackout{policy: "Skip", from: "2999-12-24T12:00", to: "2999-12-24T12:00"}, "must be before"},
		{blackout{policy: "Skip", from: "noon", to: "later"}, "are times"},
		{blackout{policy: "Skip", from: "22:00", to: "06:00", days: []string{"Friday"}}, "Friday"},
		{blackout{policy: "Skip", from: "22:00", to: "06:00", zone: "Mars"}, "IANA"},
		{blackout{policy: "Skip", icalendar: file, from: "22:00"}, "leave out"},
		{blackout{policy: "Skip", icalendar: large}, "64 KiB"},
		{blackout{policy: "Skip", icalendar: "missing.ics"}, "no such file"},
	} {
		_, err := row.what.described(&cobra.Command{}, "b")
		if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
			t.Errorf("%+v: %v, want %q", row.what, err, row.err)
		}
	}
}

func TestWhatCanNotBeScheduledIsRefused(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for expression, want := range map[string]string{
		"H H(1-5) * * *": "", "@at 2026-12-24T18:00": "", "@at 2026-11-30T12:00": "is over: give a time that is to come", "@at noon": "@at 2026-12-24T18:00",
		"H(5-1) * * * *": "H is written", "0 0 30 2 *": "never",
	} {
		err := checkSchedules("", []string{expression}, now)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", expression, err, want)
		}
	}
}
