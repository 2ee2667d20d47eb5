package calendar

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func dates(name, from, to string, policy v1alpha1.BlackoutPolicy) v1alpha1.Blackout {
	return v1alpha1.Blackout{Name: name, Policy: policy, From: &metav1.Time{Time: at(from)}, To: &metav1.Time{Time: at(to)}}
}

func ical(events ...string) v1alpha1.Blackout {
	lines := append([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD",
		"DTSTART:19701025T030000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD", "END:VTIMEZONE"}, events...)
	return v1alpha1.Blackout{Name: "ical", ICalendar: strings.Join(append(lines, "END:VCALENDAR", ""), "\r\n")}
}

func vevent(properties ...string) string {
	return strings.Join(append(append([]string{"BEGIN:VEVENT", "SUMMARY:Closed: all"}, properties...), "END:VEVENT"), "\r\n")
}

// In is a time in UTC, and when the window that it is in ends; "" if it is in none.
func TestWindows(t *testing.T) {
	night := v1alpha1.Blackout{Name: "night", Weekly: &v1alpha1.WeeklyWindow{Days: []string{"Fri"}, From: "22:00", To: "06:00"}, TimeZone: "Europe/Berlin"}
	daily := v1alpha1.Blackout{Name: "noon", Weekly: &v1alpha1.WeeklyWindow{From: "12:00", To: "13:00"}}
	whole := v1alpha1.Blackout{Name: "sunday", Weekly: &v1alpha1.WeeklyWindow{Days: []string{"Sun"}, From: "00:00", To: "00:00"}, TimeZone: "Europe/Berlin"}
	early := v1alpha1.Blackout{Name: "early", Weekly: &v1alpha1.WeeklyWindow{From: "02:00", To: "02:30"}, TimeZone: "Europe/Berlin"}
	for _, row := range []struct {
		what     string
		blackout v1alpha1.Blackout
		at, ends string
	}{
		{"from is in it", dates("d", "2026-12-24 12:00", "2026-12-27 00:00", ""), "2026-12-24 12:00", "2026-12-27 00:00"},
		{"to is not", dates("d", "2026-12-24 12:00", "2026-12-27 00:00", ""), "2026-12-27 00:00", ""},
		{"a year", dates("d", "2026-01-01 00:00", "2027-01-01 00:00", ""), "2026-06-01 00:00", "2027-01-01 00:00"},
		{"across midnight, in its zone", night, "2026-12-04 21:00", "2026-12-05 05:00"},
		{"the day after", night, "2026-12-05 04:59", "2026-12-05 05:00"},
		{"over", night, "2026-12-05 05:00", ""},
		{"another day", night, "2026-12-03 21:30", ""},
		{"every day", daily, "2026-12-03 12:59", "2026-12-03 13:00"},
		{"before it", daily, "2026-12-03 11:59", ""},
		{"a whole day of 25 hours", whole, "2026-10-25 22:59", "2026-10-25 23:00"},
		{"a whole day of 23 hours", whole, "2027-03-27 23:00", "2027-03-28 22:00"},
		{"in a skipped hour", early, "2027-03-28 01:10", "2027-03-28 01:30"},

		{"an event", ical(vevent("DTSTART:20261224T120000Z", "DTEND:20261226T120000Z")), "2026-12-26 11:59", "2026-12-26 12:00"},
		{"by a zone's clock", ical(vevent("DTSTART;TZID=Europe/Berlin:20261224T120000", "DURATION:PT90M")), "2026-12-24 11:00", "2026-12-24 12:30"},
		{"whole days", ical(vevent("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227")), "2026-12-26 23:59", "2026-12-27 00:00"},
		{"a day without an end", ical(vevent("DTSTART;VALUE=DATE:20261224")), "2026-12-24 23:59", "2026-12-25 00:00"},
		{"cancelled", ical(vevent("DTSTART;VALUE=DATE:20261224", "STATUS:CANCELLED")), "2026-12-24 10:00", ""},
		{"folded", ical(vevent("DTSTART;VALUE=\r\n DATE:2026\r\n 1224")), "2026-12-24 10:00", "2026-12-25 00:00"},
		{"each second day", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT4H", "RRULE:FREQ=DAILY;INTERVAL=2")), "2026-12-04 01:00", "2026-12-04 02:00"},
		{"not the day between", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT4H", "RRULE:FREQ=DAILY;INTERVAL=2")), "2026-12-03 01:00", ""},
		{"days of a week", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=TU,TH")), "2026-12-10 22:30", "2026-12-10 23:00"},
		{"each second week", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;INTERVAL=2")), "2026-12-08 22:30", ""},
		{"the end of a month", ical(vevent("DTSTART:20261130T000000Z", "DURATION:P2D", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1")), "2027-03-02 12:00", ""},
		{"the end of the next", ical(vevent("DTSTART:20261130T000000Z", "DURATION:P2D", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1")), "2027-04-01 12:00", "2027-04-02 00:00"},
		{"each year", ical(vevent("DTSTART;VALUE=DATE:20201224", "RRULE:FREQ=YEARLY")), "2030-12-24 12:00", "2030-12-25 00:00"},
		{"the last of a count", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")), "2026-12-03 22:30", "2026-12-03 23:00"},
		{"after a count", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")), "2026-12-04 22:30", ""},
		{"the last until", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20261203T220000Z")), "2026-12-03 22:30", "2026-12-03 23:00"},
		{"after until", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;UNTIL=20261203T215959Z")), "2026-12-03 22:30", ""},
		{"a day left out", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXDATE:20261203T220000Z,20261205T220000Z", "EXDATE:20261207T220000Z")), "2026-12-05 22:30", ""},
		{"before the first", ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")), "2026-11-30 22:30", ""},
	} {
		c, err := Of("Space prod", []v1alpha1.Blackout{row.blackout})
		if err != nil {
			t.Errorf("%s: %v", row.what, err)
			continue
		}
		b, in := c.At(at(row.at))
		if got := b.Ends.UTC().Format("2006-01-02 15:04"); in != (row.ends != "") || in && got != row.ends {
			t.Errorf("%s: %s ends %s %v, want %q", row.what, row.at, got, in, row.ends)
		}
	}
}

func TestOverlapping(t *testing.T) {
	c, err := Of("App shop", []v1alpha1.Blackout{
		dates("shift", "2026-12-01 22:00", "2026-12-02 06:00", v1alpha1.BlackoutShift),
		dates("skip", "2026-12-02 00:00", "2026-12-02 02:00", v1alpha1.BlackoutSkip),
		dates("after", "2026-12-02 01:00", "2026-12-02 03:00", v1alpha1.BlackoutRunAfter),
		dates("next", "2026-12-02 06:00", "2026-12-02 07:00", v1alpha1.BlackoutShift),
	})
	if err != nil {
		t.Fatal(err)
	}
	for when, name := range map[string]string{
		"2026-12-01 21:59": "", "2026-12-01 23:00": "shift", "2026-12-02 00:30": "skip", "2026-12-02 01:30": "skip", "2026-12-02 02:30": "after",
		"2026-12-02 05:00": "shift", "2026-12-02 06:00": "next",
	} {
		if b, _ := c.At(at(when)); b.Name != name {
			t.Errorf("%s is in %q, want %q", when, b.Name, name)
		}
	}
	if over, ok := c.Over(at("2026-12-01 23:00")); !ok || !over.Equal(at("2026-12-02 07:00")) {
		t.Errorf("over %v %v", over, ok)
	}
	if over, ok := c.Over(at("2026-12-01 12:00")); !ok || !over.Equal(at("2026-12-01 12:00")) {
		t.Errorf("over %v %v", over, ok)
	}
	always, _ := Of("App shop", []v1alpha1.Blackout{{Name: "a", Weekly: &v1alpha1.WeeklyWindow{From: "10:00", To: "10:00"}}})
	if over, ok := always.Over(at("2026-12-01 12:00")); ok {
		t.Errorf("all time is in it, and it is over %v", over)
	}
}

func TestRefusedWithAdvice(t *testing.T) {
	for what, b := range map[string]v1alpha1.Blackout{
		"IANA":               {Name: "z", TimeZone: "Mars/Base", Weekly: &v1alpha1.WeeklyWindow{From: "10:00", To: "11:00"}},
		"from and to":        {Name: "n"},
		"times of day":       {Name: "w", Weekly: &v1alpha1.WeeklyWindow{From: "25:00", To: "11:00"}},
		"BEGIN:VCALENDAR":    {Name: "i", ICalendar: "hello"},
		"NAME:VALUE":         {Name: "i", ICalendar: "BEGIN:VCALENDAR\nhello"},
		"has no END":         {Name: "i", ICalendar: "BEGIN:VCALENDAR\nBEGIN:VEVENT"},
		"DTSTART":            ical(vevent("DTEND:20261224T120000Z")),
		"does not last":      ical(vevent("DTSTART:20261224T120000Z", "DTEND:20261224T120000Z")),
		"is no time":         ical(vevent("DTSTART:tomorrow")),
		"Europe/Berlin":      ical(vevent("DTSTART;TZID=W. Europe Standard Time:20261224T120000", "DURATION:PT1H")),
		"several events":     ical(vevent("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY")),
		"BYDAY of MONTHLY":   ical(vevent("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=MO")),
		"BYSETPOS":           ical(vevent("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYSETPOS=1")),
		"one of them":        ical(vevent("DTSTART:20261224T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=1;UNTIL=20261224")),
		"more than 32 days":  ical(vevent("DTSTART:20261224T120000Z", "DURATION:P33D", "RRULE:FREQ=YEARLY")),
		"more than 50 years": ical(vevent("DTSTART:20280229T120000Z", "DURATION:P1D", "RRULE:FREQ=YEARLY;COUNT=9000")),
		"RECURRENCE-ID":      ical(vevent("DTSTART:20261224T120000Z", "DURATION:PT1H", "RECURRENCE-ID:20261224T120000Z")),
		"P1W":                ical(vevent("DTSTART:20261224T120000Z", "DURATION:P99999999D")),
		"ten years":          ical(vevent("DTSTART:20261224T120000Z", "DURATION:P999999D")),
	} {
		if _, err := Of("Space prod", []v1alpha1.Blackout{b}); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "Space prod") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzICalendar(f *testing.F) {
	f.Add(ical(vevent("DTSTART:20261201T220000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")).ICalendar, int64(0))
	f.Add(ical(vevent("DTSTART;TZID=Europe/Berlin:20261224T120000", "DTEND:20261225T120000Z", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1")).ICalendar, int64(7))
	f.Fuzz(func(t *testing.T, text string, second int64) {
		c, err := Of("Space prod", []v1alpha1.Blackout{{Name: "fuzz", ICalendar: text}})
		if err != nil {
			return
		}
		when := time.Unix(second%8_000_000_000, 0)
		if b, in := c.At(when); in && !b.Ends.After(when) {
			t.Errorf("%q: at %v it ends %v", text, when, b.Ends)
		}
		if over, ok := c.Over(when); ok && over.Before(when) {
			t.Errorf("%q: at %v it is over %v", text, when, over)
		}
	})
}
