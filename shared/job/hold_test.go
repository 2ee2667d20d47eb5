package job

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func mt(clock string) *metav1.Time { return &metav1.Time{Time: day(clock)} }

func pausedUntil(clock, note string) *v1alpha1.Pause {
	if clock == "" {
		return &v1alpha1.Pause{Note: note}
	}
	return &v1alpha1.Pause{Note: note, Until: mt(clock)}
}

func pausing(clock, note string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.Pause = pausedUntil(clock, note) }
}

func catchUp(p v1alpha1.CatchUpPolicy, limit int32) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		if j.Spec.CatchUp = p; limit > 0 {
			j.Spec.CatchUpLimit = &limit
		}
	}
}

func blackout(name, from, to string, p v1alpha1.BlackoutPolicy) v1alpha1.Blackout {
	return v1alpha1.Blackout{Name: name, Note: "closed", Policy: p, From: mt(from), To: mt(to)}
}

func appWith(p *v1alpha1.Pause, blackouts ...v1alpha1.Blackout) *v1alpha1.App {
	a := &v1alpha1.App{}
	a.Name, a.Spec.Pause, a.Spec.Blackouts = "app", p, blackouts
	return a
}

func spaceWith(p *v1alpha1.Pause, blackouts ...v1alpha1.Blackout) *v1alpha1.Space {
	s := &v1alpha1.Space{}
	s.Name, s.Spec.Pause, s.Spec.Blackouts = "space", p, blackouts
	return s
}

// play lets a tick look at a Job each minute from one time to another, but for an outage, as the function tick does, and tells
// what ran, at which minute, and what the history says.
type play struct {
	job     *v1alpha1.TaskSchedule
	holds   func(now time.Time) *Holds
	running func(now time.Time) []v1alpha1.Task
	made    Instants
	ran     []string // INSTANT@MINUTE, where they differ
	log     []string
}

func (p *play) tick(t *testing.T, now time.Time) {
	t.Helper()
	for range PerTick + 1 {
		yes := true
		facts := Facts{App: &yes, Holds: p.holds(now), Made: p.made, Running: []v1alpha1.Task{}}
		if p.running != nil {
			facts.Running = p.running(now)
		}
		plan, need := Decide(p.job, facts, now)
		if need != NeedNothing {
			t.Fatalf("%v: need %s", now, need)
		}
		if c := plan.Create; c != nil {
			var seconds int64
			fmt.Sscanf(c.Name, "job-%d", &seconds)
			if p.made[seconds] {
				t.Errorf("%s is made twice", c.Name)
			}
			p.made[seconds] = true
			said := time.Unix(seconds, 0).UTC().Format("15:04")
			if m := now.Format("15:04"); m != said {
				said += "@" + m
			}
			p.ran = append(p.ran, said)
		}
		for _, d := range slices.Backward(plan.Records) {
			p.log = append(p.log, fmt.Sprintf("%s %s: %s", d.Instant.UTC().Format("15:04"), d.Outcome, d.Message))
		}
		if plan.Status != nil {
			if plan.Status.DecidedUntil.Time.Before(p.job.Status.DecidedUntil.Time) {
				t.Errorf("%v: the watermark goes back to %v", now, plan.Status.DecidedUntil)
			}
			p.job.Status = *plan.Status
		}
		if !plan.More {
			return
		}
	}
}

func (p *play) to(t *testing.T, from, to string) *play {
	t.Helper()
	for now := day(from); !now.After(day(to)); now = now.Add(time.Minute) {
		p.tick(t, now.Add(time.Second))
	}
	return p
}

func playing(j *v1alpha1.TaskSchedule, app *v1alpha1.App, space *v1alpha1.Space) *play {
	return &play{job: j, made: Instants{}, holds: func(time.Time) *Holds { return HoldsOf(app, space) }}
}

