package pods

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// stopping is a Task that runs, and has written 2001 lines. It writes on for that long when it is signalled.
func (w *writers) stopping(name string, term time.Duration) string {
	w.t.Helper()
	w.run(name, fmt.Sprintf("-lines 2001 -stay 10m -term %s -stderr 5", term))
	w.wrote(name, "line 0002001")
	return name
}

// most of its grace period is what a Task writes on for where another instance is to find it alive; a moment will do elsewhere.
const (
	moment = 2 * time.Second
	most   = gracePeriod * 2 / 3
)

func isStatus(r harness.Request) bool {
	return r.Is("PATCH", "/tasks/") && strings.HasSuffix(r.Path, "/status")
}
func isCancel(r harness.Request) bool { return r.Is("PATCH", "/pipelineruns/") }

// takesEffect says that a write of a Task's status is of the Task as it is: another is answered with a conflict.
func (w *writers) takesEffect(name string, r harness.Request) bool {
	return bytes.Contains(r.Body, fmt.Appendf(nil, `"resourceVersion":%q`, w.task(name).ResourceVersion))
}

// once makes a hook that acts on the first request that is; came is closed when it is there.
func once(is func(harness.Request) bool, act harness.Fault) (hook func(harness.Request) harness.Fault, came <-chan struct{}) {
	come := make(chan struct{})
	var mu sync.Mutex
	return func(r harness.Request) harness.Fault {
		mu.Lock()
		defer mu.Unlock()
		select {
		case <-come:
			return harness.Fault{}
		default:
		}
		if !is(r) {
			return harness.Fault{}
		}
		close(come)
		return act
	}, come
}

// after is the first request that is once another was.
func after(first, is func(harness.Request) bool) func(harness.Request) bool {
	seen := false // once holds its lock
	return func(r harness.Request) bool {
		if seen {
			return is(r)
		}
		seen = first(r)
		return false
	}
}

// TestTerminateKilledAtAnyMoment kills the function before or after each step of a delivery, starts it again, and sends the
// event again. Each moment must come, and each has its own outcome.
func TestTerminateKilledAtAnyMoment(t *testing.T) {
	w := newWriters(t)
	for i, c := range []struct {
		when   string
		is     func(harness.Request) bool
		before bool // the request never reaches the API server
		// cancelled: the process has its signal, and is in its grace period when it is found again.
		cancelled bool
		// began says that the instance had begun, and so that the next one says of lines that they may have come twice.
		began bool
		// checkpoint says that what was delivered was recorded, and so is not delivered again: before the verdict it need not be as yet.
		checkpoint bool
		// finished: nothing is left to be done, or, with before, to be read: the Pod goes with its process.
		finished bool
	}{
		{when: "before the lease", is: isStatus, before: true},
		{when: "after the lease", is: isStatus, began: true},
		{when: "before the log is opened", is: func(r harness.Request) bool { return r.Is("GET", "/log") }, before: true, began: true},
		{when: "before the cancel", is: isCancel, before: true, began: true},
		{when: "after the cancel", is: isCancel, began: true, cancelled: true},
		{when: "while the run is awaited", began: true, cancelled: true,
			is: after(isCancel, func(r harness.Request) bool { return r.Is("GET", "/pipelineruns/") })},
		{when: "after a checkpoint", is: after(isCancel, isStatus), began: true, cancelled: true, checkpoint: true},
		{when: "before the verdict", before: true, began: true, finished: true},
		{when: "after the verdict", began: true, checkpoint: true, finished: true},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			w := &writers{t: t, c: w.c, ns: w.ns, runtask: w.runtask}
			f := w.c.Function(t, "terminate")
			term := moment
			if c.cancelled {
				term = most
			}
			name := w.stopping(fmt.Sprintf("killed-%d", i+1), term)
			if c.finished {
				c.is = func(r harness.Request) bool { return isStatus(r) && bytes.Contains(r.Body, []byte(`"log":"Complete"`)) }
			}
			is := func(r harness.Request) bool { return c.is(r) && (c.before || !isStatus(r) || w.takesEffect(name, r)) }
			hook, came := once(is, harness.Fault{Hang: c.before, Then: f.Kill})
			f.Proxy.Inject(hook)
			e := harness.Updated("Task", w.terminated(name))
			status, _ := f.Send(e)
			f.Proxy.Inject(nil)
			select {
			case <-came:
			default:
				t.Fatalf("the moment never came: it answered %d", status)
			}
			before := w.task(name).Status.Termination
			f.Start()
			f.Redeliver(e)
			f.Redeliver(harness.Ping("resync"))

			s := w.task(name).Status.Termination
			t.Logf("%s: %s", s.Log, s.Message)
			lines, doubles := wantWhole(t, w.delivered(name, f), 5, true)
			if says(f, "not done; to be tried again") { // by the one that lives: it too goes on with what it had begun
				t.Log("it was sent the event more than once")
				c.began = true
			}
			switch {
			case s.Log == v1alpha1.LogIncomplete && c.finished && c.before: // all was delivered, but who could have said so is dead
				if want := delivery.ProgressOf(before).Lost(); !strings.Contains(s.Message, want) {
					t.Errorf("it says %q, and not %q", s.Message, want)
				}
			case s.Log != v1alpha1.LogComplete:
				t.Errorf("%+v", s)
			case c.finished && !c.before:
				if doubles > 0 || strings.Contains(s.Message, "twice") {
					t.Errorf("%d doubles, %q, though all had been done", doubles, s.Message)
				}
			case strings.Contains(s.Message, "twice") != c.began || !c.began && doubles > 0:
				t.Errorf("an instance had begun: %t, but there are %d doubles, and it says %q", c.began, doubles, s.Message)
			}
			if c.checkpoint && doubles > lines/2 {
				t.Errorf("%d of %d lines are marked doubles: the checkpoint is not where the next goes on", doubles, lines)
			}
			w.wantGone(name)
		})
	}
}

