package delivery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func toStop() *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t", UID: "u", Generation: 2}}
	t.Spec.Terminated = true
	return t
}

func holder(t *v1alpha1.Task) string { return t.Status.Termination.Deliverer }

func TestALeaseIsHeldByOneInstanceAtATime(t *testing.T) {
	task := toStop()
	acquire(task, "a/1", now)
	acquire(task, "b/1", now.Add(LeaseDuration))
	if holder(task) != "a/1" || !holds(task, "a/1") || holds(task, "b/1") {
		t.Fatalf("%+v", task.Status.Termination)
	}
	c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionLogDelivered)
	if c == nil || c.Status != metav1.ConditionUnknown || c.Reason != v1alpha1.ReasonDelivering || c.ObservedGeneration != 2 {
		t.Errorf("condition %+v", c)
	}
}

func TestARenewedLeaseLastsLongerAndSaysHowFarItCame(t *testing.T) {
	task := toStop()
	acquire(task, "a/1", now)
	renew(task, "a/1", Progress{CancelledAt: now, DeliveredTo: now.Add(1500), Lines: 7, Gaps: []string{"x", "y"}}, now.Add(LeaseDuration))
	s := task.Status.Termination
	if !s.RenewedAt.Time.Equal(now.Add(LeaseDuration)) || s.Lines != 7 || s.Message != "x; y" || s.CancelledAt == nil {
		t.Errorf("%+v", s)
	}
	if !s.DeliveredTo.Time.Equal(now.Add(1000)) {
		t.Errorf("delivered to %v: a position that is later than the last line's loses the next ones", s.DeliveredTo)
	}
	if acquire(task, "b/1", now.Add(2*LeaseDuration)); holder(task) != "a/1" {
		t.Error("lost though it was renewed")
	}
	before := task.DeepCopy()
	if renew(task, "b/1", Progress{Lines: 9}, now.Add(time.Hour)); task.Status.Termination.Lines != before.Status.Termination.Lines {
		t.Error("renewed by another")
	}
}

func TestALeaseThatHasExpiredIsAnothersWithWhatWasRecorded(t *testing.T) {
	task := toStop()
	acquire(task, "a/1", now)
	renew(task, "a/1", Progress{CancelledAt: now, DeliveredTo: now, Lines: 7, Gaps: []string{"a sink was down"}}, now)
	acquire(task, "b/1", now.Add(LeaseDuration+time.Microsecond))
	s := task.Status.Termination
	if holder(task) != "b/1" || !s.RequestedAt.Time.Equal(now) || s.CancelledAt == nil {
		t.Fatalf("%+v", s)
	}
	got := ProgressOf(s)
	if !got.DeliveredTo.Equal(now) || got.Lines != 7 || !slices.Equal(got.Gaps, []string{"a sink was down"}) {
		t.Errorf("goes on from %+v", got)
	}
	if renew(task, "a/1", Progress{Lines: 99}, now.Add(time.Hour)); s.Lines != 7 {
		t.Error("who has lost it can still renew it")
	}
}

func TestTheSameHostStartedAgainNeedNotWait(t *testing.T) {
	task := toStop()
	acquire(task, "a/1", now)
	if acquire(task, "a/2", now.Add(time.Second)); holder(task) != "a/2" {
		t.Errorf("%+v", task.Status.Termination)
	}
	if acquire(task, "ab/2", now.Add(time.Second)); holder(task) != "a/2" {
		t.Error("another host, whose name begins alike, has it")
	}
}

func TestEachStartIsAnInstanceOfItsOwn(t *testing.T) {
	var names []string
	for _, host := range []string{"pod-1", "pod-1", "pod-2", ""} {
		name, err := Instance(host)
		if err != nil || slices.Contains(names, name) || strings.HasPrefix(name, "/") {
			t.Errorf("%q is on %q: %v", name, host, err)
		}
		names = append(names, name)
	}
	task := toStop()
	acquire(task, names[0], now)
	if holds(task, names[1]) || !Acquirable(task, names[1], now) || Acquirable(task, names[2], now) {
		t.Errorf("%q held by %q", names, holder(task))
	}
}