func TestWhatHoldsInstantsBack(t *testing.T) {
	shift, skip, after := v1alpha1.BlackoutShift, v1alpha1.BlackoutSkip, v1alpha1.BlackoutRunAfter
	night := func(p v1alpha1.BlackoutPolicy) *v1alpha1.App {
		return appWith(nil, blackout("night", "12:10", "12:40", p))
	}
	for _, row := range []struct {
		what     string
		job      *v1alpha1.TaskSchedule
		app      *v1alpha1.App
		space    *v1alpha1.Space
		from, to string // ticks come
		ran      string
		log      []string // parts of it
	}{
		{"nothing", settled("*/10 * * * *", "12:00"), nil, nil, "12:01", "12:30", "12:10 12:20 12:30", nil},
		{"the Job's pause", settled("*/10 * * * *", "12:00", pausing("12:25", "the database moves")), nil, nil, "12:01", "12:40", "12:30 12:40",
			[]string{"12:10 Paused: Job job is paused until 2026-03-02T12:25:00Z: the database moves", "12:20 Paused: "}},
		{"the instant at its end runs", settled("*/10 * * * *", "12:00", pausing("12:20", "")), nil, nil, "12:01", "12:30", "12:20 12:30", nil},
		{"the App's", settled("*/10 * * * *", "12:00"), appWith(pausedUntil("12:15", "x")), nil, "12:01", "12:20", "12:20",
			[]string{"12:10 Paused: App app is paused until 2026-03-02T12:15:00Z: x"}},
		{"the Space's, for good", settled("*/10 * * * *", "12:00"), nil, spaceWith(pausedUntil("", "")), "12:01", "12:20", "",
			[]string{"12:10 Paused: Space space is paused", "12:20 Paused: Space space is paused"}},
		{"one that is over holds nothing", settled("*/10 * * * *", "12:00", pausing("11:00", "")), nil, nil, "12:01", "12:20", "12:10 12:20", nil},
		{"an outage in a pause owes nothing", settled("*/10 * * * *", "12:00", pausing("12:35", "")), nil, nil, "12:32", "12:40", "12:40",
			[]string{"12:30 Paused"}},
		{"an outage beyond its end", settled("*/10 * * * *", "12:00", pausing("12:15", "")), nil, nil, "12:32", "12:40", "12:30@12:32 12:40",
			[]string{"12:10 Paused", "12:20 Missed"}},
		{"nor does catchUp run what was paused", settled("*/10 * * * *", "12:00", pausing("12:25", ""), catchUp(v1alpha1.CatchUpAll, 0)), nil, nil,
			"12:45", "12:50", "12:40@12:45 12:30@12:45 12:50", []string{"12:20 Paused"}},

		{"Skip", settled("*/10 * * * *", "12:00"), night(skip), nil, "12:01", "12:50", "12:40 12:50",
			[]string{"12:10 BlackedOut: blackout night of App app: closed", "12:20 BlackedOut", "12:30 BlackedOut"}},
		{"Shift", settled("*/10 * * * *", "12:00"), night(shift), nil, "12:01", "12:50", "12:40 12:10@12:40 12:20@12:40 12:30@12:40 12:50",
			[]string{"12:10 Ran: shifted by blackout night of App app: closed"}},
		{"RunAfter", settled("*/10 * * * *", "12:00"), night(after), nil, "12:01", "12:50", "12:40 12:30@12:40 12:50",
			[]string{"12:10 BlackedOut: blackout night of App app: closed: a later instant in it runs when it is over", "12:20 BlackedOut",
				"12:30 Ran: run after blackout night of App app"}},
		{"RunAfter of none", settled("0 * * * *", "12:00"), night(after), nil, "12:01", "12:50", "", nil},
		{"the next begins where one ends", settled("*/10 * * * *", "12:00"), night(shift),
			spaceWith(nil, blackout("more", "12:35", "13:00", after)), "12:01", "13:00", "13:00 12:10@13:00 12:20@13:00 12:30@13:00 12:50@13:00",
			[]string{"12:40 BlackedOut"}},
		{"Skip within Shift", settled("*/10 * * * *", "12:00"), night(shift), spaceWith(nil, blackout("in", "12:15", "12:25", skip)), "12:01", "12:45",
			"12:40 12:10@12:40 12:30@12:40", []string{"12:20 BlackedOut: blackout in of Space space"}},
		{"late by an outage, into a blackout", settled("*/10 * * * *", "11:50"), night(shift), nil, "12:15", "12:45",
			"12:40 12:00@12:40 12:10@12:40 12:20@12:40 12:30@12:40", nil},
		{"an outage over a whole one", settled("*/10 * * * *", "12:00"), night(shift), nil, "13:05", "13:10",
			"13:00@13:05 12:10@13:05 12:20@13:05 12:30@13:05 13:10", []string{"12:50 Missed"}},
		{"one that lasts", settled("*/10 * * * *", "12:00"), appWith(nil, blackout("year", "11:00", "23:59", shift)), nil, "12:01", "14:00", "", nil},
		{"a pause while it is on", settled("*/10 * * * *", "12:00", pausing("12:45", "")), night(shift), nil, "12:01", "12:50", "12:50",
			[]string{"12:10 Paused", "12:40 Paused"}},
		{"a deadline is no matter to what is shifted", settled("*/10 * * * *", "12:00", deadline(60)), night(shift), nil, "12:01", "12:40",
			"12:40 12:10@12:40 12:20@12:40 12:30@12:40", nil},

		{"catchUp Latest", settled("*/10 * * * *", "12:00"), nil, nil, "12:45", "12:50", "12:40@12:45 12:50", []string{"12:30 Missed"}},
		{"All", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 0)), nil, nil, "12:45", "12:50",
			"12:40@12:45 12:10@12:45 12:20@12:45 12:30@12:45 12:50", []string{"12:10 Ran: it was missed in an outage, and is caught up"}},
		{"at most two", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 2)), nil, nil, "12:45", "12:50",
			"12:40@12:45 12:30@12:45 12:50", []string{"12:20 Missed"}},
		{"one is the latest", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 1)), nil, nil, "12:45", "12:50", "12:40@12:45 12:50", nil},
		{"None", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpNone, 0)), nil, nil, "12:46", "12:50", "12:50",
			[]string{"12:40 Missed: it was more than 5m0s late, and catchUp is None"}},
		{"None, a tick that is late", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpNone, 0)), nil, nil, "12:13", "12:20", "12:10@12:13 12:20", nil},
		{"All, as many each minute", settled("* * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 0)), nil, nil, "12:25", "12:28",
			"12:25 12:01@12:25 12:02@12:25 12:03@12:25 12:04@12:25 12:05@12:25 12:06@12:25 12:07@12:25 12:08@12:25 12:09@12:25 12:10@12:25 " +
				"12:26 12:11@12:26 12:12@12:26 12:13@12:26 12:14@12:26 12:15@12:26 12:16@12:26 12:17@12:26 12:18@12:26 12:19@12:26 12:20@12:26 " +
				"12:27 12:21@12:27 12:22@12:27 12:23@12:27 12:24@12:27 12:28", nil},
		{"All within a deadline", settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 0), deadline(1200)), nil, nil, "12:45", "12:50",
			"12:40@12:45 12:30@12:45 12:50", []string{"12:10 Missed: startingDeadlineSeconds", "12:20 Missed: startingDeadlineSeconds"}},
	} {
		t.Run(row.what, func(t *testing.T) {
			p := playing(row.job, row.app, row.space).to(t, row.from, row.to)
			if got := strings.Join(p.ran, " "); got != row.ran {
				t.Errorf("ran\n %s, want\n %s\n%s", got, row.ran, strings.Join(p.log, "\n"))
			}
			for _, want := range row.log {
				if !slices.ContainsFunc(p.log, func(l string) bool { return strings.HasPrefix(l, want) }) {
					t.Errorf("no %q in\n%s", want, strings.Join(p.log, "\n"))
				}
			}
		})
	}
}

