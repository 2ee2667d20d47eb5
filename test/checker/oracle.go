package checker

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// expr is a crontab expression as sets, made at random and written out; the checker never parses one. It knows of
// shared/schedule only what crontab(5) and cron(8) say.
type expr struct {
	text                   string
	minute, hour, dom, dow map[int]bool
	wildcard, eitherDay    bool
}

func randomExpr(r *rand.Rand) expr {
	field := func(star float64, low, high, n int) (string, map[int]bool) {
		set := map[int]bool{}
		if r.Float64() < star {
			step := []int{1, 1, 1, 2, 3, 5}[r.IntN(6)]
			for v := low; v <= high; v += step {
				set[v] = true
			}
			return "*" + map[bool]string{true: "", false: fmt.Sprint("/", step)}[step == 1], set
		}
		var parts []string
		for range 1 + r.IntN(n) {
			from := low + r.IntN(high-low+1)
			to := min(high, from+r.IntN(3))
			for v := from; v <= to; v++ {
				set[v] = true
			}
			parts = append(parts, fmt.Sprintf("%d-%d", from, to))
		}
		return strings.Join(parts, ","), set
	}
	var e expr
	var text [5]string
	text[0], e.minute = field(0.6, 0, 59, 12)
	text[1], e.hour = field(0.6, 0, 23, 20)
	text[2], e.dom = field(0.9, 1, 31, 4)
	text[3] = "*"
	text[4], e.dow = field(0.9, 0, 6, 3)
	e.text = strings.Join(text[:], " ")
	e.wildcard = text[0][0] == '*' || text[1][0] == '*'
	e.eitherDay = text[2][0] != '*' && text[4][0] != '*'
	return e
}

func (e expr) matches(wall time.Time) bool {
	dom, dow := e.dom[wall.Day()], e.dow[int(wall.Weekday())]
	return e.minute[wall.Minute()] && e.hour[wall.Hour()] && (dom && dow || e.eitherDay && (dom || dow))
}