// says is whether the function has logged the message.
func says(f *harness.Function, message string) bool {
	b, err := f.Printed()
	return err == nil && bytes.Contains(b, []byte(`"message":"`+message+`"`))
}

// TestTerminateByTwoInstancesAtOnce: both have read the Task before either writes. One delivers, the other nothing.
func TestTerminateByTwoInstancesAtOnce(t *testing.T) {
	w := newWriters(t)
	a, b := w.c.Function(t, "terminate", "HOSTNAME=host-a"), w.c.Function(t, "terminate", "HOSTNAME=host-b")
	name := w.stopping("contended", moment)
	var both sync.WaitGroup
	both.Add(2)
	for _, f := range []*harness.Function{a, b} {
		var first sync.Once
		f.Proxy.Inject(func(r harness.Request) harness.Fault {
			if isStatus(r) {
				first.Do(func() { both.Done(); both.Wait() })
			}
			return harness.Fault{}
		})
	}
	e := harness.Updated("Task", w.terminated(name))
	var statuses [2]int
	var sent sync.WaitGroup
	for i, f := range []*harness.Function{a, b} {
		sent.Go(func() { statuses[i], _ = f.Send(e) })
	}
	sent.Wait()
	slices.Sort(statuses[:])
	if statuses[0]/100 != 2 || statuses[1] != http.StatusServiceUnavailable {
		t.Errorf("they answered %v: one is to do it and the other to be sent it again", statuses)
	}
	a.Deliver(e)
	b.Deliver(e)
	w.wantLog(name, v1alpha1.LogComplete)
	if _, doubles := wantWhole(t, w.delivered(name, a, b), 5, true); doubles > 0 {
		t.Errorf("%d lines were delivered by both", doubles)
	}
	if n := min(len(w.delivered(name, a)), len(w.delivered(name, b))); n > 0 {
		t.Errorf("%d lines were delivered by the one that had no lease", n)
	}
	w.wantGone(name)
}

