package schedule

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The oracle knows nothing of the package: it reads expressions its own slow way, walks through every minute, and keeps
// Vixie cron's virtual time, which is how cron(8) comes by what it documents: the wall minute up to which fixed-time
// jobs have been looked at. It stands still while the clock shows what it has shown before.
type oracle struct {
	words [5]string
	fixed bool
}

func newOracle(expression string) oracle {
	expression = strings.ToLower(strings.TrimSpace(expression))
	for nickname, plain := range map[string]string{
		"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
	} {
		if expression == nickname {
			expression = plain
		}
	}
	o := oracle{words: [5]string(strings.Fields(expression))}
	for _, day := range []int{2, 4} {
		o.words[day] = strings.ReplaceAll(o.words[day], "?", "*")
	}
	o.fixed = o.words[0][0] != '*' && o.words[1][0] != '*'
	return o
}

var (
	month = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	week  = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}
)

// matches looks at what a clock shows.
func (o oracle) matches(wall time.Time) bool {
	if !allows(o.words[0], wall.Minute(), 0, 59, nil) || !allows(o.words[1], wall.Hour(), 0, 23, nil) ||
		!allows(o.words[3], int(wall.Month()), 1, 12, month) {
		return false
	}
	dom := allows(o.words[2], wall.Day(), 1, 31, nil)
	dow := allows(o.words[4], int(wall.Weekday()), 0, 7, week) || wall.Weekday() == 0 && allows(o.words[4], 7, 0, 7, week)
	if o.words[2][0] == '*' || o.words[4][0] == '*' {
		return dom && dow
	}
	return dom || dow
}

func allows(word string, value, lowest, highest int, names []string) bool {
	number := func(text string, least int) int {
		for i, name := range names {
			if name == text && i >= least {
				return i
			}
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			panic(err)
		}
		return n
	}
	for element := range strings.SplitSeq(word, ",") {
		base, step := element, 1
		if i := strings.IndexByte(element, '/'); i >= 0 {
			base, step = element[:i], number(element[i+1:], 0)
			if highest == 7 && !strings.Contains(base, "-") && base != "*" && number(base, 0) != 7 {
				base += "-6" // 2/3 means 2-6/3, as robfig/cron and so Kf have it
			} else if !strings.Contains(base, "-") && base != "*" {
				base += "-" + strconv.Itoa(highest)
			}
		}
		first, last := lowest, highest
		if from, to, ranged := strings.Cut(base, "-"); ranged {
			first = number(from, 0)
			last = number(to, min(first, 1)) // fri-sun: the second Sunday
		} else if base != "*" {
			first = number(base, 0)
			last = first
		}
		if value >= first && value <= last && (value-first)%step == 0 {
			return true
		}
	}
	return false
}

// minutes are what a zone's clock shows from one instant up to another, one for each minute, as minutes of a clock that
// is never changed.
func minutes(loc *time.Location, from, to int64) []int64 {
	walls := make([]int64, 0, to-from)
	for k := from; k < to; k++ {
		t := time.Unix(k*60, 0).In(loc)
		year, month, day := t.Date()
		hour, minute, _ := t.Clock()
		walls = append(walls, time.Date(year, month, day, hour, minute, 0, 0, time.UTC).Unix()/60)
	}
	return walls
}

// lead is how long the oracle must have been walking before its virtual time can be trusted.
const lead = 4 * 60

// instants are the instants among walls, which begin at instant from-lead.
func (o oracle) instants(walls []int64, from int64) []int64 {
	matches := func(wall int64) bool { return o.matches(time.Unix(wall*60, 0).UTC()) }
	var found []int64
	virtual := walls[0] - 1
	for i, wall := range walls {
		due := false
		switch passed := wall - virtual; {
		case !o.fixed:
			due = matches(wall)
		case passed > 181 || passed < -179: // more than three hours: a correction
			due, virtual = matches(wall), wall
		case passed > 0:
			for virtual < wall {
				virtual++
				due = due || matches(virtual)
			}
		}
		if due && i >= lead {
			found = append(found, from-lead+int64(i))
		}
	}
	return found
}

func (o oracle) between(loc *time.Location, from, to int64) []int64 {
	return o.instants(minutes(loc, from-lead, to), from)
}

// zoneNames are all zones of Go's own data base.
func zoneNames(tb testing.TB) []string {
	tb.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		tb.Fatal(err)
	}
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") {
			names = append(names, file.Name)
		}
	}
	if len(names) < 500 {
		tb.Fatalf("%d zones only", len(names))
	}
	return names
}

// changes are the instants from which a zone's clock is ahead by another number of minutes, found without ZoneBounds.
func changes(loc *time.Location, from, to time.Time, step int64) []int64 {
	ahead := func(k int64) int {
		_, seconds := time.Unix(k*60, 0).In(loc).Zone()
		return seconds
	}
	var found []int64
	for k := from.Unix() / 60; k < to.Unix()/60; k += step {
		if ahead(k) == ahead(k+step) {
			continue
		}
		low, high := k, k+step
		for high-low > 1 {
			if middle := (low + high) / 2; ahead(middle) == ahead(low) {
				low = middle
			} else {
				high = middle
			}
		}
		found = append(found, high)
	}
	return found
}

func sameMinutes(got []time.Time, want []int64) bool {
	return slices.EqualFunc(got, want, func(t time.Time, k int64) bool { return t.Equal(time.Unix(k*60, 0)) })
}
