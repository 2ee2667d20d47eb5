package main

import (
	"reflect"
	"testing"
	"time"
)

// TestPlan: the same seed is the same plan, another is another; every fault comes that there is time for, and none twice before all
// have come.
func TestPlan(t *testing.T) {
	names := namesOf(faults(inMemory))
	for name, c := range map[string]struct {
		seed   uint64
		length time.Duration
		want   int
	}{
		"one of each":      {1, 8 * time.Minute, len(names)},
		"too short for it": {2, time.Minute, 6},
		"an hour":          {3, time.Hour, len(names) * int(time.Hour/(apart*time.Duration(len(names))))},
	} {
		t.Run(name, func(t *testing.T) {
			steps := Plan(c.seed, c.length, names)
			if !reflect.DeepEqual(steps, Plan(c.seed, c.length, names)) {
				t.Error("the same seed makes another plan")
			}
			if reflect.DeepEqual(steps, Plan(c.seed+1, c.length, names)) {
				t.Error("another seed makes the same plan")
			}
			if len(steps) != c.want {
				t.Fatalf("%d steps, want %d", len(steps), c.want)
			}
			times := map[string]int{}
			for i, s := range steps {
				if s.At < 0 || s.At > c.length || i > 0 && s.At < steps[i-1].At {
					t.Errorf("step %d is at %s, after %s", i, s.At, steps[max(0, i-1)].At)
				}
				times[s.Fault]++
				if times[s.Fault] > i/len(names)+1 {
					t.Errorf("%s comes again before all have come", s.Fault)
				}
			}
		})
	}
}

// TestFaults: each has a name of its own and says what it does, or why it is not done.
func TestFaults(t *testing.T) {
	for _, broker := range []string{inMemory, jetStream} {
		seen := map[string]bool{}
		for _, f := range faults(broker) {
			if seen[f.Name] || f.do == nil || (f.undo == nil) != (f.Lasts == 0) {
				t.Errorf("%s: %+v", broker, f)
			}
			seen[f.Name] = true
		}
		for _, n := range notDone(broker) {
			if seen[n.Name] || n.Why == "" {
				t.Errorf("%s: %+v", broker, n)
			}
		}
	}
}
