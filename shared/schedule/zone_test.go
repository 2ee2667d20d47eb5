package schedule

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "compare with the oracle over 1850 to 2150 and for days around each change")

func TestTheTableInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "| zone | day | clock goes | expression | runs |\n| --- | --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) < 25 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		zone, day, expression, want := cells[0], cells[1], strings.Trim(cells[3], "`"), cells[4]
		s := mustParse(t, zone, expression)
		first := at(t, day).Add(-30 * time.Hour)
		var runs []string
		for _, instant := range s.NextN(first, 200) {
			if local := instant.In(s.loc); local.Format("2006-01-02") == day {
				runs = append(runs, local.Format("15:04-0700"))
			}
		}
		if len(runs) == 0 {
			runs = []string{"none"}
		}
		if got := strings.Join(runs, " "); got != want {
			t.Errorf("%s %s %q: %s, want %s", zone, day, expression, got, want)
		}
	}
}

var compared = []string{
	"*/3 * * * *", "30 * * * *", "7,37 */2 * * *", "*/20 1-3 * * *", "0,*/45 0 * * *",
	"30 2 * * *", "0 0 * * *", "15 1,23 * * *", "0-59/7 0-4 * * *", "50 0-23 * * *", "59 23 * * 6", "0 3 1-7 * sun", "45 1 31 12 *",
	"30 0 29 2 *",
}

// In every zone, around each change, the instants forwards, backwards and by the oracle are the same.
func TestAllZonesAgreeWithTheOracle(t *testing.T) {
	names := zoneNames(t)
	var group sync.WaitGroup
	work := make(chan string)
	var mu sync.Mutex
	windows, instants := 0, 0
	for range 2 {
		group.Go(func() {
			for name := range work {
				w, n := compareZone(t, name)
				mu.Lock()
				windows, instants = windows+w, instants+n
				mu.Unlock()
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	group.Wait()
	t.Logf("%d zones, %d windows, %d instants", len(names), windows, instants)
	if windows < 10_000 {
		t.Errorf("%d windows only", windows)
	}
}

func compareZone(t *testing.T, name string) (windows, instants int) {
	loc, err := LoadZone(name)
	if err != nil {
		t.Error(err)
		return
	}
	from, to, before, after := date(2000), date(2030), int64(60), int64(4*60)
	if *long {
		from, to, before, after = date(1850), date(2150), 30*60, 40*60
	}
	hours := changes(loc, from, to, 6*60)
	for _, year := range []int{2028, 2040, 2052} { // Go's own bounds are off on the last day of leap years to come
		hours = append(hours, minuteOf(time.Date(year, 12, 31, 0, 0, 0, 0, loc)))
	}
	schedules, oracles := make([]Schedule, len(compared)), make([]oracle, len(compared))
	for i, expression := range compared {
		schedules[i], oracles[i] = mustParse(t, name, expression), newOracle(expression)
	}
	for _, hour := range hours {
		start, end := hour-before, hour+after
		for i, want := range remembered(oracles, minutes(loc, start-lead, end), start) {
			if !agree(t, schedules[i], start, end, want) {
				t.Errorf("%s %q from %v to %v", name, compared[i], timeOf(start), timeOf(end))
				return
			}
			instants += len(want)
		}
		windows++
	}
	return windows, instants
}

func date(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

// remembered asks the oracles once for all zones whose clocks show the same in the same hours.
func remembered(oracles []oracle, walls []int64, from int64) [][]int64 {
	question := fmt.Sprint(from, walls[0], len(walls))
	for i := 1; i < len(walls); i++ {
		if walls[i] != walls[i-1]+1 {
			question += fmt.Sprint(" ", i, walls[i])
		}
	}
	if answer, ok := answers.Load(question); ok {
		return answer.([][]int64)
	}
	var answer [][]int64
	for _, o := range oracles {
		answer = append(answer, o.instants(walls, from))
	}
	answers.Store(question, answer)
	return answer
}

var answers sync.Map

// agree reads the instants from <= k < to in every way that there is.
func agree(t *testing.T, s Schedule, from, to int64, want []int64) bool {
	t.Helper()
	begin, end := time.Unix(from*60, 0), time.Unix(to*60, 0)
	var forwards []time.Time
	for next := s.Next(begin.Add(-1)); next.Before(end) && !next.IsZero(); next = s.Next(next) {
		forwards = append(forwards, next)
	}
	if !sameMinutes(forwards, want) {
		t.Errorf("forwards: %v, the oracle: %v", forwards, times(want))
		return false
	}
	backwards, more := s.Between(begin.Add(-1), end, len(want)+1)
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	if !sameMinutes(backwards, want) || more {
		t.Errorf("backwards: %v, the oracle: %v", backwards, times(want))
		return false
	}
	return true
}

func times(minutes []int64) []time.Time {
	var ts []time.Time
	for _, k := range minutes {
		ts = append(ts, timeOf(k))
	}
	return ts
}

func TestZonesByName(t *testing.T) {
	for _, name := range []string{
		"", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "EST5EDT", "America/Port-au-Prince",
	} {
		if loc, err := LoadZone(name); err != nil || name != "" && loc.String() != name {
			t.Errorf("%q: %v, %v", name, loc, err)
		}
	}
	for _, name := range []string{
		"Local", "local", "localtime", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin", "/etc/localtime", "../zoneinfo/UTC",
		"Europe/../UTC", "Europe//Berlin", "Europe/Berlin/", "Europe/Atlantis", "UTC+2", "+02:00", " UTC", "Europe\\Berlin", "zone.tab",
		"Europe", "tzdata.zi", strings.Repeat("a/", 100) + "a", "\x00",
	} {
		loc, err := LoadZone(name)
		if err == nil {
			t.Errorf("%q is %v", name, loc)
		} else if !strings.Contains(err.Error(), "such as Europe/Berlin") || len(err.Error()) > 300 {
			t.Errorf("%q: %v", name, err)
		}
	}
}