// Of a Job that wants one Task at a time what is owed waits, and stops none.
func TestWhatIsOwedRunsOneAtATime(t *testing.T) {
	for _, one := range []v1alpha1.ConcurrencyPolicy{v1alpha1.ConcurrencyForbid, v1alpha1.ConcurrencyReplace} {
		p := playing(settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 0), policy(one)), nil, nil)
		p.running = func(now time.Time) []v1alpha1.Task { // each runs for two minutes
			if n := len(p.ran); n > 0 {
				_, minute, late := strings.Cut(p.ran[n-1], "@")
				if !late {
					minute = p.ran[n-1]
				}
				if now.Before(day(minute).Add(2 * time.Minute)) {
					return []v1alpha1.Task{task("other")}
				}
			}
			return []v1alpha1.Task{}
		}
		p.to(t, "12:32", "12:45")
		if got, want := strings.Join(p.ran, " "), "12:30@12:32 12:10@12:34 12:20@12:36 12:40"; got != want {
			t.Errorf("%s: ran %s, want %s", one, got, want)
		}
	}
}

// A blackout of a year, of a Job that is due each minute: what is kept of it is bounded, and so is its history.
func TestALongBlackoutIsBounded(t *testing.T) {
	from, to := metav1.NewTime(at("2026-03-02 12:00")), metav1.NewTime(at("2027-03-02 12:00"))
	for _, p := range []v1alpha1.BlackoutPolicy{v1alpha1.BlackoutShift, v1alpha1.BlackoutRunAfter, v1alpha1.BlackoutSkip} {
		j := settled("* * * * *", "12:00")
		app := appWith(nil, v1alpha1.Blackout{Name: "year", Policy: p, From: &from, To: &to})
		play := playing(j, app, nil)
		for now := day("12:01"); now.Before(day("12:01").Add(1100 * time.Minute)); now = now.Add(time.Minute) {
			play.tick(t, now.Add(time.Second))
		}
		if len(play.ran) > 0 || len(j.Status.Owed) > 1 || len(j.Status.History) > 3 {
			t.Errorf("%s: ran %v, owed %v, history %+v", p, play.ran, j.Status.Owed, j.Status.History)
		}
		owed := 0
		for _, o := range j.Status.Owed {
			all, _ := timetableOf(j).Between(o.After.Time, o.Until.Add(time.Second), 5000)
			owed += len(all)
		}
		if want := map[v1alpha1.BlackoutPolicy]int{v1alpha1.BlackoutShift: v1alpha1.MaxOwed, v1alpha1.BlackoutRunAfter: 1}[p]; owed != want {
			t.Errorf("%s: %d are owed, want %d", p, owed, want)
		}
		if n := len(play.log) + owed; n != 1100 {
			t.Errorf("%s: %d of 1100 instants are accounted for", p, n)
		}
		play.tick(t, to.Add(time.Second)) // the system was down since
		if last := play.log[len(play.log)-1]; len(j.Status.History) > maxHistory || last == "" {
			t.Errorf("history of %d", len(j.Status.History))
		}
	}
}