func TestAFinishedTaskStaysAsItIs(t *testing.T) {
	for log, want := range map[v1alpha1.LogDelivery]struct {
		status metav1.ConditionStatus
		reason string
	}{
		v1alpha1.LogComplete:   {metav1.ConditionTrue, v1alpha1.ReasonDelivered},
		v1alpha1.LogIncomplete: {metav1.ConditionFalse, v1alpha1.ReasonIncomplete},
		v1alpha1.LogNone:       {metav1.ConditionTrue, v1alpha1.ReasonNothingToHandOn},
	} {
		task := toStop()
		acquire(task, "a/1", now)
		Finish(task, Progress{Lines: 12}, log, "why", now)
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionLogDelivered)
		s := task.Status.Termination
		if c == nil || c.Status != want.status || c.Reason != want.reason || s.Log != log || s.Message != "why" || s.Deliverer != "" || s.RenewedAt != nil {
			t.Errorf("%s: %+v %+v", log, c, s)
		}
		before := *s
		Finish(task, Progress{Lines: 1}, v1alpha1.LogIncomplete, "too late", now)
		acquire(task, "b/1", now.Add(time.Hour))
		renew(task, "a/1", Progress{Lines: 99}, now)
		if *task.Status.Termination != before {
			t.Errorf("%s: changed to %+v", log, task.Status.Termination)
		}
	}
}

// TestVerdict: of a log that may lack a line it is never said that it is complete.
func TestVerdict(t *testing.T) {
	ran := Account{PodSeen: true, Ran: true, Stopped: true, Progress: Progress{Lines: 3, DeliveredTo: now}}
	with := func(a Account, change func(*Account)) Account { change(&a); return a }
	for _, c := range []struct {
		name    string
		a       Account
		log     v1alpha1.LogDelivery
		message string
	}{
		{"all delivered", ran, v1alpha1.LogComplete, ""},
		{"silent, but it ran", with(ran, func(a *Account) { a.Progress = Progress{} }), v1alpha1.LogComplete, ""},
		{"ended by itself just before", with(ran, func(a *Account) { a.Stopped, a.Reason = false, "Failed" }), v1alpha1.LogComplete, "ended by itself (Failed)"},
		{"notes", with(ran, func(a *Account) { a.Notes = []string{"a note"} }), v1alpha1.LogComplete, "a note"},
		{"resumed", with(ran, func(a *Account) { a.Resumed = now }), v1alpha1.LogComplete, "may have been delivered twice"},
		{"gaps", with(ran, func(a *Account) { a.Gaps = []string{"x", "y"} }), v1alpha1.LogIncomplete, "x; y"},
		{"a gap, and no line", Account{PodSeen: true, Progress: Progress{Gaps: []string{"x"}}}, v1alpha1.LogIncomplete, "x"},
		{"the instance before had a gap", with(ran, func(a *Account) { a.Resumed, a.Gaps = now, []string{"x"} }), v1alpha1.LogIncomplete, "x"},
		{"its Pod never ran", Account{PodSeen: true, Stopped: true}, v1alpha1.LogNone, "stopped before it started"},
		{"no Pod", Account{Stopped: true}, v1alpha1.LogNone, "stopped before it started"},
		{"no Pod, not cancelled", Account{}, v1alpha1.LogNone, "had not started"},
		{"no Pod, though it had started", Account{Started: true, Stopped: true}, v1alpha1.LogIncomplete, "gone before its log"},
		{"resumed: no Pod, never started", Account{Resumed: now, Stopped: true}, v1alpha1.LogNone, "stopped before it started"},
		{"resumed: no Pod any more", Account{Resumed: now, Started: true}, v1alpha1.LogIncomplete, "all of its log may be missing"},
		{"resumed: no Pod any more, some lines delivered", Account{Resumed: now, Progress: Progress{Lines: 3, DeliveredTo: now}},
			v1alpha1.LogIncomplete, "lines after 2026-11-23T12:00:00Z may be missing"},
		{"resumed: no Pod any more, and a gap before", Account{Resumed: now, Progress: Progress{Lines: 3, DeliveredTo: now, Gaps: []string{"x"}}},
			v1alpha1.LogIncomplete, "x; lines after"},
	} {
		log, message := c.a.Verdict()
		if log != c.log || !strings.Contains(message, c.message) || c.message == "" && message != "" {
			t.Errorf("%s: %s %q, want %s %q", c.name, log, message, c.log, c.message)
		}
	}
}