// wall is what a zone's clock shows, as if it were UTC.
func wall(t time.Time, zone *time.Location) time.Time {
	l := t.In(zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
}

// names says whether the expression names this minute, walking through the changes of the clock minute by minute.
func (e expr) names(t time.Time, zone *time.Location) bool {
	return e.madeUp(t, zone) || e.matches(wall(t, zone)) && !e.leftOut(t, zone)
}

// madeUp says whether this minute makes up for one that the expression names and the clock skipped.
func (e expr) madeUp(t time.Time, zone *time.Location) bool {
	now := wall(t, zone)
	for skipped := wall(t.Add(-time.Minute), zone).Add(time.Minute); skipped.Before(now); skipped = skipped.Add(time.Minute) {
		if !e.wildcard && e.matches(skipped) {
			return true
		}
	}
	return false
}

// leftOut says whether this minute is one that the expression names and the clock shows for the second time.
func (e expr) leftOut(t time.Time, zone *time.Location) bool {
	for back := time.Minute; !e.wildcard && e.matches(wall(t, zone)) && back <= 3*time.Hour; back += time.Minute {
		if wall(t.Add(-back), zone).Equal(wall(t, zone)) {
			return true
		}
	}
	return false
}

// zones are all that Go's data base knows.
func zones(tb testing.TB) []string {
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
	slices.Sort(names)
	return names
}

// every is the expression that names all minutes.
func every() expr {
	all := func(low, high int) map[int]bool {
		set := map[int]bool{}
		for v := low; v <= high; v++ {
			set[v] = true
		}
		return set
	}
	return expr{text: "* * * * *", minute: all(0, 59), hour: all(0, 23), dom: all(1, 31), dow: all(0, 6), wildcard: true}
}

// daily is the expression that names one minute of each day.
func daily(hour, minute int) expr {
	e := every()
	e.text, e.wildcard = fmt.Sprintf("%d %d * * *", minute, hour), false
	e.hour, e.minute = map[int]bool{hour: true}, map[int]bool{minute: true}
	return e
}

// epoch is a time in which a Job's schedule stayed as it was. Its instants are after from, and not after to.
type epoch struct {
	from, to time.Time // to is zero while it lasts
	exprs    []expr
	suspend  bool
}

// seen is all that is known of one Job from outside.
type seen struct {
	job     *v1alpha1.TaskSchedule
	zone    *time.Location
	jitter  time.Duration
	epochs  []epoch
	created map[int64]int              // Tasks, by instant: as the API server took them
	early   map[int64]time.Duration    // how long before its start an instant ran
	ledger  map[int64]v1alpha1.Outcome // all that the history has ever said
	why     map[int64]string           // its message, of what it said of one instant by itself
	beyond  map[int64]bool             // given up because more ranges were owed than the Job's status holds
	fired   map[int64]bool             // facts

	pauses, windows []hold // its own pauses, and its App's blackouts
	spacePauses     *[]hold
	owing           []v1alpha1.Owed // as it says now
}

// mostOwed is how many ranges of instants a Job's status can owe, by its CRD; of more, the oldest are missed.
const mostOwed = 16

// ran is a tick that was answered with success, by its own clock.
type ran struct{ begin, end time.Time }

// saw says whether the tick had to deal with what starts at a time: it came after that or, where it is a minute, at most ten seconds
// before.
func (r ran) saw(start time.Time) bool {
	return !r.begin.Before(start) || start.Equal(start.Truncate(time.Minute)) && start.Sub(r.begin) <= 10*time.Second
}

// lost, doubled and off are what a violation of the schedule can be; the rest are histories that say otherwise, and policies.
const (
	lost    = "it was lost"
	doubled = "Tasks were created"
	off     = "not on the schedule"
	early   = "before its time"
)

// verdict counts violations by what they are.
func verdict(broken []string) string {
	count := func(of ...string) (n int) {
		for _, b := range broken {
			if slices.ContainsFunc(of, func(what string) bool { return strings.Contains(b, what) }) {
				n++
			}
		}
		return n
	}
	return fmt.Sprintf("%d lost, %d doubled, %d off schedule, %d of another kind",
		count(lost), count(doubled), count(off, early), len(broken)-count(lost, doubled, off, early))
}

// violations are the broken promises.
func violations(jobs map[string]*seen, ticks []ran, last time.Time) (broken []string) {
	for _, s := range jobs {
		bad := func(instant int64, format string, args ...any) {
			at := time.Unix(instant, 0).UTC().Format(time.RFC3339)
			broken = append(broken, fmt.Sprintf("Job %s at %s: ", s.job.Name, at)+fmt.Sprintf(format, args...))
		}
		owed := s.owed(last)
		for instant, n := range s.created {
			if _, ok := owed[instant]; !ok {
				bad(instant, "a Task was created that is %s", off)
			}
			if before := s.early[instant]; before > 0 {
				bad(instant, "it ran %s %s", before, early)
			}
			if n > 1 {
				bad(instant, "%d %s", n, doubled)
			}
			if s.owes(time.Unix(instant, 0)) {
				continue // it ran, and who ran it died: it is put on record when nothing holds it back any more
			}
			if s.ledger[instant] != v1alpha1.OutcomeRan {
				bad(instant, "it ran, and the history says %q", s.ledger[instant])
			}
			if !s.fired[instant] {
				bad(instant, "it ran, and nobody was told")
			}
		}
		for instant, outcome := range s.ledger {
			if outcome == v1alpha1.OutcomeRan && s.created[instant] == 0 {
				bad(instant, "the history says that it ran, and there was no Task")
			}
		}
		for instant, e := range owed {
			if s.created[instant] > 0 {
				continue
			}
			at, outcome := time.Unix(instant, 0), s.ledger[instant]
			start := at.Add(s.jitter)
			i := slices.IndexFunc(ticks, func(t ran) bool { return t.saw(start) })
			if i < 0 || !e.to.IsZero() && !e.to.After(ticks[i].end) {
				continue // no tick came to it, or not before the schedule was changed
			}
			if s.owes(at) || s.mayBe(outcome, at, ticks[i].end) || s.deferred(e, at, ticks[i].end) {
				continue
			}
			if outcome == "" {
				bad(instant, "it did not run, and the history does not say why")
			}
			superseded := false
			for other := range owed {
				superseded = superseded || other > instant && !time.Unix(other, 0).Add(s.jitter).After(ticks[i].end)
			}
			expired := s.expired(ticks[i].end.Sub(start))
			if (!superseded || s.catchesUpAll()) && !expired && !s.beyond[instant] && outcome != v1alpha1.OutcomeSkipped {
				bad(instant, lost+": the tick of %s was the first to see it, and the history says %q: %s",
					ticks[i].begin.Format(time.RFC3339), s.ledger[instant], s.why[instant])
			}
		}
	}
	slices.Sort(broken)
	return broken
}

// owed are the instants of a Job up to a time, found minute by minute.
func (s *seen) owed(last time.Time) map[int64]epoch {
	owed := map[int64]epoch{}
	for _, e := range s.epochs {
		to := e.to
		if to.IsZero() {
			to = last
		}
		for t := e.from.Truncate(time.Minute).Add(time.Minute); !e.suspend && !t.After(to); t = t.Add(time.Minute) {
			if slices.ContainsFunc(e.exprs, func(x expr) bool { return x.names(t, s.zone) }) {
				owed[t.Unix()] = e
			}
		}
	}
	return owed
}

// clockChanges counts the instants at which a change of the clock matters: those that make up for a skipped one, and those
// that are left out because they are repeated.
func (s *seen) clockChanges(last time.Time) (madeUp, leftOut int) {
	for _, e := range s.epochs {
		to := e.to
		if to.IsZero() {
			to = last
		}
		for t := e.from.Truncate(time.Minute).Add(time.Minute); !e.suspend && !t.After(to); t = t.Add(time.Minute) {
			if slices.ContainsFunc(e.exprs, func(x expr) bool { return x.madeUp(t, s.zone) }) {
				madeUp++
			}
			if slices.ContainsFunc(e.exprs, func(x expr) bool { return x.leftOut(t, s.zone) }) {
				leftOut++
			}
		}
	}
	return madeUp, leftOut
}

// epochAt is the epoch that an instant is in: an edit since does not change which instants a record counts.
func (s *seen) epochAt(t time.Time) epoch {
	for _, e := range s.epochs {
		if e.to.IsZero() || !t.After(e.to) {
			return e
		}
	}
	return epoch{}
}

// learn adds what a history says now.
func (s *seen) learn(job *v1alpha1.TaskSchedule) (contradictions []string) {
	s.owing = job.Status.Owed
	for _, d := range job.Status.History {
		t := d.Instant.UTC()
		for n := max(d.Count, 1); n > 0 && t.After(s.epochs[0].from.Add(-time.Hour)); t = t.Add(-time.Minute) {
			named := func(x expr) bool { return x.names(t, s.zone) }
			if !t.Equal(d.Instant.Time) && !slices.ContainsFunc(s.epochAt(t).exprs, named) {
				continue
			}
			n--
			was := s.ledger[t.Unix()]
			// That it ran may be put right: two ticks at once may see a Job before and after an edit (job.HavingRun).
			if was != "" && was != d.Outcome && d.Count <= 1 && d.Outcome != v1alpha1.OutcomeRan {
				contradictions = append(contradictions,
					fmt.Sprintf("Job %s at %s: the history said %s, and now %s", job.Name, t, was, d.Outcome))
			}
			if was == "" || d.Count <= 1 {
				s.ledger[t.Unix()], s.why[t.Unix()] = d.Outcome, d.Message
			}
			given := d.Outcome == v1alpha1.OutcomeMissed && strings.HasSuffix(d.Message, "; more were held back than can be run after it")
			if was == "" && given && len(job.Status.Owed) == mostOwed {
				s.beyond[t.Unix()] = true
			}
		}
	}
	return contradictions
}