// TestTerminateIsTakenOverByAnotherInstance when the holder of the lease is dead, or alive but unable to renew it: not before
// the lease has expired; and a holder that hears of it gives up.
func TestTerminateIsTakenOverByAnotherInstance(t *testing.T) {
	w := newWriters(t)
	for _, alive := range []bool{false, true} {
		t.Run(fmt.Sprintf("alive=%t", alive), func(t *testing.T) {
			t.Parallel()
			w := &writers{t: t, c: w.c, ns: w.ns, runtask: w.runtask}
			a, b := w.c.Function(t, "terminate", "HOSTNAME=host-a", "API_TIMEOUT=10m"), w.c.Function(t, "terminate", "HOSTNAME=host-b")
			name := w.stopping(fmt.Sprintf("taken-over-%t", alive), moment)
			var cutOff atomic.Bool
			fault := harness.Fault{Hang: true, Then: a.Kill}
			if alive {
				fault.Then = func() { cutOff.Store(true) }
			}
			hook, came := once(isCancel, fault) // its log is open then
			a.Proxy.Inject(func(r harness.Request) harness.Fault {
				if isStatus(r) && cutOff.Load() {
					return harness.Fault{Status: http.StatusServiceUnavailable}
				}
				return hook(r)
			})
			e := harness.Updated("Task", w.terminated(name))
			answer := make(chan int, 1)
			go func() { status, _ := a.Send(e); answer <- status }()
			select {
			case <-came:
			case status := <-answer:
				t.Fatalf("the moment never came: it answered %d", status)
			}

			held := w.task(name).Status.Termination
			if held == nil || !strings.HasPrefix(held.Deliverer, "host-a/") {
				t.Fatalf("held by %+v", held)
			}
			refused := 0
			var at time.Time
			acquires, taken := once(func(r harness.Request) bool { at = time.Now(); return isStatus(r) },
				harness.Fault{Then: func() { cutOff.Store(false) }})
			b.Proxy.Inject(acquires)
			harness.Eventually(t, 2*time.Minute, func() error {
				status, _ := b.Send(e)
				if status/100 != 2 {
					refused++
					return fmt.Errorf("it answers %d", status)
				}
				return nil
			})
			<-taken
			if waited := at.Sub(held.RenewedAt.Time); refused == 0 || waited < delivery.LeaseDuration {
				t.Errorf("taken over after %s and %d refusals, the lease being of %s", waited, refused, delivery.LeaseDuration)
			}
			select {
			case status := <-answer:
				if status/100 == 2 || alive && !says(a, "another instance has acquired the lease") {
					t.Errorf("the one that lost the lease answered %d", status)
				}
			case <-time.After(2 * time.Minute):
				t.Error("the one that lost the lease does not give up")
			}
			s := w.wantLog(name, v1alpha1.LogComplete).Status.Termination
			if !strings.Contains(s.Message, "twice") {
				t.Errorf("it does not say that an instance ended in between: %q", s.Message)
			}
			wantWhole(t, w.delivered(name, a, b), 5, true)
			w.wantGone(name)
		})
	}
}

// TestTerminateFinishesWhatItIsAtWhenToldToStop: a delivery that outlasts even the HTTP server's graceful stop goes on to its
// end, and another event is not needed.
func TestTerminateFinishesWhatItIsAtWhenToldToStop(t *testing.T) {
	w := newWriters(t)
	f := w.c.Function(t, "terminate")
	w.run("drained", "-lines 100 -stay 10m -ignore")
	w.wrote("drained", "line 0000100")
	signalled := make(chan struct{})
	hook, _ := once(isCancel, harness.Fault{Then: func() { close(signalled) }})
	f.Proxy.Inject(hook)
	e := harness.Updated("Task", w.terminated("drained"))
	go f.Send(e)
	select {
	case <-signalled:
	case <-time.After(time.Minute):
		t.Fatal("the run is not cancelled")
	}
	f.Terminate(10 * time.Minute) // as Knative does
	w.wantLog("drained", v1alpha1.LogComplete)
	rs := w.delivered("drained", f)
	wantWhole(t, rs, 0, false)
	w.wantGone("drained")
}
