package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestWhileItShrinks: what goes on is waited for beyond the patience, and what stands still is not; what can't be counted is no progress.
func TestWhileItShrinks(t *testing.T) {
	const patience = 50 * time.Millisecond
	for name, c := range map[string]struct {
		count func(elapsed time.Duration) (int, error)
		ends  bool
	}{
		"all ended":     {func(time.Duration) (int, error) { return 0, nil }, true},
		"it goes on":    {func(e time.Duration) (int, error) { return max(0, 10-int(e/(patience/2))), nil }, true},
		"it hangs":      {func(time.Duration) (int, error) { return 3, nil }, false},
		"it is unknown": {func(time.Duration) (int, error) { return 0, errors.New("away") }, false},
		"it stops at 1": {func(e time.Duration) (int, error) { return max(1, 5-int(e/patience*4)), nil }, false},
	} {
		began := time.Now()
		// each count is ten milliseconds' worth of time, whatever the machine has to do
		err := whileItShrinks(context.Background(), patience, func() (int, error) { time.Sleep(10 * time.Millisecond); return c.count(time.Since(began)) })
		if (err == nil) != c.ends {
			t.Errorf("%s: %v", name, err)
		}
	}
}
