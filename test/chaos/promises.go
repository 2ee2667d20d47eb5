package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Run is something that was asked for and accepted: a Task that the API server took, a command or a delivery that was answered.
type Run struct {
	Key   string // its Task has it in its environment, and its container in the name of its file
	By    string // API, command, webhook
	Asked time.Time
	Stop  bool // it was to be terminated, and that was accepted too
}

// Seen is a Task as it was at last. One that was pruned since is Gone.
type Seen struct {
	Name, Key, Job string
	Created        time.Time
	Ended          time.Time // as the Task says; zero while it has not
	Reason         string    // of its end
	Unsaid         bool      // it had ended, and said otherwise later
	Starts         int       // that it was let make
	Gone           bool
	Termination    *v1alpha1.Termination
	Runs           int // PipelineRuns of its name, by their UIDs
}

// Wrote is what a container itself has put on record, on a volume.
type Wrote struct {
	Begins int
	Lines  int // numbered from 1
	Ended  bool
	Began  time.Time // last, to the second
}

// Scheduled is a Job, and what its history has ever said.
type Scheduled struct {
	Name     string
	Every    int // minutes, from the hour
	From, To time.Time
	Said     map[int64]v1alpha1.Outcome
}

// due are the instants of a Job.
func (j Scheduled) due() (instants []time.Time) {
	for at := j.From.Truncate(time.Minute).Add(time.Minute); at.Before(j.To); at = at.Add(time.Minute) {
		if at.UTC().Minute()%j.Every == 0 {
			instants = append(instants, at)
		}
	}
	return instants
}

// State is all that was recorded, of the load by itself and of the cluster by what it has and by what its containers wrote.
type State struct {
	Accepted  []Run
	Tasks     []Seen
	Wrote     map[string]Wrote                     // by key, of a Job's Task by its name
	Delivered map[string]map[int]bool              // the lines that the log sink has, by Task
	Kept      map[string]int                       // the lines that a Task's Pod still has, by Task
	Facts     map[string]map[string]map[string]int // how often each was told: type, Task, id
	Jobs      []Scheduled
	Unread    []span   // when nobody read what containers wrote: containerd was away
	Hanging   []string // what had not come to its end when nothing was waited for any more
}

// during is the part of the State that was asked for, and whose instants are, in a time. A Task is of when it was asked for, and not of when
// it was made: a fault may lie between.
func (s State) during(from, to time.Time) State {
	in := func(t time.Time) bool { return !t.Before(from) && t.Before(to) }
	part := s
	part.Accepted, part.Tasks, part.Jobs = nil, nil, nil
	asked := map[string]time.Time{}
	for _, r := range s.Accepted {
		asked[r.Key] = r.Asked
		if in(r.Asked) {
			part.Accepted = append(part.Accepted, r)
		}
	}
	for _, t := range s.Tasks {
		at, known := asked[t.Key]
		if instant, ok := t.instant(); ok {
			at, known = time.Unix(instant, 0), true
		}
		if !known {
			at = t.Created
		}
		if in(at) {
			part.Tasks = append(part.Tasks, t)
		}
	}
	for _, j := range s.Jobs {
		if j.From.Before(from) {
			j.From = from
		}
		if j.To.After(to) {
			j.To = to
		}
		part.Jobs = append(part.Jobs, j)
	}
	return part
}

// Finding is what a check found: how many cases there were, those that break the promise, and what is to be told of the rest.
type Finding struct {
	Checked int
	Broken  []string
	Note    string
}

// Promise is one that must hold whatever fails, and how it is checked.
type Promise struct {
	Name    string
	Check   func(State) Finding
	Forgets bool // the Broker in memory can't promise it
}

var promises = []Promise{
	{Name: "each accepted run has exactly one Task", Check: oneTask},
	{Name: "each Task has exactly one PipelineRun", Check: oneRun},
	{Name: "each command began once (retries: 0)", Check: beganOnce},
	{Name: "each instant of a Job ran once, or is recorded as missed", Check: instants},
	{Name: "nothing ran off the schedule", Check: onSchedule},
	{Name: "an end that was said stays said", Check: endsStay},
	{Name: "what was terminated says so", Check: terminated},
	{Name: "each line of a stopped Task was delivered, or is said to be lost", Check: delivered},
	{Name: "each line of an ended Task is kept", Check: kept},
	{Name: "each fact was told, under one id", Check: told, Forgets: true},
	{Name: "nothing is left hanging", Check: settled},
}

// oneTask: what was asked for is lost if there is none, and doubled if there are two.
func oneTask(s State) (f Finding) {
	of := map[string]int{}
	for _, t := range s.Tasks {
		of[t.Key]++
	}
	by := map[string]int{}
	for _, r := range s.Accepted {
		f.Checked++
		by[r.By]++
		switch n := of[r.Key]; n {
		case 0:
			f.Broken = append(f.Broken, fmt.Sprintf("lost: %s, asked for by %s", r.Key, r.By))
		case 1:
		default:
			f.Broken = append(f.Broken, fmt.Sprintf("doubled: %s, asked for by %s, has %d Tasks", r.Key, r.By, n))
		}
	}
	f.Note = counts(by)
	return f
}

// oneRun: a Task that was terminated before it started needs none.
func oneRun(s State) (f Finding) {
	without := 0
	for _, t := range s.Tasks {
		f.Checked++
		switch {
		case t.Runs == 1:
		case t.Runs == 0 && t.stopped():
			without++
		default:
			f.Broken = append(f.Broken, fmt.Sprintf("%s has had %d", t.Name, t.Runs))
		}
	}
	if without > 0 {
		f.Note = fmt.Sprintf("%d were terminated before they had one", without)
	}
	return f
}

// byThemselves are the ends of a command that began and came to its end.
var byThemselves = []string{"Succeeded", "Failed"}

// beganOnce is by what the containers wrote. One that was lost or stopped before its command began has not begun.
func beganOnce(s State) (f Finding) {
	never := map[string]int{}
	for _, t := range s.Tasks {
		f.Checked++
		switch n := s.Wrote[t.file()].Begins; {
		case n > 1:
			f.Broken = append(f.Broken, fmt.Sprintf("%s began %d times", t.Name, n))
		case n == 0 && slices.Contains(byThemselves, t.Reason):
			f.Broken = append(f.Broken, fmt.Sprintf("%s says %s and never began", t.Name, t.Reason))
		case n == 0 && !t.Ended.IsZero():
			never[t.Reason]++
		}
	}
	if len(never) > 0 {
		f.Note = "ended before they began: " + counts(never)
	}
	return f
}

func instants(s State) (f Finding) {
	ran := s.ran()
	said := map[string]int{}
	for _, j := range s.Jobs {
		for _, at := range j.due() {
			f.Checked++
			n, outcome := ran[j.Name][at.Unix()], j.Said[at.Unix()]
			said[string(outcome)]++
			switch {
			case n > 1:
				f.Broken = append(f.Broken, fmt.Sprintf("doubled: %s at %s has %d Tasks", j.Name, at.UTC().Format(time.TimeOnly), n))
			case (n == 1) != (outcome == v1alpha1.OutcomeRan) || outcome == "":
				f.Broken = append(f.Broken, fmt.Sprintf("lost: %s at %s has %d Tasks and its history says %q", j.Name, at.UTC().Format(time.TimeOnly), n, outcome))
			}
		}
	}
	f.Note = counts(said)
	return f
}

func onSchedule(s State) (f Finding) {
	ran := s.ran()
	for _, j := range s.Jobs {
		due := j.due()
		for instant, n := range ran[j.Name] {
			at := time.Unix(instant, 0)
			if at.Before(j.From) || !at.Before(j.To) {
				continue // of another time
			}
			f.Checked += n
			if !slices.ContainsFunc(due, at.Equal) {
				f.Broken = append(f.Broken, fmt.Sprintf("%s ran for %s", j.Name, at.UTC().Format(time.TimeOnly)))
			}
		}
	}
	return f
}

func endsStay(s State) (f Finding) {
	for _, t := range s.Tasks {
		if t.Ended.IsZero() {
			continue
		}
		f.Checked++
		if t.Unsaid {
			f.Broken = append(f.Broken, t.Name)
		}
	}
	return f
}

// terminated: what had ended before it was to stop has ended so.
func terminated(s State) (f Finding) {
	task := map[string]Seen{}
	for _, t := range s.Tasks {
		task[t.Key] = t
	}
	ends := map[string]int{}
	for _, r := range s.Accepted {
		t, there := task[r.Key]
		if !r.Stop || !there || t.Ended.IsZero() { // that it hangs is said elsewhere
			continue
		}
		f.Checked++
		ends[t.Reason]++
		if t.Reason == "Succeeded" && !s.Wrote[t.file()].Ended {
			f.Broken = append(f.Broken, fmt.Sprintf("%s says Succeeded", t.Name))
		}
	}
	f.Note = counts(ends)
	return f
}

// delivered compares what a container put on record with what the log sink has.
func delivered(s State) (f Finding) {
	tasks, lost, says := 0, 0, map[string]int{}
	for _, t := range s.Tasks {
		if !t.Termination.Finished() || t.Termination.Log == v1alpha1.LogNone {
			continue
		}
		tasks++
		says[string(t.Termination.Log)]++
		missing := 0
		for n := 1; n <= s.Wrote[t.file()].Lines; n++ {
			f.Checked++
			if !s.Delivered[t.Name][n] {
				missing++
			}
		}
		lost += missing
		if missing > 0 && (t.Termination.Log != v1alpha1.LogIncomplete || t.Termination.Message == "") {
			f.Broken = append(f.Broken, fmt.Sprintf("%s says %s, and %d of %d lines are missing", t.Name, t.Termination.Log, missing, s.Wrote[t.file()].Lines))
		}
	}
	f.Note = fmt.Sprintf("lines of %d Tasks (%s); %d lines lost", tasks, counts(says), lost)
	return f
}

// kept: a Task that came to its end by itself has its log with its Pod, until it is pruned. One that wrote all of it while containerd was
// away has none: containerd alone reads what a container writes, and what it has not read goes when the container ends (docs/logs.md).
func kept(s State) (f Finding) {
	unread := 0
	defer func() {
		if unread > 0 {
			f.Note = fmt.Sprintf("%d lines were written and lost while containerd was away", unread)
		}
	}()
	for _, t := range s.Tasks {
		lines, looked := s.Kept[t.Name]
		if !looked {
			continue
		}
		f.Checked += s.Wrote[t.file()].Lines
		switch want := s.Wrote[t.file()].Lines; {
		case lines >= want:
		case within(s.Wrote[t.file()].Began, s.Unread):
			unread += want - lines
		default:
			f.Broken = append(f.Broken, fmt.Sprintf("%s wrote %d lines, %d are kept", t.Name, want, lines))
		}
	}
	return f
}

// ends are the facts of which a Task's end has one.
var ends = []string{events.TaskSucceeded, events.TaskFailed, events.TaskTerminated}

// told: a fact of a kind has one id for one Task, however often it is told.
func told(s State) (f Finding) {
	untold, twice := map[string]int{}, 0
	check := func(task string, types ...string) {
		f.Checked++
		ids, times := 0, 0
		for _, eventType := range types {
			ids += len(s.Facts[eventType][task])
			for _, n := range s.Facts[eventType][task] {
				times += n
			}
		}
		kind := types[0]
		if len(types) > 1 {
			kind = "its end"
		}
		switch {
		case ids == 0:
			untold[kind]++
			f.Broken = append(f.Broken, fmt.Sprintf("untold: %s of %s", kind, task))
		case ids > 1:
			f.Broken = append(f.Broken, fmt.Sprintf("under %d ids: %s of %s", ids, kind, task))
		case times > 1:
			twice++
		}
	}
	for _, t := range s.Tasks {
		if t.Runs > 0 {
			check(t.Name, events.TaskCreated)
		}
		if t.Starts > 0 { // a run has a start time before a command begins, and may end before that
			check(t.Name, events.TaskStarted)
		}
		if !t.Ended.IsZero() {
			check(t.Name, ends...)
		}
	}
	f.Note = fmt.Sprintf("%d were told more than once", twice)
	if len(untold) > 0 {
		f.Note += "; untold: " + counts(untold)
	}
	return f
}

// settled is about Tasks; what else hangs is in the State as it was found.
func settled(s State) (f Finding) {
	for _, t := range s.Tasks {
		f.Checked++
		switch {
		case t.Gone:
		case t.Ended.IsZero():
			f.Broken = append(f.Broken, t.Name+" has not ended")
		case t.Termination != nil && !t.Termination.Finished():
			f.Broken = append(f.Broken, t.Name+" has not delivered its log")
		}
	}
	f.Broken = append(f.Broken, s.Hanging...)
	f.Checked += len(s.Hanging)
	return f
}

// file is what the Task's container names its record by.
func (t Seen) file() string {
	if t.Key != "" {
		return t.Key
	}
	return t.Name
}

func (t Seen) stopped() bool { return t.Termination != nil }

// instant is that of a Job's Task, which is in its name.
func (t Seen) instant() (unix int64, ok bool) {
	if t.Job == "" {
		return 0, false
	}
	unix, err := strconv.ParseInt(strings.TrimPrefix(t.Name, t.Job+"-"), 10, 64)
	return unix, err == nil
}

// ran are the Tasks of each Job, by their instant.
func (s State) ran() map[string]map[int64]int {
	ran := map[string]map[int64]int{}
	for _, t := range s.Tasks {
		if instant, ok := t.instant(); ok {
			if ran[t.Job] == nil {
				ran[t.Job] = map[int64]int{}
			}
			ran[t.Job][instant]++
		}
	}
	return ran
}

// counts writes "2 Missed, 7 Ran".
func counts(of map[string]int) string {
	var parts []string
	for what, n := range of {
		if what == "" {
			what = "nothing said"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, what))
	}
	slices.SortFunc(parts, func(a, b string) int { return strings.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):]) })
	return strings.Join(parts, ", ")
}
