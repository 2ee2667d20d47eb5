package checker

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The calendar that tick is compared with, where clocks change: these are cron(8)'s own cases.
func TestCalendarAtAChangeOfTheClock(t *testing.T) {
	for _, tt := range []struct {
		zone, day string
		expr      expr
		want      string // in UTC
	}{
		{"Europe/Berlin", "2027-03-28", daily(2, 30), "01:00"},             // skipped: at once, when the clock has been put forward
		{"Europe/Berlin", "2027-03-28", daily(3, 30), "01:30"},             //
		{"Europe/Berlin", "2027-10-31", daily(2, 30), "00:30"},             // repeated: the first time only
		{"America/New_York", "2026-11-01", daily(1, 5), "05:05"},           //
		{"America/New_York", "2026-11-01", daily(2, 5), "07:05"},           //
		{"Asia/Kathmandu", "2026-11-01", daily(5, 50), "00:05"},            // 5 hours and 45 minutes ahead
		{"Europe/Berlin", "2027-10-31", hourly(30), "00:30 01:30"},         // * in the hours: whatever the clock shows
		{"Europe/Berlin", "2027-03-28", hourly(30), "00:30 01:30 02:30"},   //
		{"America/New_York", "2026-11-01", hourly(5), "05:05 06:05 07:05"}, //
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, tt.day)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for m := range 24 * 60 {
			if at := day.Add(time.Duration(m) * time.Minute); tt.expr.names(at, zone) {
				got = append(got, at.Format("15:04"))
			}
		}
		if s := strings.Join(got, " "); !strings.Contains(s, tt.want) || !tt.expr.wildcard && s != tt.want {
			t.Errorf("%s in %s on %s: %s, want %s", tt.expr.text, tt.zone, tt.day, s, tt.want)
		}
	}
}

func hourly(minute int) expr {
	e := every()
	e.text, e.minute = fmt.Sprintf("%d * * * *", minute), map[int]bool{minute: true}
	return e
}

// What is chosen depends on the seed and on what it is about, on nothing else.
func TestChoicesAreTheSameAgain(t *testing.T) {
	first := choices(7).about("minute", 3).Int64()
	choices(7).about("minute", 2).Int64() // another choice in between
	if again := choices(7).about("minute", 3).Int64(); again != first {
		t.Error("the same choice came out otherwise")
	}
	if choices(7).about("minute", 4).Int64() == first || choices(8).about("minute", 3).Int64() == first {
		t.Error("two choices are one")
	}
	if a, b := randomExpr(choices(7).about("Job", 1)), randomExpr(choices(7).about("Job", 1)); a.text != b.text {
		t.Errorf("%q, then %q", a.text, b.text)
	}
}
