package main

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// Entry is what a Job did, or is to do, at a time.
type Entry struct {
	At      time.Time
	Outcome string // of shared/api/v1alpha1, or Next of an instant to come
	Task    string // "" if there is none to look at
	Result  string // the reason of the Task's condition
	State   string // the Task's; "" if it is not there
	Message string
	Count   int64
}

// Day is a day of a calendar. Of many entries it shows the first and says how many there are besides.
type Day struct {
	Date    time.Time
	Outside bool // of another month
	Today   bool
	Entries []Entry
	More    int
	Many    bool // more than are counted
}

// Month is a Job's calendar, by weeks from Monday on.
type Month struct {
	First           time.Time
	Previous, After string // the months beside, as addresses have them
	Weeks           [][]Day
	Zone            string
}

const (
	perDay = 3
	// mostNext is up to how many of a day are counted: all of a Job that runs every hour.
	mostNext = 24
	monthly  = "2006-01"
)

// MonthOf reads the month of an address, in a zone; that of now for another.
func MonthOf(text string, now time.Time, zone *time.Location) time.Time {
	if first, err := time.ParseInLocation(monthly, text, zone); err == nil && first.Year() > 1970 && first.Year() < 9000 {
		return first
	}
	y, m, _ := now.In(zone).Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, zone)
}

// Past puts a Job's ledger and its Tasks together, newest first: a Task that the ledger does not have was run by hand, or is older than
// what the ledger keeps.
func Past(j *v1alpha1.TaskSchedule, tasks []*v1alpha1.Task) []Entry {
	var entries []Entry
	there, told := map[string]*v1alpha1.Task{}, map[string]bool{}
	for _, t := range tasks {
		if metav1.IsControlledBy(t, j) {
			there[t.Name] = t
		}
	}
	for _, d := range j.Status.History {
		e := Entry{At: d.Instant.Time, Outcome: string(d.Outcome), Result: d.Result, Message: d.Message, Count: d.Count,
			State: stateByResult(d)}
		if t := there[d.Task]; t != nil {
			e.Task = t.Name
			if d.Outcome == v1alpha1.OutcomeRan {
				e.State, e.Result, _ = stateOf(t)
				told[t.Name] = true
			}
		}
		entries = append(entries, e)
	}
	for name, t := range there {
		if told[name] {
			continue
		}
		e := Entry{At: t.CreationTimestamp.Time, Outcome: string(v1alpha1.OutcomeRan), Task: name, Message: "run by hand"}
		if instant := t.Instant(); !instant.IsZero() {
			e.At, e.Message = instant, ""
		}
		e.State, e.Result, _ = stateOf(t)
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.At.Compare(a.At) })
	return entries
}

// stateByResult is how a Task ended that may not be there any more: the ledger keeps the reason.
func stateByResult(d v1alpha1.Decision) string {
	switch {
	case d.Outcome != v1alpha1.OutcomeRan || d.Result == "":
		return ""
	case d.Result == v1alpha1.ReasonSucceeded:
		return stateSucceeded
	case d.Result == v1alpha1.ReasonCancelled:
		return stateTerminated
	}
	return stateFailed
}

// CalendarOf puts entries of the past and the instants to come into the days of a month.
func CalendarOf(j *v1alpha1.TaskSchedule, past []Entry, first, now time.Time) (Month, error) {
	zone := first.Location()
	end := first.AddDate(0, 1, 0)
	m := Month{First: first, Previous: first.AddDate(0, -1, 0).Format(monthly), After: end.Format(monthly), Zone: zone.String()}
	byDay := map[string][]Entry{}
	for _, e := range slices.Backward(past) { // oldest first
		day := e.At.In(zone).Format(time.DateOnly)
		byDay[day] = append(byDay[day], e)
	}
	back := (int(first.Weekday()) + 6) % 7 // days since Monday
	for day := first.AddDate(0, 0, -back); day.Before(end); {
		var week []Day
		for range 7 {
			d := Day{Date: day, Outside: day.Before(first) || !day.Before(end), Today: sameDay(day, now.In(zone))}
			if !d.Outside {
				next, err := toCome(j, day, now)
				if err != nil {
					return m, err
				}
				d.Entries = append(byDay[day.Format(time.DateOnly)], next...)
			}
			if d.Many = len(d.Entries) > mostNext; len(d.Entries) > perDay {
				d.More, d.Entries = len(d.Entries)-perDay, d.Entries[:perDay]
			}
			week, day = append(week, d), day.AddDate(0, 0, 1)
		}
		m.Weeks = append(m.Weeks, week)
	}
	return m, nil
}

// toCome are the instants of a day that are to come, one more than are counted of those that are more. A suspended Job has none.
func toCome(j *v1alpha1.TaskSchedule, day, now time.Time) (entries []Entry, err error) {
	from, end := day.Add(-time.Second), day.AddDate(0, 0, 1)
	if now.After(from) {
		from = now
	}
	if j.Spec.Suspend || !from.Before(end) {
		return nil, nil
	}
	next, err := job.Preview(j, from, mostNext+1)
	for _, at := range next {
		if at.Before(end) {
			entries = append(entries, Entry{At: at, Outcome: "Next"})
		}
	}
	return entries, err
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }
