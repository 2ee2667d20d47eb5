package main

import (
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// good is a State that breaks nothing: a Task that ended by itself, one that was stopped, one of a Job.
func good() State {
	fact := func(tasks ...string) map[string]map[string]int {
		of := map[string]map[string]int{}
		for _, t := range tasks {
			of[t] = map[string]int{"id of " + t: 1}
		}
		return of
	}
	job := "tick-" + "1764417660"
	at := time.Unix(1764417660, 0)
	all := Wrote{Begins: 1, Lines: 5, Ended: true, Began: noon}
	return State{
		Accepted: []Run{{Key: "r1", By: "API", Asked: noon}, {Key: "r2", By: "command", Asked: noon, Stop: true}},
		Tasks: []Seen{
			{Name: "t1", Key: "r1", Created: noon, Ended: noon, Reason: "Succeeded", Starts: 1, Runs: 1},
			{Name: "t2", Key: "r2", Created: noon, Ended: noon, Reason: "TaskCancelled", Starts: 1, Runs: 1,
				Termination: &v1alpha1.Termination{Log: v1alpha1.LogComplete}},
			{Name: job, Job: "tick", Created: at, Ended: at, Reason: "Succeeded", Starts: 1, Runs: 1},
		},
		Wrote:     map[string]Wrote{"r1": all, "r2": {Begins: 1, Lines: 3}, job: all},
		Delivered: map[string]map[int]bool{"t2": {1: true, 2: true, 3: true}},
		Kept:      map[string]int{"t1": 5, job: 5},
		Facts: map[string]map[string]map[string]int{
			events.TaskCreated: fact("t1", "t2", job), events.TaskStarted: fact("t1", "t2", job),
			events.TaskSucceeded: fact("t1", job), events.TaskTerminated: fact("t2"),
		},
		Jobs: []Scheduled{{Name: "tick", Every: 1, From: at.Add(-time.Second), To: at.Add(time.Minute), Said: map[int64]v1alpha1.Outcome{at.Unix(): v1alpha1.OutcomeRan}}},
	}
}

// TestPromises: of a State that breaks none, each check looks at something; and each breach is found by its check and by no other.
func TestPromises(t *testing.T) {
	for _, p := range promises {
		if f := p.Check(good()); f.Checked == 0 || len(f.Broken) > 0 {
			t.Errorf("%s: %d checked, broken %v", p.Name, f.Checked, f.Broken)
		}
	}
	job := good().Tasks[2]
	instant := good().Jobs[0].due()[0].Unix()
	for name, c := range map[string]struct {
		breaks  func(*State)
		promise []string
		says    string
	}{
		"a Task is lost": {func(s *State) { s.Tasks = s.Tasks[1:] }, []string{"each accepted run"}, "lost: r1"},
		"a Task is doubled": {func(s *State) {
			s.Tasks[1].Key = "r1"
			s.Accepted = s.Accepted[:1]
			s.Wrote["r1"] = Wrote{Begins: 1, Lines: 3, Ended: true}
		}, []string{"each accepted run"}, "doubled: r1"},
		"two PipelineRuns":              {func(s *State) { s.Tasks[0].Runs = 2 }, []string{"each Task has"}, "t1 has had 2"},
		"no PipelineRun":                {func(s *State) { s.Tasks[0].Runs = 0 }, []string{"each Task has"}, "t1 has had 0"},
		"a command began twice":         {func(s *State) { s.Wrote["r1"] = Wrote{Begins: 2, Lines: 5, Ended: true} }, []string{"each command began"}, "t1 began 2 times"},
		"succeeded and never began":     {func(s *State) { s.Wrote["r1"] = Wrote{Ended: true} }, []string{"each command began"}, "never began"},
		"an instant ran twice":          {func(s *State) { s.Tasks = append(s.Tasks, job) }, []string{"each instant"}, "doubled: tick"},
		"an instant has no word":        {func(s *State) { delete(s.Jobs[0].Said, instant) }, []string{"each instant"}, `its history says ""`},
		"said to have run, and no Task": {func(s *State) { s.Tasks = s.Tasks[:2] }, []string{"each instant"}, "lost: tick"},
		"off the schedule": {func(s *State) {
			s.Jobs[0].Every, s.Jobs[0].Said = 59, map[int64]v1alpha1.Outcome{}
		}, []string{"nothing ran off"}, "tick ran for"},
		"an end was taken back":         {func(s *State) { s.Tasks[0].Unsaid = true }, []string{"an end that was said"}, "t1"},
		"stopped, and says Succeeded":   {func(s *State) { s.Tasks[1].Reason = "Succeeded" }, []string{"what was terminated"}, "t2"},
		"a line is lost without a word": {func(s *State) { delete(s.Delivered["t2"], 2) }, []string{"each line of a stopped"}, "1 of 3"},
		"incomplete, and not what":      {func(s *State) { delete(s.Delivered["t2"], 2); s.Tasks[1].Termination.Log = v1alpha1.LogIncomplete }, []string{"each line of a stopped"}, "1 of 3"},
		"a kept line is lost":           {func(s *State) { s.Kept["t1"] = 4 }, []string{"each line of an ended"}, "4 are kept"},
		"lost, and containerd was away at another time": {func(s *State) {
			s.Kept["t1"], s.Unread = 0, []span{{noon.Add(time.Second), noon.Add(time.Minute)}}
		}, []string{"each line of an ended"}, "0 are kept"},
		"a fact is untold":     {func(s *State) { delete(s.Facts[events.TaskStarted], "t1") }, []string{"each fact"}, "untold: dev.kf.task.started.v1"},
		"a fact has two ids":   {func(s *State) { s.Facts[events.TaskCreated]["t1"]["other"] = 1 }, []string{"each fact"}, "under 2 ids"},
		"two ends are told":    {func(s *State) { s.Facts[events.TaskFailed] = map[string]map[string]int{"t1": {"other": 1}} }, []string{"each fact"}, "its end of t1"},
		"a Task has not ended": {func(s *State) { s.Tasks[0].Ended, s.Tasks[0].Reason = time.Time{}, "" }, []string{"nothing is left"}, "t1 has not ended"},
		"a log is under way":   {func(s *State) { s.Tasks[1].Termination.Log = v1alpha1.LogDelivering }, []string{"nothing is left"}, "t2"},
		"something else hangs": {func(s *State) { s.Hanging = []string{"Pod p has no Task"} }, []string{"nothing is left"}, "Pod p"},
	} {
		s := good()
		c.breaks(&s)
		for _, p := range promises {
			f := p.Check(s)
			wanted := strings.HasPrefix(p.Name, c.promise[0])
			if wanted != (len(f.Broken) > 0) {
				t.Errorf("%s: %s says %q", name, p.Name, f.Broken)
			}
			if wanted && !strings.Contains(strings.Join(f.Broken, "\n"), c.says) {
				t.Errorf("%s: %q, want %q", name, f.Broken, c.says)
			}
		}
	}
}

// TestWhatBreaksNothing: these look like breaches, and are none.
func TestWhatBreaksNothing(t *testing.T) {
	instant := good().Jobs[0].due()[0].Unix()
	for name, change := range map[string]func(*State){
		"told twice under one id": func(s *State) { s.Facts[events.TaskCreated]["t1"]["id of t1"] = 2 },
		"missed, and said so":     func(s *State) { s.Tasks = s.Tasks[:2]; s.Jobs[0].Said[instant] = v1alpha1.OutcomeMissed },
		"lost lines that are said to be": func(s *State) {
			delete(s.Delivered["t2"], 2)
			s.Tasks[1].Termination.Log, s.Tasks[1].Termination.Message = v1alpha1.LogIncomplete, "lines may be missing"
		},
		"stopped after it had come to its end": func(s *State) {
			s.Tasks[1].Reason = "Succeeded"
			s.Wrote["r2"] = Wrote{Begins: 1, Lines: 3, Ended: true}
		},
		"stopped before it had a run": func(s *State) {
			s.Tasks[1].Runs, s.Tasks[1].Starts, s.Tasks[1].Termination.Log = 0, 0, v1alpha1.LogNone
			s.Wrote["r2"] = Wrote{}
		},
		"lost with its Pod before it began": func(s *State) { s.Tasks[0].Reason, s.Wrote["r1"] = "PodDeleted", Wrote{}; delete(s.Kept, "t1") },
		"written while containerd was away": func(s *State) { s.Kept["t1"], s.Unread = 0, []span{{noon.Add(-time.Second), noon.Add(time.Second)}} },
		"pruned":                            func(s *State) { s.Tasks[0].Gone = true; delete(s.Kept, "t1") },
	} {
		s := good()
		change(&s)
		for _, p := range promises {
			if f := p.Check(s); len(f.Broken) > 0 {
				t.Errorf("%s: %s says %q", name, p.Name, f.Broken)
			}
		}
	}
}

// TestPhases: what is of one is not of the other.
func TestPhases(t *testing.T) {
	s := good()
	before, after := s.during(time.Time{}, noon), s.during(noon, noon.Add(time.Hour))
	if len(before.Tasks) != 1 || len(before.Accepted) != 0 || instants(before).Checked != 1 {
		t.Errorf("before noon: %d Tasks, %d accepted, %d instants", len(before.Tasks), len(before.Accepted), instants(before).Checked)
	}
	s.Tasks[2].Created = noon.Add(time.Minute) // a tick that was late
	if late := s.during(time.Time{}, noon); len(late.Tasks) != 1 || len(instants(late).Broken) > 0 {
		t.Errorf("made after noon, for an instant before: %d Tasks, %q", len(late.Tasks), instants(late).Broken)
	}
	s.Tasks[0].Created = noon.Add(2 * time.Hour) // what was asked for was made when the API server was back
	if late := s.during(noon, noon.Add(time.Hour)); len(late.Tasks) != 2 {
		t.Errorf("asked for at noon, and made later: %d Tasks", len(late.Tasks))
	}
	if len(after.Tasks) != 2 || len(after.Accepted) != 2 || instants(after).Checked != 0 {
		t.Errorf("after noon: %d Tasks, %d accepted, %d instants", len(after.Tasks), len(after.Accepted), instants(after).Checked)
	}
}

// TestReadRecord: a record is what a container appends, each time that it begins.
func TestReadRecord(t *testing.T) {
	for text, want := range map[string]Wrote{
		"":                                   {},
		"begin 1\nline 1\nline 2\nend\n":     {1, 2, true, time.Unix(1, 0)},
		"begin 1\nline 1\nbegin 2\nline 1\n": {2, 1, false, time.Unix(2, 0)},
		"begin 1\nline 12":                   {1, 12, false, time.Unix(1, 0)},
	} {
		if got := readRecord([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// TestWrite: which lines of an audit log are a write of a function.
func TestWrite(t *testing.T) {
	line := func(user, stage, verb, resource, code string) []byte {
		return []byte(`{"stage":"` + stage + `","verb":"` + verb + `","user":{"username":"` + user + `"},"objectRef":{"resource":"` + resource +
			`","namespace":"demo","name":"hello","subresource":"status"},"responseStatus":{"code":` + code + `},"stageTimestamp":"2026-11-29T12:00:00Z"}`)
	}
	const runtask = "system:serviceaccount:kf-tasks:runtask"
	for name, c := range map[string]struct {
		line []byte
		is   bool
	}{
		"a patch":            {line(runtask, "ResponseComplete", "patch", "tasks", "200"), true},
		"another function's": {line(runtask+"s", "ResponseComplete", "patch", "tasks", "200"), false},
		"a read":             {line(runtask, "ResponseComplete", "get", "tasks", "200"), false},
		"refused":            {line(runtask, "ResponseComplete", "patch", "tasks", "409"), false},
		"a question":         {line(runtask, "ResponseComplete", "create", "tokenreviews", "201"), false},
		"under way":          {line(runtask, "ResponseStarted", "patch", "tasks", "200"), false},
		"no JSON":            {[]byte(runtask), false},
	} {
		what, at, is := write(c.line, "runtask")
		if is != c.is || is && (what != "patch tasks/status demo/hello" || !at.Equal(noon)) {
			t.Errorf("%s: %q %s %t", name, what, at, is)
		}
	}
}
