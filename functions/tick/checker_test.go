//go:build checker

package main

import (
	"testing"

	"github.com/kf-tasks/kf-tasks/test/checker"
)

// start starts a process of tick: its handler, with a clock, an API server and a sink of the checker's.
func start(p checker.Process) checker.Handle {
	h := &Handler{Kf: p.Kf, Emit: p.Emit, Now: p.Now, After: p.After, Workers: p.Workers, PageSize: 10, Stale: p.Stale}
	return h.Handle
}

func TestChecker(t *testing.T) { checker.Run(t, start) }

func TestCheckerWithClockSteps(t *testing.T) { checker.RunWithClockSteps(t, start) }

func TestCheckerFindsWhatIsBroken(t *testing.T) { checker.FindsWhatIsBroken(t, start) }
