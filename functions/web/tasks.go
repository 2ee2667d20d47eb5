package main

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// States of a Task, as lists show and choose them.
const (
	stateWaiting    = "waiting"
	stateRunning    = "running"
	stateSucceeded  = "succeeded"
	stateFailed     = "failed"
	stateTerminated = "terminated"
	stateForgotten  = "forgotten"
)

var states = []string{stateRunning, stateWaiting, stateFailed, stateTerminated, stateSucceeded, stateForgotten}

// Row is what a list shows of a Task.
type Row struct {
	Name, Space, App, Title, Command, Job string
	ID                                    int
	State, Reason, Why                    string
	Created, Started, Ended               time.Time
	Duration                              time.Duration
}

// RowOf reads a Task.
func RowOf(t *v1alpha1.Task, now time.Time) Row {
	r := Row{
		Name: t.Name, Space: t.Namespace, App: t.Spec.AppRef.Name, Title: t.Spec.DisplayName, Command: commandOf(&t.Spec), ID: t.ID(),
		Created: t.CreationTimestamp.Time, Job: jobOf(t),
	}
	r.State, r.Reason, r.Why = stateOf(t)
	if t.Status.StartTime != nil {
		r.Started = t.Status.StartTime.Time
		r.Duration = now.Sub(r.Started).Truncate(10 * time.Second) // so that a page is not another one each second
	}
	if t.Status.CompletionTime != nil {
		r.Ended = t.Status.CompletionTime.Time
		r.Duration = r.Ended.Sub(r.Started)
	}
	if r.Started.IsZero() || r.Duration < 0 {
		r.Duration = 0
	}
	return r
}

// jobOf is the Job that a Task is of, "" if it is of none: by its owner, for a label may be anybody's.
func jobOf(t *v1alpha1.Task) string {
	if owner := metav1.GetControllerOf(t); owner != nil && owner.Kind == "TaskSchedule" {
		return owner.Name
	}
	return ""
}

// commandOf is what a Task runs, in one line.
func commandOf(s *v1alpha1.TaskSpec) string {
	switch {
	case s.Command != "":
		return s.Command
	case len(s.Args) > 0:
		return strings.Join(s.Args, " ")
	case s.Process != "":
		return "process " + s.Process
	}
	return ""
}

// stateOf says how a Task stands, and why in a line. A success needs none.
func stateOf(t *v1alpha1.Task) (state, reason, why string) {
	c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil {
		return stateWaiting, v1alpha1.ReasonPending, "no function has looked at it yet"
	}
	reason, why = c.Reason, c.Message
	switch t.Outcome() {
	case v1alpha1.TaskSucceeded:
		return stateSucceeded, reason, ""
	case v1alpha1.TaskTerminated:
		return stateTerminated, reason, why
	case v1alpha1.TaskForgotten:
		return stateForgotten, reason, why
	case v1alpha1.TaskFailed:
		return stateFailed, reason, why
	}
	if reason == v1alpha1.ReasonRunning {
		if t.Spec.Terminated {
			return stateRunning, reason, "it was asked to stop"
		}
		return stateRunning, reason, ""
	}
	return stateWaiting, reason, why
}

// Filter is what a list of Tasks is to have, as its address says.
type Filter struct {
	State, Job, Search string
	Page, Size         int
}

const (
	pageSize = 100
	maxSize  = 500
)

// FilterOf reads an address. What it does not understand it leaves out.
func FilterOf(q url.Values) Filter {
	f := Filter{State: q.Get("state"), Job: q.Get("job"), Search: strings.TrimSpace(q.Get("q")), Page: 1, Size: pageSize}
	if !slices.Contains(states, f.State) {
		f.State = ""
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		f.Page = n
	}
	if n, err := strconv.Atoi(q.Get("size")); err == nil && n > 0 {
		f.Size = min(n, maxSize)
	}
	return f
}

// Query is the address of a filter, "" of one that leaves nothing out.
func (f Filter) Query() string {
	q := url.Values{}
	for name, value := range map[string]string{"state": f.State, "job": f.Job, "q": f.Search} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Page > 1 {
		q.Set("page", strconv.Itoa(f.Page))
	}
	if f.Size != pageSize {
		q.Set("size", strconv.Itoa(f.Size))
	}
	if len(q) == 0 {
		return "?"
	}
	return "?" + q.Encode()
}

// With is the filter with another state, on its first page.
func (f Filter) With(state string) Filter { f.State, f.Page = state, 1; return f }

// At is the filter at another page.
func (f Filter) At(page int) Filter { f.Page = page; return f }

func (f Filter) takes(r Row) bool {
	if f.Job != "" && r.Job != f.Job {
		return false
	}
	if f.Search == "" {
		return true
	}
	search := strings.ToLower(f.Search)
	for _, text := range []string{r.Name, r.Title, r.Command, r.Reason, r.Why, r.Job, "#" + strconv.Itoa(r.ID)} {
		if strings.Contains(strings.ToLower(text), search) {
			return true
		}
	}
	return false
}

// List is one page of a list of Tasks.
type List struct {
	Filter
	Rows []Row
	// Counts are of each state, Found and All of how many the filter takes, and there are.
	Counts     map[string]int
	Found, All int
	Jobs       []string
	From, To   int
	Pages      int
}

// Choose makes a page: newest first, with those that have not ended before all others.
func Choose(rows []Row, f Filter) List {
	l := List{Filter: f, Counts: map[string]int{}, All: len(rows)}
	var found []Row
	for _, r := range rows {
		if r.Job != "" {
			l.Jobs = append(l.Jobs, r.Job)
		}
		if !f.takes(r) {
			continue
		}
		l.Counts[r.State]++
		if f.State == "" || r.State == f.State {
			found = append(found, r)
		}
	}
	slices.Sort(l.Jobs)
	l.Jobs = slices.Compact(l.Jobs)
	slices.SortStableFunc(found, newestFirst)
	l.Found = len(found)
	l.Pages = max(1, (len(found)+f.Size-1)/f.Size)
	l.Page = min(f.Page, l.Pages)
	from := (l.Page - 1) * f.Size
	l.Rows = found[from:min(from+f.Size, len(found))]
	l.From, l.To = from+1, from+len(l.Rows)
	return l
}

// newestFirst puts those that have not ended before all others, and the newest of each first.
func newestFirst(a, b Row) int {
	open := func(r Row) int {
		if r.State == stateRunning || r.State == stateWaiting {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(open(a), open(b)), b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID), cmp.Compare(a.Name, b.Name))
}

// Summary is a list's counts in words.
func (l List) Summary() string {
	if l.Found == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d of %d", l.From, l.To, l.Found)
}