// What is owed is closed when the Job is suspended or gets another schedule, and it is on record.
func TestWhatIsOwedIsClosedWithItsEpoch(t *testing.T) {
	for what, edit := range map[string]func(*v1alpha1.TaskSchedule){"suspended": suspend(true), "rescheduled": scheduled("*/7 * * * *")} {
		p := playing(settled("*/10 * * * *", "12:00"), appWith(nil, blackout("day", "12:00", "18:00", v1alpha1.BlackoutShift)), nil)
		p.to(t, "12:01", "12:35")
		if len(p.job.Status.Owed) != 1 || p.ran != nil {
			t.Fatalf("owed %v, ran %v", p.job.Status.Owed, p.ran)
		}
		edited(p.job, day("12:35:30"), edit)
		p.made[day("12:20").Unix()] = true // and its process died
		p.to(t, "12:36", "12:36")
		log := strings.Join(p.log, "\n")
		if len(p.job.Status.Owed) != 0 || !strings.Contains(log, "12:20 Ran") || !strings.Contains(log, "12:30 Missed: shifted by blackout day") {
			t.Errorf("%s: owed %v:\n%s", what, p.job.Status.Owed, log)
		}
	}
}

// Nor is one that was missed for all that anybody knows, beside the one that is due.
func TestAMissedInstantThatRanIsNotOwed(t *testing.T) {
	j, yes := settled("*/10 * * * *", "12:00", catchUp(v1alpha1.CatchUpAll, 0)), true
	facts := Facts{App: &yes, Holds: &Holds{}}
	if _, need := Decide(j, facts, day("12:20:01")); need != NeedMade {
		t.Fatalf("it owes 12:10, and needs %q", need)
	}
	facts.Made = Instants{day("12:10").Unix(): true}
	plan, need := Decide(j, facts, day("12:20:01"))
	if need != NeedNothing || plan.Create == nil || len(plan.Status.Owed) > 0 || plan.Status.History[1].Outcome != v1alpha1.OutcomeRan {
		t.Errorf("needs %q, owed %v, %+v", need, plan.Status.Owed, plan.Status.History)
	}
}

