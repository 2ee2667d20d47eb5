package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func outcome(s State) Outcome {
	early := noon.AddDate(-5, 0, 0)
	kill := Step{Fault: "kill etcd"}
	return Outcome{
		Command: "make chaos MINUTES=8 SEED=7", Says: []string{"commit abc"}, Broker: inMemory,
		Phases: []Phase{
			{Name: "on", From: early, Last: noon.Add(-20 * time.Second), Settled: noon.Add(-10 * time.Second)},
			{Name: "off", From: noon, Last: noon, Hanging: 2},
		},
		Ends:    []time.Time{noon, noon.Add(time.Hour)},
		Done:    []Done{{Step: kill, Phase: 0, End: noon.Add(-30 * time.Second)}, {Step: kill, Phase: 1, Err: errNothing}},
		NotDone: notDone(inMemory), State: s,
	}
}

// TestReport: the seed, what was done and what was not, and what is broken, all stand in it.
func TestReport(t *testing.T) {
	page, holds := Report(outcome(good()))
	if !holds {
		t.Errorf("nothing is broken:\n%s", page)
	}
	for _, want := range []string{
		"`make chaos MINUTES=8 SEED=7`: commit abc", "| kill etcd | 1 | 0 | 1 | 30 |", "| clock steps | not done | not done |",
		"| on | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 10 | 30, after: kill etcd |", "| off | 0 | 2 | 0 | 0 | 0 | 0 | 0 | 0 | never (2 waited for resync) |  |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in it:\n%s", want, page)
		}
	}
	s := good()
	s.Facts = nil
	if page, holds := Report(outcome(s)); !holds || !strings.Contains(page, "not promised on it") {
		t.Errorf("the Broker in memory forgets facts, which breaks nothing of ours:\n%s", page)
	}
	durable := outcome(s)
	durable.Broker = jetStream
	if _, holds := Report(durable); holds {
		t.Error("one that forgets nothing may not")
	}
	s = good()
	s.Hanging = []string{"Pod p has no Task"}
	if page, holds := Report(outcome(s)); holds || strings.Count(page, "Pod p has no Task") != 1 {
		t.Errorf("what hangs is said once, and breaks a promise:\n%s", page)
	}
	s = good()
	s.Tasks = append(s.Tasks, Seen{Name: "tick-60", Job: "tick", Created: noon, Ended: noon, Runs: 2})
	if _, holds := Report(outcome(s)); holds {
		t.Error("a Task for an instant of long ago is in no part")
	}
	refused := outcome(good())
	refused.Refused = []string{"r9 by webhook: 503"}
	if page, holds := Report(refused); holds || !strings.Contains(page, "r9 by webhook") {
		t.Errorf("what was never accepted is a failure:\n%s", page)
	}
}

// TestSoaked: what grows is said to, what is too short says nothing, and the beginning does not count.
func TestSoaked(t *testing.T) {
	series := func(of func(hour float64) float64) *Series {
		s := &Series{}
		for i := range 60 {
			at := float64(i) / 60
			s.At, s.Value = append(s.At, at), append(s.Value, of(at)+math.Sin(float64(i)*2))
		}
		return s
	}
	flat := series(func(h float64) float64 { return map[bool]float64{true: 10, false: 100}[h < 0.1] })
	if page, is := Soaked(map[string]*Series{"flat": flat}, time.Hour); !is || !strings.Contains(page, "| flat | 50 | ") {
		t.Errorf("%s", page)
	}
	if page, is := Soaked(map[string]*Series{"leak": series(func(h float64) float64 { return 100 + 50*h })}, time.Hour); is || !strings.Contains(page, "**grows**") {
		t.Errorf("%s", page)
	}
	if page, is := Soaked(map[string]*Series{"few": {At: []float64{1}, Value: []float64{1}}}, time.Hour); is || !strings.Contains(page, "too few") {
		t.Errorf("%s", page)
	}
}

// TestMetricsIn: what has labels, and what is no sample, is left out.
func TestMetricsIn(t *testing.T) {
	got := metricsIn(strings.NewReader("# HELP go_goroutines Number\ngo_goroutines 12\netcd_mvcc_db_total_size_in_bytes 2.4e+07\nx{a=\"b c\"} 3\n"))
	if got["go_goroutines"] != 12 || got["etcd_mvcc_db_total_size_in_bytes"] != 2.4e7 || len(got) != 2 {
		t.Errorf("%v", got)
	}
}
