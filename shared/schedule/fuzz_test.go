package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

var seeds = []string{
	"0 0 * * *", "*/7 1-5/2,9 1,15 feb-APR sun", "0 0 29 2 *", "0 0 30 2 *", "30 6-16/4 * * 1-5", "@hourly", "@every 1s", "@reboot",
	"TZ=0", "CRON_TZ=Europe/Berlin 0 0 * * *", "0 0 * * 5-7/2", "0 0 * * fri-sun", "1,,2 * ? L 5#2", "5/15 * * * 7", "* * */2 * mon", "0 18 ? * 5",
	"0 0 ?/2 * ?",
	"0 0 31 4,6 *", "99999999999 * * * *", "0 0 * * 7-7/3", "*,5 5,* * * *", "\x00", "0\u00a00 * * *", "0 0 1-31 * 0-7",
	"0 0 * * 6/1", "0 0 * * 7/9", "@at 2026-12-24T18:00",
}

// What Parse accepts and robfig/cron accepts too is the same schedule in UTC, but for the star rule and five years.
func FuzzParse(f *testing.F) {
	for i, seed := range seeds {
		f.Add(seed, int64(i)*100_000_000)
	}
	f.Fuzz(func(t *testing.T, expression string, second int64) {
		ours, err := Parse(time.UTC, expression)
		if err != nil {
			if len(err.Error()) > 1250 { // it goes into conditions and Events
				t.Errorf("%d characters of error", len(err.Error()))
			}
			return
		}
		if Once(expression) {
			return // it may be over
		}
		start := time.Unix(second%8_000_000_000, 0).UTC()
		next := ours.Next(start)
		if next.IsZero() || next != next.Truncate(time.Minute) || next.Location() != time.UTC {
			t.Fatalf("%q after %v: %v", expression, start, next)
		}
		parsed, err := cron.ParseStandard(strings.ToLower(strings.TrimSpace(expression)))
		if err != nil {
			return
		}
		theirs := parsed.(*cron.SpecSchedule)
		theirs.Location = time.UTC
		const star = 1 << 63
		if eitherDay := theirs.Dom&star == 0 && theirs.Dow&star == 0; eitherDay != ours.rules[0].eitherDay {
			return
		}
		for range 20 {
			want := theirs.Next(start)
			if want.IsZero() {
				return
			}
			if got := ours.Next(start); !got.Equal(want) {
				t.Fatalf("%q after %v: %v, robfig/cron says %v", expression, start, got, want)
			}
			if got := ours.MostRecent(start, want); !got.Equal(want) {
				t.Fatalf("%q up to %v: %v", expression, want, got)
			}
			if got := ours.MostRecent(start, want.Add(-1)); !got.IsZero() {
				t.Fatalf("%q after %v and before %v: %v", expression, start, want, got)
			}
			start = want
		}
	})
}

// Any expressions in any zone, near any of its changes or anywhere: forwards, backwards and oracle agree.
func FuzzInstants(f *testing.F) {
	for i, seed := range seeds {
		f.Add(seed, seeds[(i+1)%len(seeds)], uint16(i*31), uint16(i), int16(i*7))
	}
	names := zoneNames(f)
	f.Fuzz(func(t *testing.T, one, other string, zone, change uint16, shift int16) {
		loc, err := LoadZone(names[int(zone)%len(names)])
		if err != nil {
			t.Fatal(err)
		}
		both, err := Parse(loc, one, other)
		if err != nil || Once(one) || Once(other) {
			return
		}
		hour := minuteOf(date(1960 + int(change)%140))
		if near := changes(loc, timeOf(hour), timeOf(hour+370*24*60), 6*60); len(near) > 0 {
			hour = near[int(change)%len(near)]
		}
		start := hour + int64(shift)/8
		end := start + 24*60
		inOne, inOther := map[int64]bool{}, map[int64]bool{}
		for _, k := range newOracle(one).between(loc, start, end) {
			inOne[k] = true
		}
		for _, k := range newOracle(other).between(loc, start, end) {
			inOther[k] = true
		}
		var want []int64
		for k := start; k < end; k++ {
			if inOne[k] || inOther[k] {
				want = append(want, k)
			}
		}
		if !agree(t, both, start, end, want) {
			t.Fatalf("%q and %q in %v", one, other, loc)
		}
		for k := start; k < end; k += 61 { // MostRecent and Next at minutes that are no instants
			last, next := none, none
			for _, w := range want {
				if w <= k {
					last = w
				} else if next == none {
					next = w
				}
			}
			at := timeOf(k).Add(59 * time.Second)
			if got := both.MostRecent(timeOf(start-1), at); got.IsZero() != (last == none) || last != none && !got.Equal(timeOf(last)) {
				t.Fatalf("%q and %q in %v: most recent at %v is %v, want %v", one, other, loc, at, got, timeOf(last))
			}
			if got := both.Next(at); next != none && !got.Equal(timeOf(next)) {
				t.Fatalf("%q and %q in %v: next after %v is %v, want %v", one, other, loc, at, got, timeOf(next))
			}
		}
	})
}

// FuzzLoadZone: a zone is one of the IANA data base, the same on every machine, and what is none is refused in a short row.
func FuzzLoadZone(f *testing.F) {
	for _, name := range []string{"", "Europe/Berlin", "Local", "localtime", "../../etc/passwd", "/etc/localtime", "right/UTC", "UTC\x00", "Etc/GMT+14", "\x1b[2J", "EST5EDT"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		loc, err := LoadZone(name)
		if err != nil {
			if len(err.Error()) > 800 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q", err)
			}
			return
		}
		if loc == time.Local || strings.Contains(name, "..") || strings.HasPrefix(name, "/") || name != "" && loc.String() != name {
			t.Errorf("%q is %v", name, loc)
		}
		if p := periodAt(loc, 29_000_000); p.start > 29_000_000 || p.end <= 29_000_000 {
			t.Errorf("%q: %+v", name, p)
		}
	})
}
