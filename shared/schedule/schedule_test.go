package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func mustParse(tb testing.TB, zone string, expressions ...string) Schedule {
	tb.Helper()
	loc, err := LoadZone(zone)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Parse(loc, expressions...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func at(tb testing.TB, text string) time.Time {
	tb.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	tb.Fatalf("%q is no time", text)
	return time.Time{}
}

// week begins on Sunday 2 March 2025.
func TestExpressionsOfCrontab5(t *testing.T) {
	for _, row := range []struct {
		expression, after string
		want              []string
	}{
		{"5 0 * * *", "2025-03-02", []string{"2025-03-02 00:05", "2025-03-03 00:05"}},
		{"15 14 1 * *", "2025-03-02", []string{"2025-04-01 14:15", "2025-05-01 14:15"}},
		{"0 22 * * 1-5", "2025-03-06 23:00", []string{"2025-03-07 22:00", "2025-03-10 22:00"}},
		{"23 0-23/2 * * *", "2025-03-02", []string{"2025-03-02 00:23", "2025-03-02 02:23"}},
		{"5 4 * * sun", "2025-03-02", []string{"2025-03-02 04:05", "2025-03-09 04:05"}},
		{"0,30 8-9 * * *", "2025-03-02", []string{
			"2025-03-02 08:00", "2025-03-02 08:30", "2025-03-02 09:00", "2025-03-02 09:30", "2025-03-03 08:00"}},
		// either day when both are restricted
		{"30 4 1,15 * 5", "2025-03-02", []string{"2025-03-07 04:30", "2025-03-14 04:30", "2025-03-15 04:30", "2025-03-21 04:30"}},
		// a day field that begins with * does not count as restricted: odd days that are Mondays
		{"0 0 */2 * mon", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-17 00:00", "2025-03-31 00:00"}},
		{"0 0 1-31/2 * mon", "2025-03-02", []string{
			"2025-03-03 00:00", "2025-03-05 00:00", "2025-03-07 00:00", "2025-03-09 00:00", "2025-03-10 00:00"}},
		{"0 0 13 * */5", "2025-03-02", []string{"2025-04-13 00:00", "2025-06-13 00:00"}},
		// names in any case, ranges of names
		{"0 0 1 Feb,APR-jun *", "2025-03-02", []string{"2025-04-01 00:00", "2025-05-01 00:00", "2025-06-01 00:00", "2026-02-01 00:00"}},
		{"0 0 * * MON-Wed", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-04 00:00", "2025-03-05 00:00", "2025-03-10 00:00"}},
		// Sunday is 0 and 7
		{"0 0 * * 7", "2025-03-02", []string{"2025-03-09 00:00", "2025-03-16 00:00"}},
		{"0 0 * * */7", "2025-03-02", []string{"2025-03-09 00:00", "2025-03-16 00:00"}},
		{"0 0 * * 5-7", "2025-03-02", []string{"2025-03-07 00:00", "2025-03-08 00:00", "2025-03-09 00:00", "2025-03-14 00:00"}},
		{"0 0 * * 1-7/2", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-05 00:00", "2025-03-07 00:00", "2025-03-09 00:00"}},
		{"0 0 * * 1-7/4", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-07 00:00", "2025-03-10 00:00"}},
		{"0 0 * * 7-7", "2025-03-02", []string{"2025-03-09 00:00", "2025-03-16 00:00"}},
		{"0 0 * * 7/2", "2025-03-02", []string{"2025-03-09 00:00", "2025-03-16 00:00"}},
		{"0 0 * * 3,7", "2025-03-02", []string{"2025-03-05 00:00", "2025-03-09 00:00", "2025-03-12 00:00"}},
		{"0 0 * * fri-SUN", "2025-03-02", []string{"2025-03-07 00:00", "2025-03-08 00:00", "2025-03-09 00:00", "2025-03-14 00:00"}},
		{"0 0 * * sun-sun", "2025-03-02", []string{"2025-03-09 00:00", "2025-03-16 00:00"}},
		{"0 0 * * sun-sat", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-04 00:00"}},
		{"0 0 * * 0-7", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-04 00:00"}},
		// N/step runs to the end of the field, as in Kf
		{"20/15 7 * * *", "2025-03-02", []string{"2025-03-02 07:20", "2025-03-02 07:35", "2025-03-02 07:50", "2025-03-03 07:20"}},
		{"*/90 7 * * *", "2025-03-02", []string{"2025-03-02 07:00", "2025-03-03 07:00"}},
		// the end of a year, leap days, a year without one
		{"59 23 31 12 *", "2025-03-02", []string{"2025-12-31 23:59", "2026-12-31 23:59"}},
		{"0 0 29 2 *", "1896-02-29", []string{"1904-02-29 00:00", "1908-02-29 00:00"}},
		{"0 0 29 2 *", "2096-02-29", []string{"2104-02-29 00:00", "2108-02-29 00:00"}},
		{"0 0 29 2 */7", "2088-02-29", []string{"2128-02-29 00:00", "2156-02-29 00:00"}},
		{"0 0 31 * *", "2025-03-02", []string{"2025-03-31 00:00", "2025-05-31 00:00", "2025-07-31 00:00", "2025-08-31 00:00"}},
		{"0 0 30 2 5", "2025-02-20", []string{"2025-02-21 00:00", "2025-02-28 00:00", "2026-02-06 00:00"}},
		// names
		{"@hourly", "2025-03-02", []string{"2025-03-02 01:00", "2025-03-02 02:00"}},
		{"@daily", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-04 00:00"}},
		{"@MIDNIGHT", "2025-03-02", []string{"2025-03-03 00:00"}},
		{"@weekly", "2025-03-02", []string{"2025-03-09 00:00"}},
		{"@monthly", "2025-03-02", []string{"2025-04-01 00:00"}},
		{"@yearly", "2025-03-02", []string{"2026-01-01 00:00"}},
		{"@annually", "2025-03-02", []string{"2026-01-01 00:00"}},
		// ? is * in the day fields: the other one decides alone
		{"0 * * * ?", "2025-03-02", []string{"2025-03-02 01:00", "2025-03-02 02:00"}},
		{"30 8 ? * *", "2025-03-02", []string{"2025-03-02 08:30", "2025-03-03 08:30"}},
		{"0 18 ? * 5", "2025-03-02", []string{"2025-03-07 18:00", "2025-03-14 18:00"}},
		{"0 18 15 * ?", "2025-03-02", []string{"2025-03-15 18:00", "2025-04-15 18:00"}},
		{"0 18 ? * ?", "2025-03-02", []string{"2025-03-02 18:00", "2025-03-03 18:00"}},
		{"0 0 ?/2 * mon", "2025-03-02", []string{"2025-03-03 00:00", "2025-03-17 00:00"}}, // odd days that are Mondays
		// white space, leading zeros, seconds of the time given
		{" 00\t07 * * *\n", "2025-03-02", []string{"2025-03-02 07:00"}},
		{"\t\t00   07\t \t* *  * ", "2025-03-02", []string{"2025-03-02 07:00"}},
		{" @daily\t", "2025-03-02", []string{"2025-03-03 00:00"}},
		{"* * * * *", "2025-03-02 10:00:59", []string{"2025-03-02 10:01", "2025-03-02 10:02"}},
	} {
		s := mustParse(t, "", row.expression)
		got := s.NextN(at(t, row.after), len(row.want))
		for i := range row.want {
			if i >= len(got) || !got[i].Equal(at(t, row.want[i])) {
				t.Errorf("%q after %s: %v, want %v", row.expression, row.after, got, row.want)
				break
			}
		}
	}
}

func TestRefusedWithAdvice(t *testing.T) {
	for expression, advice := range map[string]string{
		"":                                      "it is empty: write five fields",
		" \t ":                                  "it is empty",
		"* * * *":                               "it has 4 fields, there are 5: minute, hour",
		"0 0 * * * *":                           "leave out seconds",
		"0 0 0 1 1 * 2025":                      "it has 7 fields",
		"TZ=Europe/Berlin 0 0 * * *":            "set the Job's timeZone",
		"CRON_TZ=UTC 0 0 * * *":                 "set the Job's timeZone",
		"TZ=0":                                  "set the Job's timeZone",
		"cron_tz=UTC @daily":                    "set the Job's timeZone",
		"@reboot":                               "by hand or by an event",
		"@every 1h30m":                          "*/15 * * * *",
		"@fortnightly":                          "@weekly",
		"@daily 5":                              "alone",
		"@":                                     "@weekly",
		"60 * * * *":                            `minute "60": end of range (60) above maximum (59)`,
		"* 24 * * *":                            `hour "24"`,
		"* * 0 * *":                             `day of month "0"`,
		"* * 32 * *":                            "it takes 1 to 31, ranges (1-5), steps (*/2, 1-7/2) and lists (1,3,5)",
		"* * * 0 *":                             `month "0"`,
		"* * * 13 *":                            "1 to 12 or jan to dec",
		"* * * * 8":                             "0 to 7 (both are Sunday) or sun to sat",
		"* * * * 9-7":                           `day of week "9-7"`,
		"* * * * 7-3":                           `day of week "7-3"`,
		"* * * * 5-0":                           "beginning of range (5) beyond end",
		"* * * * sat-fri":                       "beginning of range (6) beyond end",
		"* * * * 7/0":                           "positive",
		"* * * * 5-7/0":                         "positive",
		"*/0 * * * *":                           "positive",
		"5-1 * * * *":                           "beyond",
		"1,,2 * * * *":                          `minute "1,,2": crontab(5) has no such form`,
		", * * * *":                             "minute",
		"-5 * * * *":                            "minute",
		"+5 * * * *":                            "minute",
		"1-2-3 * * * *":                         "minute",
		"*/2/3 * * * *":                         "minute",
		"*-5 * * * *":                           "minute",
		"**** * * * *":                          "minute",
		"0x1 * * * *":                           "minute",
		"1.5 * * * *":                           "minute",
		"99999999999999999999 * * * *":          "minute",
		"jan * * * *":                           `minute "jan"`,
		"* * * january *":                       `month "january"`,
		"* * * * monday":                        `day of week "monday"`,
		"? * * * *":                             `minute "?": crontab(5) has no such form`,
		"* ? * * *":                             `hour "?"`,
		"* * * ? *":                             `month "?"`,
		"* * 1-? * *":                           `day of month "1-?": crontab(5) has no such form`,
		"* * ?? * *":                            `day of month "??"`,
		"0 0 30 2 ?":                            "never fires",
		"* * * * 4294967297":                    `day of week "4294967297"`,
		"*/18446744073709551617 * * * *":        "minute",
		"* * * 1-4294967298 *":                  "month",
		"0 0 L * *":                             `day of month "L"`,
		"0 0 15W * *":                           `day of month "15W"`,
		"0 0 * * 5#2":                           `day of week "5#2"`,
		"0 0 30 2 *":                            "never fires",
		"0 0 30,31 feb *":                       "never fires",
		"0 0 31 4,6,9,11 *":                     "never fires",
		"0 0 31 2 */3":                          "never fires",
		"0 0 * * *;":                            "day of week",
		"٣ * * * *":                             "minute",
		strings.Repeat("1,", 600) + "1 * * * *": "1024 are allowed",
		strings.Repeat("\x94", 1000) + " * * * *": "minute",
	} {
		s, err := Parse(time.UTC, "@daily", expression)
		switch {
		case err == nil:
			t.Errorf("%q is accepted", expression)
		case !strings.Contains(err.Error(), advice):
			t.Errorf("%q: %v; want %q in it", expression, err, advice)
		case len(err.Error()) > 600:
			t.Errorf("%q: %d characters of error", expression, len(err.Error()))
		case !s.Next(time.Now()).IsZero():
			t.Errorf("%q: an error and a schedule", expression)
		case errors.Is(err, ErrNever) != strings.Contains(advice, "never"):
			t.Errorf("%q: %v is ErrNever: %t", expression, err, errors.Is(err, ErrNever))
		}
	}
	if _, err := Parse(time.UTC); err == nil {
		t.Error("no expression at all is accepted")
	}
}

func TestKfsPlaceholderIsRecognised(t *testing.T) {
	if _, err := Parse(time.UTC, v1alpha1.NeverSchedule); !errors.Is(err, ErrNever) {
		t.Errorf("%v, want ErrNever", err)
	}
}

func TestAPanicInTheParserIsAnError(t *testing.T) {
	if _, err := robfig(0, "TZ=0"); err == nil {
		t.Error("robfig/cron no longer panics on TZ=0, or nothing was parsed")
	}
}

// Kf computes the missed instant from the distance of the next two, and is wrong for each of these.
func TestMostRecentOfIrregularSchedules(t *testing.T) {
	for _, row := range []struct{ expression, now, want string }{
		{"30 6-16/4 * * 1-5", "2025-03-08 10:30", "2025-03-07 14:30"}, // Kf: Saturday 10:30
		{"0 0 1 * *", "2025-04-10 00:00", "2025-04-01 00:00"},         // Kf: 31 March
		{"0 9 * * 1-5", "2025-03-10 08:59", "2025-03-07 09:00"},
		{"0 9 * * 1-5", "2025-03-10 09:00", "2025-03-10 09:00"},
		{"0 9 * * 1-5", "2025-03-10 09:00:59", "2025-03-10 09:00"},
		{"0 0 29 2 *", "2103-12-31 00:00", "2096-02-29 00:00"},
		{"0 0 29 2 */7", "2128-02-28 23:59", "2088-02-29 00:00"},
		{"59 23 31 12 *", "2025-12-31 23:58", "2024-12-31 23:59"},
		{"* * * * *", "2025-03-10 09:00:30", "2025-03-10 09:00"},
		{"0 0 1 1 *", "2025-01-01 00:00", "2025-01-01 00:00"},
		{"10-50/20 3,5 * * *", "2025-01-01 05:29", "2025-01-01 05:10"},
		{"10-50/20 3,5 * * *", "2025-01-01 05:09", "2025-01-01 03:50"},
	} {
		s := mustParse(t, "", row.expression)
		if got := s.MostRecent(at(t, "1900-01-01"), at(t, row.now)); !got.Equal(at(t, row.want)) {
			t.Errorf("%q at %s: %v, want %s", row.expression, row.now, got, row.want)
		}
	}
}

func TestNothingIsOwedForTheTimeUpToAfter(t *testing.T) {
	s := mustParse(t, "", "0 12 * * *")
	for _, row := range []struct {
		after, now string
		due        bool
	}{
		{"2025-03-09 11:59", "2025-03-09 12:00", true},
		{"2025-03-09 12:00", "2025-03-09 12:00", false}, // has been decided
		{"2025-03-09 12:00", "2025-03-10 11:59", false},
		{"2025-03-09 12:00:20", "2025-03-09 12:30", false}, // resumed within the minute
		{"2025-03-09 11:59:59", "2025-03-09 12:00", true},
		{"2025-03-10 11:00", "2025-03-09 13:00", false}, // a clock that went back
	} {
		got := s.MostRecent(at(t, row.after), at(t, row.now))
		if !got.IsZero() != row.due {
			t.Errorf("after %s, at %s: %v, want due: %t", row.after, row.now, got, row.due)
		}
	}
}

func TestSchedulesThatCoincideAreOneInstant(t *testing.T) {
	s := mustParse(t, "", "0 * * * *", "0,30 12 * * *", "0 */3 * * *", "0 * * * *")
	got := s.NextN(at(t, "2025-03-02 10:30"), 4)
	want := []string{"2025-03-02 11:00", "2025-03-02 12:00", "2025-03-02 12:30", "2025-03-02 13:00"}
	for i := range want {
		if !got[i].Equal(at(t, want[i])) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	missed, more := s.Between(at(t, "2025-03-02 11:00"), at(t, "2025-03-02 14:00"), 10)
	if len(missed) != 3 || more || !missed[0].Equal(at(t, "2025-03-02 13:00")) || !missed[1].Equal(at(t, "2025-03-02 12:30")) ||
		!missed[2].Equal(at(t, "2025-03-02 12:00")) {
		t.Errorf("missed %v, more: %t", missed, more)
	}
	if got := s.MostRecent(at(t, "2025-03-02 11:00"), at(t, "2025-03-02 12:59")); !got.Equal(at(t, "2025-03-02 12:30")) {
		t.Errorf("most recent: %v", got)
	}
}

func TestBetweenIsBounded(t *testing.T) {
	s := mustParse(t, "", "* * * * *")
	after, before := at(t, "2015-03-02"), at(t, "2025-03-02 00:00")
	for _, limit := range []int{0, 1, 5} {
		got, more := s.Between(after, before, limit)
		if len(got) != limit || !more {
			t.Fatalf("limit %d: %d, more: %t", limit, len(got), more)
		}
		for i, instant := range got {
			if want := before.Add(-time.Duration(i+1) * time.Minute); !instant.Equal(want) {
				t.Errorf("number %d: %v, want %v", i, instant, want)
			}
		}
	}
	if got, more := s.Between(before.Add(-6*time.Minute), before, 5); len(got) != 5 || more {
		t.Errorf("exactly as many as the limit: %d, more: %t", len(got), more)
	}
	if got, more := s.Between(before, before.Add(time.Minute), 5); len(got) != 0 || more {
		t.Errorf("none between neighbours: %v, more: %t", got, more)
	}
	if got, _ := s.Between(before, before.Add(time.Minute+1), 5); len(got) != 1 {
		t.Errorf("a nanosecond after the next: %v", got)
	}
}

func TestInstantsAreUTC(t *testing.T) {
	s := mustParse(t, "Asia/Kathmandu", "0 9 * * *")
	want := at(t, "2025-03-02 03:15")
	if got := s.Next(at(t, "2025-03-02")); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := s.MostRecent(at(t, "2025-03-01"), at(t, "2025-03-02 12:00")); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFarTimesEnd(t *testing.T) {
	for _, zone := range []string{"", "Europe/Berlin", "Pacific/Apia"} {
		s := mustParse(t, zone, "0 0 29 2 *", "* * 1 1 *")
		for _, far := range []time.Time{{}, time.Unix(1<<60, 0), time.Unix(-1<<60, 0), at(t, "9999-12-31 23:59")} {
			next, last := s.Next(far), s.MostRecent(time.Unix(-1<<60, 0), far)
			if !next.IsZero() && (next.Year() > 9999 || !next.After(far)) || !last.IsZero() && (last.Year() < 1 || last.After(far)) {
				t.Errorf("%s: around %v: %v and %v", zone, far.Year(), last, next)
			}
		}
		if got := s.Next(time.Time{}); got.Year() != 1 {
			t.Errorf("%s: first of all is %v", zone, got)
		}
	}
	if got := (Schedule{}).Next(time.Time{}); !got.IsZero() {
		t.Errorf("the zero Schedule has %v", got)
	}
	if got := (Schedule{}).MostRecent(time.Time{}, time.Now()); !got.IsZero() {
		t.Errorf("the zero Schedule has %v", got)
	}
}
