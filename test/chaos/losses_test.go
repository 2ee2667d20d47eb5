package main

import (
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// TestLosses: what was lost stands beside each fault that its Task lived through, and beside no other; the functions are one row.
func TestLosses(t *testing.T) {
	s := good()
	s.Accepted = append(s.Accepted, Run{Key: "r3", By: "webhook", Asked: noon})
	delete(s.Delivered["t2"], 2)
	s.Kept["t1"] = 1
	delete(s.Facts[events.TaskStarted], "t1")
	s.Tasks[0].Ended, s.Tasks[1].Ended = noon.Add(20*time.Second), noon.Add(20*time.Second)
	o := outcome(s)
	at := func(fault string, seconds int) Done {
		then := noon.Add(time.Duration(seconds) * time.Second)
		return Done{Step: Step{Fault: fault}, At: then, End: then.Add(2 * time.Second)}
	}
	o.Done = []Done{at("kill etcd", -1), at("kill start after a write", 30), at("kill tick after a write", 40), {Step: Step{Fault: "kill containerd"}, Err: errNothing}}
	page := o.losses()
	for _, want := range []string{
		"| kill a function just after a write | 2 | no Task was | nothing |",
		"| kill etcd | 1 | no Task was | 1 runs lost or doubled, 1 log lines, unsaid, 4 log lines of ended Tasks, 1 facts |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in it:\n%s", want, page)
		}
	}
	if strings.Contains(page, "containerd") {
		t.Errorf("what was not done has no row:\n%s", page)
	}
}
