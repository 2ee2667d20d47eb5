package task

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// still is a watch on Pods that says what it is told to.
func still(pods ...Pod) *Pods {
	p := &Pods{pods: map[types.UID]Pod{}, changed: make(chan struct{}), synced: true}
	for _, pod := range pods {
		p.pods[pod.UID] = pod
	}
	return p
}

var t0 = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func every(Pod) bool { return true }

// TestEachPodHasOneReader: of Pods that are there, that come later, and that go; the newest is known as such.
func TestEachPodHasOneReader(t *testing.T) {
	pods := still(Pod{UID: "b", Created: t0.Add(time.Second)}, Pod{UID: "a", Created: t0}, Pod{UID: "of an earlier run"})
	var mu sync.Mutex
	newest := map[types.UID][]bool{}
	r := ReadEach(t.Context(), pods, func(p Pod) bool { return !p.Created.IsZero() }, func(_ context.Context, p Pod, n bool, opened func()) error {
		opened()
		opened() // a stream is opened again
		mu.Lock()
		defer mu.Unlock()
		newest[p.UID] = append(newest[p.UID], n)
		return nil
	})
	read := func(want int) func([]Reading) (bool, error) {
		return func(now []Reading) (bool, error) {
			return len(now) == want && Every(now, func(p Reading) bool { return p.Opened && p.Done }), nil
		}
	}
	if err := r.Until(t.Context(), read(2)); err != nil {
		t.Fatal(err)
	}
	pods.update(func() {
		pods.pods["a"] = Pod{UID: "a", Created: t0, State: follow.Gone}
		pods.pods["c"] = Pod{UID: "c", Created: t0.Add(2 * time.Second)}
	})
	if err := r.Until(t.Context(), read(3)); err != nil {
		t.Fatal(err)
	}
	now := r.Now()
	if now[0].UID != "a" || now[0].State != follow.Gone || now[2].UID != "c" {
		t.Errorf("not the oldest first: %+v", now)
	}
	mu.Lock()
	defer mu.Unlock()
	for uid, want := range map[types.UID]bool{"a": false, "b": true, "c": true} {
		if got := newest[uid]; len(got) != 1 || got[0] != want {
			t.Errorf("%s was read as newest: %v", uid, got)
		}
	}
}

func TestAReadersErrorIsSeen(t *testing.T) {
	mine := errors.New("mine")
	r := ReadEach(t.Context(), still(Pod{UID: "a"}), every, func(context.Context, Pod, bool, func()) error { return mine })
	err := r.Until(t.Context(), func(now []Reading) (bool, error) { return false, now[0].Err })
	if !errors.Is(err, mine) {
		t.Error(err)
	}
}

func TestPodsThatCouldNotBeListedAreNotNone(t *testing.T) {
	pods := still()
	pods.synced = false
	r := ReadEach(t.Context(), pods, every, nil)
	expired, err := r.Within(t.Context(), time.Millisecond, func([]Reading) (bool, error) { return true, nil })
	if expired || !errors.Is(err, ErrNotListed) {
		t.Error(expired, err)
	}
	pods.update(func() { pods.synced = true })
	expired, err = r.Within(t.Context(), time.Millisecond, func([]Reading) (bool, error) { return false, nil })
	if !expired || err != nil {
		t.Error(expired, err)
	}
	pods.update(func() { pods.err = errors.New("forbidden") })
	if err := r.Until(t.Context(), func([]Reading) (bool, error) { return true, nil }); err == nil {
		t.Error("Pods that may not be watched are taken for none")
	}
}

// TestWhatALogWouldLoseWithItsPod, and what is yet to be received, in each state of its container.
func TestWhatALogWouldLoseWithItsPod(t *testing.T) {
	for name, c := range map[string]struct {
		state                follow.State
		opened, done         bool
		received, expendable bool
	}{
		"waits":                    {state: follow.Waiting, received: true, expendable: true},
		"runs, unread":             {state: follow.Running},
		"runs, and is read":        {state: follow.Running, opened: true, received: true, expendable: true},
		"runs, and can't be read":  {state: follow.Running, done: true, received: true, expendable: true},
		"ended, unread":            {state: follow.Ended},
		"ended, and is read":       {state: follow.Ended, opened: true, received: true},
		"ended, and was read":      {state: follow.Ended, opened: true, done: true, received: true, expendable: true},
		"gone":                     {state: follow.Gone, received: true},
		"gone, and was read of it": {state: follow.Gone, opened: true, done: true, received: true, expendable: true},
	} {
		r := Reading{Pod: Pod{State: c.state}, Opened: c.opened, Done: c.done}
		if r.Received() != c.received || r.Expendable() != c.expendable || r.Gone() != (c.state == follow.Gone) {
			t.Errorf("%s: received %t, expendable %t, gone %t", name, r.Received(), r.Expendable(), r.Gone())
		}
	}
}
