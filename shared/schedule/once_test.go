package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A day of the year 2025 in New York has a skipped hour on 9 March and a repeated one on 2 November.
func TestOnceNamesOneMinute(t *testing.T) {
	for _, row := range []struct{ expression, zone, want string }{
		{"@at 2026-12-24T18:00", "", "2026-12-24 18:00"},
		{" @AT  2026-12-24 18:00 ", "Europe/Berlin", "2026-12-24 17:00"},
		{"@at 2026-01-01T00:30", "Asia/Tokyo", "2025-12-31 15:30"},
		{"@at 2026-12-31T23:30", "America/New_York", "2027-01-01 04:30"},
		{"@at 2025-03-09T02:30", "America/New_York", "2025-03-09 07:00"},
		{"@at 2025-11-02T01:30", "America/New_York", "2025-11-02 05:30"},
		{"@at 9999-12-31T23:59", "", "9999-12-31 23:59"},
		{"@at 0001-01-01T00:00", "", "0001-01-01 00:00"},
	} {
		s, want := mustParse(t, row.zone, row.expression), at(t, row.want)
		if got := s.Next(want.Add(-time.Second)); !got.Equal(want) {
			t.Errorf("%s in %q: next is %v", row.expression, row.zone, got)
		}
		if got := s.Next(want); !got.IsZero() {
			t.Errorf("%s in %q: again at %v", row.expression, row.zone, got)
		}
		if got := s.MostRecent(want.Add(-time.Second), want.AddDate(3, 0, 0)); !got.Equal(want) {
			t.Errorf("%s in %q: most recent is %v", row.expression, row.zone, got)
		}
		if got := s.MostRecent(want, want.AddDate(3, 0, 0)); !got.IsZero() {
			t.Errorf("%s in %q: again %v", row.expression, row.zone, got)
		}
	}
	for _, expression := range []string{"@at", "@at 2026-12-24", "@at 2026-02-30T10:00", "@at 2026-12-24T18:00Z", "@at 2026-12-24T18:00:30", "@at tomorrow"} {
		if _, err := Parse(time.UTC, expression); err == nil || !strings.Contains(err.Error(), "@at 2026-12-24T18:00") {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

func TestOnceBesideOthersIsOneOfTheInstants(t *testing.T) {
	s := mustParse(t, "", "0 9 * * *", "@at 2026-12-24T18:00")
	got := s.NextN(at(t, "2026-12-24"), 3)
	want := []time.Time{at(t, "2026-12-24 09:00"), at(t, "2026-12-24 18:00"), at(t, "2026-12-25 09:00")}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestWithinNamesNothingBeforeAndAfter(t *testing.T) {
	s := mustParse(t, "", "* * * * *").Within(at(t, "2026-12-01 09:59:30"), at(t, "2026-12-01 10:02"))
	if got := s.NextN(at(t, "2020-01-01"), 9); !slices.Equal(got, []time.Time{at(t, "2026-12-01 10:00"), at(t, "2026-12-01 10:01")}) {
		t.Errorf("%v", got)
	}
	if got := s.MostRecent(at(t, "2020-01-01"), at(t, "2030-01-01")); !got.Equal(at(t, "2026-12-01 10:01")) {
		t.Errorf("%v", got)
	}
	if got := s.MostRecent(at(t, "2020-01-01"), at(t, "2026-12-01 09:59:59")); !got.IsZero() {
		t.Errorf("%v", got)
	}
}

func TestSpreadIsStableAndWithinTheField(t *testing.T) {
	for _, row := range []struct{ expression, like string }{
		{"H H * * *", "daily"}, {"H(0-29) H(0-7) * * 1-5", "at night"}, {"H/15 * * * *", "each quarter"}, {"H H H * *", "monthly"},
		{"H(5-9)/2,H * * * *", "a list"}, {"H H * H H", "rarely"}, {"0 0 H/7 * *", "each week or so"}, {"H/99 * * * *", "a step past the end"},
	} {
		seen := map[string]bool{}
		for _, name := range []string{"shop/a", "shop/b", "shop/c", "shop/d", "shop/e"} {
			spread := Spread(name, []string{row.expression})
			if !slices.Equal(spread, Spread(name, []string{row.expression})) {
				t.Errorf("%s: not stable", row.expression)
			}
			if _, err := Parse(time.UTC, spread...); err != nil {
				t.Errorf("%s of %s is %s: %v", row.expression, name, spread[0], err)
			}
			seen[spread[0]] = true
		}
		if len(seen) < 2 {
			t.Errorf("%s, %s: five names are spread over %v", row.expression, row.like, seen)
		}
	}
	for _, bad := range []string{"H(9-5) * * * *", "H/0 * * * *", "H-5 * * * *", "h * * * *", "H(1,5) * * * *", "H(50-70) * * * *"} {
		if _, err := Parse(time.UTC, Spread("shop/a", []string{bad})...); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if got := Spread("shop/a", []string{"0 9 * * THU", "@hourly"}); !slices.Equal(got, []string{"0 9 * * THU", "@hourly"}) {
		t.Errorf("%v", got)
	}
}

// 200 Jobs whose schedule is H * * * * are spread over the hour.
func TestSpreadIsEven(t *testing.T) {
	minutes := map[string]int{}
	for i := range 200 {
		minutes[Spread("shop/job"+string(rune('a'+i%26))+string(rune('a'+i/26)), []string{"H * * * *"})[0]]++
	}
	if len(minutes) < 45 {
		t.Errorf("over %d minutes only", len(minutes))
	}
}