// An instant that a process has run before it died is no more owed than decided anew.
func TestAHeldInstantThatRanIsNotOwed(t *testing.T) {
	for _, pol := range []v1alpha1.BlackoutPolicy{v1alpha1.BlackoutShift, v1alpha1.BlackoutRunAfter, v1alpha1.BlackoutSkip} {
		yes := true
		facts := Facts{App: &yes, Holds: HoldsOf(appWith(nil, blackout("night", "12:05", "13:00", pol)), nil)}
		j := settled("*/10 * * * *", "12:00")
		if _, need := Decide(j, facts, day("12:10:05")); need != NeedMade {
			t.Errorf("%s: need %q", pol, need)
		}
		facts.Made = made("12:10")
		plan, _ := Decide(j, facts, day("12:10:05"))
		if plan.Create != nil || len(plan.Status.Owed) > 0 || plan.Status.History[0].Outcome != v1alpha1.OutcomeRan {
			t.Errorf("%s: %+v", pol, plan.Status)
		}
	}
}

func TestHowAHeldJobStands(t *testing.T) {
	ready := func(p *play) string {
		c := meta.FindStatusCondition(p.job.Status.Conditions, v1alpha1.ConditionReady)
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
	next := func(p *play) string {
		if p.job.Status.NextScheduleTime == nil {
			return "never"
		}
		return p.job.Status.NextScheduleTime.UTC().Format("15:04")
	}
	j := seen(edited(settled("*/10 * * * *", "12:00"), day("12:00:30"), pausing("12:25", "the database moves")), day("12:00:31"))
	p := playing(j, nil, nil)
	if got := ready(p); !strings.HasPrefix(got, "True Paused: Job job is paused until 2026-03-02T12:25:00Z: the database moves") || next(p) != "12:30" {
		t.Errorf("%s, next %s", got, next(p))
	}
	if p.to(t, "12:01", "12:26"); !strings.HasPrefix(ready(p), "True Scheduled") || next(p) != "12:30" {
		t.Errorf("after its end: %s, next %s", ready(p), next(p))
	}
	p = playing(settled("*/10 * * * *", "12:00"), appWith(nil, v1alpha1.Blackout{Name: "b", ICalendar: "x"}), nil)
	if p.to(t, "12:01", "12:25"); !strings.HasPrefix(ready(p), `False BlackoutUnreadable: blackout "b" of App app`) || len(p.ran)+len(p.log) > 0 {
		t.Errorf("unreadable: %s, ran %v, said %v", ready(p), p.ran, p.log)
	}
	if p.holds = func(time.Time) *Holds { return &Holds{} }; true {
		p.to(t, "12:26", "12:27")
	}
	if !strings.HasPrefix(ready(p), "True Scheduled") || strings.Join(p.ran, " ") != "12:20@12:26" {
		t.Errorf("mended: %s, ran %v", ready(p), p.ran)
	}
	once := playing(settled("@at 2026-03-02T12:20", "12:00"), nil, nil)
	if once.to(t, "12:01", "12:25"); !strings.HasPrefix(ready(once), "True Over") || strings.Join(once.ran, " ") != "12:20" || next(once) != "never" {
		t.Errorf("once: %s, ran %v", ready(once), once.ran)
	}
	late := seen(fresh("@at 2026-03-02T12:20", "2026-03-02 12:30"), day("12:30:01"))
	if got := ready(playing(late, nil, nil)); !strings.HasPrefix(got, "True Over") {
		t.Errorf("in the past: %s", got)
	}
	ended := playing(settled("*/10 * * * *", "12:00", func(j *v1alpha1.TaskSchedule) { j.Spec.StartDate, j.Spec.EndDate = mt("12:15"), mt("12:40") }), nil, nil)
	if ended.to(t, "12:01", "13:00"); !strings.HasPrefix(ready(ended), "True Over") || strings.Join(ended.ran, " ") != "12:20 12:30" {
		t.Errorf("between dates: %s, ran %v", ready(ended), ended.ran)
	}
}

// A note goes into each record: a long one is cut.
func TestANoteIsCutInTheHistory(t *testing.T) {
	p := playing(settled("*/10 * * * *", "12:00", pausing("", strings.Repeat("ä", 1000))), nil, nil).to(t, "12:01", "12:10")
	if d := p.job.Status.History[0]; len([]rune(d.Message)) > maxNote+40 || !strings.HasSuffix(d.Message, "ä...") {
		t.Errorf("%q", d.Message)
	}
}

func TestBackfillOf(t *testing.T) {
	j := settled("*/10 * * * *", "13:00")
	j.Status.History = []v1alpha1.Decision{{Instant: *mt("12:40"), Outcome: v1alpha1.OutcomeRan}, {Instant: *mt("12:30"), Outcome: v1alpha1.OutcomePaused},
		{Instant: *mt("12:20"), Outcome: v1alpha1.OutcomeMissed}}
	j.Status.Owed = []v1alpha1.Owed{{After: *mt("12:41"), Until: *mt("12:50")}}
	minutely := settled("* * * * *", "2026-03-02 13:00")
	for _, row := range []struct {
		what     string
		job      *v1alpha1.TaskSchedule
		from, to time.Time
		run      string
		counts   [5]int // instants, made, ran, owed, unstored
		err      string
	}{
		{"what did not run", j, day("12:00"), day("13:00"), "12:10 12:20 12:30 13:00", [5]int{7, 1, 1, 1, 1}, ""},
		{"both ends", j, day("12:20"), day("12:30"), "12:20 12:30", [5]int{2, 0, 0, 0, 0}, ""},
		{"not what tick is to decide", j, day("13:00"), day("14:00"), "13:00", [5]int{1, 0, 0, 0, 0}, ""},
		{"too many", minutely, at("2026-03-01 00:00"), day("13:00"), "", [5]int{}, "2220 instants to run"},
		{"100,000", minutely, at("2025-12-22 00:00"), day("13:00"), "", [5]int{}, "instants to run, from 2025-12-22T00:00:00Z"},
		{"far too many", minutely, at("2020-01-01 00:00"), day("13:00"), "", [5]int{}, "more than 200000"},
		{"a broken schedule", settled("0 25 * * *", "12:00"), day("12:00"), day("13:00"), "", [5]int{}, "hour"},
	} {
		b, err := BackfillOf(row.job, made("12:00"), row.from, row.to, day("14:30"))
		if row.err != "" {
			if err == nil || !strings.Contains(err.Error(), row.err) {
				t.Errorf("%s: %v", row.what, err)
			}
			continue
		}
		var run []string
		for _, at := range b.Run {
			run = append(run, at.Format("15:04"))
		}
		if got := [5]int{b.Instants, b.Made, b.Ran, b.Owed, b.Unstored}; err != nil || strings.Join(run, " ") != row.run || got != row.counts {
			t.Errorf("%s: %v %v %v", row.what, run, got, err)
		}
	}
}

func TestUpcomingSaysWhatBecomesOfEach(t *testing.T) {
	holds := HoldsOf(appWith(nil, blackout("night", "12:25", "12:45", v1alpha1.BlackoutShift), blackout("noon", "12:45", "12:55", v1alpha1.BlackoutSkip)),
		spaceWith(nil, blackout("late", "13:05", "13:15", v1alpha1.BlackoutRunAfter)))
	runs, err := Upcoming(settled("*/10 * * * *", "12:00", pausing("12:15", "moving")), holds, day("12:05"), 7)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"does not run: Job job is paused until 2026-03-02T12:15:00Z: moving", "", "runs at Mon 2026-03-02 12:55 UTC: blackout night of App app: closed",
		"runs at Mon 2026-03-02 12:55 UTC: blackout night", "does not run: blackout noon of App app: closed", "",
		"runs at Mon 2026-03-02 13:15 UTC, if it is the latest that is held back: blackout late of Space space: closed",
	} {
		if want == "" && runs[i].But != "" || !strings.HasPrefix(runs[i].But, want) {
			t.Errorf("%v: %q, want %q", runs[i].Instant, runs[i].But, want)
		}
	}
}
