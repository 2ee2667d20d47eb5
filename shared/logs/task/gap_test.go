package task

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// TestWhatMayBeMissingIsSaid: a log that was not read to its end is never taken for whole.
func TestWhatMayBeMissingIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := follow.Cursor{Time: now}
	for _, c := range []struct {
		name string
		res  follow.Result
		pod  Pod
		err  error
		want string
	}{
		{"whole", follow.Result{Whole: true}, Pod{Ran: true}, nil, ""},
		{"never ran", follow.Result{}, Pod{}, nil, ""},
		{"gone before it was read", follow.Result{}, Pod{Ran: true}, nil, "gone before"},
		{"cut off", follow.Result{Cursor: at}, Pod{Ran: true}, errors.New("connection reset"),
			"lines after 2026-11-23T12:00:00Z may be missing: connection reset"},
		{"the stream ended after the container", follow.Result{Cursor: at, EndedAt: now.Add(time.Second)}, Pod{Ran: true, FinishedAt: now}, nil, ""},
		{"the stream ended long before the container", follow.Result{Cursor: at, EndedAt: now.Add(-time.Minute)}, Pod{Ran: true, FinishedAt: now}, nil,
			"may be missing"},
	} {
		if got := Gap(c.res, c.pod, c.err); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
