package main

import (
	"math/rand/v2"
	"time"
)

// Step is one fault of a plan.
type Step struct {
	At    time.Duration // from the first one's earliest
	Fault string
	Draw  uint64 // what the fault makes its own choices by
}

// apart is how far apart faults are at the most: those of a long run come as often as those of a short one.
const apart = 12 * time.Second

// closest is how close they come: what a short run has no room for is left out.
const closest = 10 * time.Second

// Plan is made of the seed alone. It goes through all faults, in an order of its own each time, as often as there is room for in the
// length, or through as many of them.
func Plan(seed uint64, length time.Duration, faults []string) []Step {
	random := rand.New(rand.NewPCG(seed, 0))
	passes := max(1, int(length/(apart*time.Duration(len(faults)))))
	slot := max(closest, length/time.Duration(passes*len(faults)))
	var steps []Step
	for range passes {
		for _, i := range random.Perm(len(faults)) {
			if slot*time.Duration(len(steps)+1) > length {
				return steps
			}
			at := slot*time.Duration(len(steps)) + time.Duration(random.Int64N(int64(slot/2)))
			steps = append(steps, Step{At: at, Fault: faults[i], Draw: random.Uint64()})
		}
	}
	return steps
}
