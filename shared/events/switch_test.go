package events

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestTheLastSwitchWins: in whatever order commands come, and however often, a Job ends as the last of them says.
func TestTheLastSwitchWins(t *testing.T) {
	now := time.Now()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		end := map[string]bool{}
		times := make([]int, 4) // of some at one time
		for i := range times {
			times[i] = r.IntN(3)
		}
		for range 5 {
			last, suspended := "", ""
			order := append(r.Perm(len(times)), r.Perm(len(times))...)
			for _, i := range order {
				e := event(JobSuspend, "")
				e.SetSource("/s")
				e.SetID(fmt.Sprint(i))
				e.SetTime(now.Add(time.Duration(times[i]) * time.Nanosecond))
				stamp, later, err := Switch(e, last, now)
				if err != nil {
					t.Fatal(err)
				}
				if later {
					last, suspended = stamp, e.ID()
				}
			}
			end[suspended] = true
		}
		if len(end) != 1 {
			t.Fatalf("seed %d: it ends as %v", seed, end)
		}
	}
}

func TestWhatCantBeOrdered(t *testing.T) {
	now := time.Unix(1e9, 0)
	e := event(JobSuspend, "")
	if _, _, err := Switch(e, "", now); err == nil || !strings.Contains(err.Error(), "needs the attribute time") {
		t.Errorf("without a time: %v", err)
	}
	e.SetTime(now.Add(time.Hour))
	if _, _, err := Switch(e, "", now); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("of tomorrow: %v", err)
	}
	e.SetTime(now)
	if _, later, err := Switch(e, "somebody's own words", now); err != nil || !later {
		t.Errorf("after what is no stamp: %v %v", later, err)
	}
}
