package job

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// clock is a time of that day, or with its date.
func clock(s string) time.Time {
	if !strings.Contains(s, "-") {
		s = "2026-03-02 " + s
	}
	return at(s)
}

// endedTask is a Task that has ended, by its condition's reason.
func endedTask(name, reason, began, end string) *v1alpha1.Task {
	t := task(name)
	t.Labels = map[string]string{v1alpha1.TaskScheduleLabel: "job"}
	is := metav1.ConditionFalse
	if reason == v1alpha1.ReasonSucceeded {
		is = metav1.ConditionTrue
	}
	t.CreationTimestamp = metav1.NewTime(clock(began))
	t.Status.CompletionTime = &metav1.Time{Time: clock(end)}
	t.Status.Duration = &metav1.Duration{Duration: clock(end).Sub(clock(began))}
	t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: is, Reason: reason}}
	return &t
}

// ran is the Task of an instant of that day, which took a minute.
func ran(instant, reason string) *v1alpha1.Task {
	began := clock(instant)
	return endedTask(fmt.Sprintf("job-%d", began.Unix()), reason, began.Format("2006-01-02 15:04"), began.Add(time.Minute).Format("2006-01-02 15:04"))
}

func expects(within time.Duration) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.ExpectSuccessWithin = &metav1.Duration{Duration: within} }
}
func pauseAfter(n int32) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.PauseAfterFailures = n }
}
func restingUntil(until string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		j.Spec.Pause = &v1alpha1.Pause{}
		if until != "" {
			j.Spec.Pause.Until = &metav1.Time{Time: clock(until)}
		}
	}
}

// lived is a Job through several ticks.
type lived struct {
	*testing.T
	*v1alpha1.TaskSchedule
	tasks   []*v1alpha1.Task
	surveys int
}

// tick is what tick makes of the Job at a time, and what it told and did: half of it is as if the answers were lost.
func (l *lived) tick(now time.Time) string {
	l.Helper()
	yes := true
	plan, need := Decide(l.TaskSchedule, Facts{App: &yes, Made: Instants{}, Running: l.running(now)}, now)
	if need != NeedNothing {
		l.Fatalf("it needs %s", need)
	}
	if plan.Empty() {
		return ""
	}
	var ended []*v1alpha1.Task
	for _, t := range l.tasks {
		for _, name := range plan.Ended {
			if t.Name == name && !t.Status.CompletionTime.After(now) {
				ended = append(ended, t)
			}
		}
	}
	settled, survey := Settle(l.TaskSchedule, plan, ended, false, now)
	if survey {
		l.surveys++
		var all []*v1alpha1.Task
		for _, t := range l.tasks {
			if !t.Status.CompletionTime.After(now) {
				all = append(all, t)
			}
		}
		if settled, survey = Settle(l.TaskSchedule, plan, all, true, now); survey {
			l.Fatal("it asks for all, and has them")
		}
	}
	var said []string
	for _, n := range settled.Notices {
		said = append(said, string(n.What)+" "+n.At.Format("15:04"))
	}
	if settled.Status != nil {
		l.Status = *settled.Status
	}
	if settled.Pause != nil {
		said = append(said, "pause: "+settled.Pause.Note)
		edited(l.TaskSchedule, now, func(j *v1alpha1.TaskSchedule) { j.Spec.Pause = settled.Pause })
	}
	if again, _ := Settle(l.TaskSchedule, Plan{}, nil, true, now); settled.Pause == nil && len(again.Notices)+len(said) > len(said) {
		l.Errorf("at %s it tells %+v again", now.Format("15:04"), again.Notices)
	}
	return strings.Join(said, ", ")
}

// running are those that have begun and not ended.
func (l *lived) running(now time.Time) []v1alpha1.Task {
	running := []v1alpha1.Task{}
	for _, t := range l.tasks {
		if !t.CreationTimestamp.After(now) && t.Status.CompletionTime.After(now) {
			running = append(running, *t)
		}
	}
	return running
}

func (l *lived) overdue() string {
	if c := meta.FindStatusCondition(l.Status.Conditions, v1alpha1.ConditionOverdue); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return "no condition"
}

// through ticks each minute from a time to another, and says when something was told.
func (l *lived) through(from, to string) string {
	l.Helper()
	var said []string
	for now := clock(from); !now.After(clock(to)); now = now.Add(time.Minute) {
		if s := l.tick(now); s != "" {
			said = append(said, now.Format("15:04")+" "+s)
		}
	}
	return strings.Join(said, "; ")
}

func TestOverdue(t *testing.T) {
	failed, good := v1alpha1.ReasonFailed, v1alpha1.ReasonSucceeded
	hourly := func(edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
		return fresh("0 * * * *", "2026-03-02 09:30", append([]func(*v1alpha1.TaskSchedule){expects(90 * time.Minute)}, edits...)...)
	}
	byHand := func(name, command, began, end string) *v1alpha1.Task {
		t := endedTask(name, good, began, end)
		t.Spec.Command = command
		return t
	}
	for name, test := range map[string]struct {
		job   *v1alpha1.TaskSchedule
		tasks []*v1alpha1.Task
		to    string
		told  string
		is    string
	}{
		"it succeeds": {hourly(), []*v1alpha1.Task{ran("10:00", good), ran("11:00", good), ran("12:00", good)}, "12:30",
			"", "False SucceededInTime"},
		"it has not succeeded yet, and has time": {hourly(), nil, "10:50", "", "False Awaited"},
		"it never succeeds": {hourly(), []*v1alpha1.Task{ran("10:00", failed), ran("11:00", failed), ran("12:00", failed)}, "12:30",
			"11:01 Overdue 11:00", "True NotSucceeded"},
		"it succeeds no more": {hourly(), []*v1alpha1.Task{ran("10:00", good), ran("11:00", failed), ran("12:00", failed)}, "13:30",
			"11:32 Overdue 11:31", "True NotSucceeded"},
		"it recovers, and is overdue once more": {hourly(), []*v1alpha1.Task{ran("10:00", failed), ran("11:00", failed), ran("12:00", good)}, "14:00",
			"11:01 Overdue 11:00; 12:01 Recovered 12:01; 13:32 Overdue 13:31", "True NotSucceeded"},
		"it recovers by hand, between two ticks": {hourly(), []*v1alpha1.Task{ran("10:00", failed), byHand("job-x", "", "11:20:10", "11:20:40")}, "12:00",
			"11:01 Overdue 11:00; 11:21 Recovered 11:20", "False SucceededInTime"},
		"it was run by hand, between two ticks, and so is not overdue": {hourly(),
			[]*v1alpha1.Task{ran("10:00", failed), byHand("job-x", "", "10:40:10", "10:40:40")}, "12:00", "", "False SucceededInTime"},
		"another command proves nothing": {hourly(), []*v1alpha1.Task{ran("10:00", failed), byHand("job-x", "true", "10:40:10", "10:40:40")}, "12:00",
			"11:01 Overdue 11:00", "True NotSucceeded"},
		"suspended": {hourly(suspend(true)), nil, "18:00", "", "False Suspended"},
		"paused":    {hourly(restingUntil("")), nil, "18:00", "", "False Paused"},
		"a pause that ends by itself": {hourly(restingUntil("12:20")), nil, "15:00",
			"13:51 Overdue 13:50", "True NotSucceeded"},
		"its next instant is later than that": {fresh("0 15 * * *", "2026-03-02 09:30", expects(90*time.Minute)), nil, "17:00",
			"16:31 Overdue 16:30", "True NotSucceeded"},
		"no schedule: it is run by hand or by events": {fresh("", "2026-03-02 09:30", expects(90*time.Minute)),
			[]*v1alpha1.Task{byHand("job-x", "", "10:15", "10:20")}, "13:00", "11:51 Overdue 11:50", "True NotSucceeded"},
		"it asks for nothing": {fresh("0 * * * *", "2026-03-02 09:30"), []*v1alpha1.Task{ran("10:00", failed)}, "18:00", "", "no condition"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lived{T: t, TaskSchedule: test.job, tasks: test.tasks}
			if told := l.through("09:31", test.to); told != test.told || l.overdue() != test.is {
				t.Errorf("told %q, and it is %s; want %q, %s", told, l.overdue(), test.told, test.is)
			}
			if test.job.Spec.ExpectSuccessWithin == nil && (l.surveys > 0 || l.Status.Watch != nil) {
				t.Errorf("it uses none of it, and was surveyed %d times, %+v", l.surveys, l.Status.Watch)
			}
		})
	}
}

func TestPauseAfterFailures(t *testing.T) {
	failed, good, oom := v1alpha1.ReasonFailed, v1alpha1.ReasonSucceeded, v1alpha1.ReasonOutOfMemory
	byHand := func(reason, began, end string) *v1alpha1.Task { return endedTask("job-x", reason, began, end) }
	pause := func(instant string, n int, reason string) string {
		last := ran(instant, reason)
		return fmt.Sprintf("pause: %d Tasks failed in a row, the last is %s: %s (pauseAfterFailures)", n, last.Name, reason)
	}
	for name, test := range map[string]struct {
		tasks []*v1alpha1.Task
		edits []func(*v1alpha1.TaskSchedule)
		told  string
		row   int32
	}{
		"three in a row": {[]*v1alpha1.Task{ran("10:00", good), ran("10:10", failed), ran("10:20", failed), ran("10:30", oom)}, nil,
			"10:31 Paused 10:31, " + pause("10:30", 3, oom), 3},
		"two": {[]*v1alpha1.Task{ran("10:00", failed), ran("10:10", failed), ran("10:20", good), ran("10:30", failed)}, nil, "", 1},
		"one by hand succeeded, and nobody saw it": {[]*v1alpha1.Task{ran("10:00", failed), ran("10:10", failed), byHand(good, "10:12:10", "10:12:20"),
			ran("10:20", failed)}, nil, "", 1},
		"and after it they go on": {[]*v1alpha1.Task{ran("10:00", failed), byHand(good, "10:05:10", "10:05:20"), ran("10:10", failed), ran("10:20", failed),
			ran("10:30", failed)}, nil, "10:31 Paused 10:31, " + pause("10:30", 3, failed), 3},
		"those by hand do not count": {[]*v1alpha1.Task{ran("10:00", failed), byHand(failed, "10:02", "10:12"), ran("10:20", failed)}, nil, "", 2},
		"nor those that were terminated": {[]*v1alpha1.Task{ran("10:00", failed), ran("10:10", v1alpha1.ReasonCancelled), ran("10:20", failed), ran("10:30", failed)}, nil,
			"10:31 Paused 10:31, " + pause("10:30", 3, failed), 3},
		"it pauses at none":            {[]*v1alpha1.Task{ran("10:00", failed), ran("10:10", failed), ran("10:20", failed)}, []func(*v1alpha1.TaskSchedule){pauseAfter(0)}, "", 0},
		"none, but is to be in time":   {[]*v1alpha1.Task{ran("10:00", failed)}, []func(*v1alpha1.TaskSchedule){pauseAfter(0), expects(time.Hour)}, "10:31 Overdue 10:30", 0},
		"one failure is one too many":  {[]*v1alpha1.Task{ran("10:00", failed)}, []func(*v1alpha1.TaskSchedule){pauseAfter(1)}, "10:01 Paused 10:01, " + pause("10:00", 1, failed), 1},
		"while it is paused already":   {[]*v1alpha1.Task{ran("10:00", failed), ran("10:10", failed), ran("10:20", failed)}, []func(*v1alpha1.TaskSchedule){restingUntil("")}, "", 0},
		"two that end in one minute":   {[]*v1alpha1.Task{endedTask(name("10:00"), failed, "10:00", "10:20:20"), endedTask(name("10:10"), failed, "10:10", "10:20:10"), ran("10:20", failed)}, nil, "10:21 Paused 10:21, " + pause("10:20", 3, failed), 3},
		"they succeed and fail in one": {[]*v1alpha1.Task{ran("10:00", failed), endedTask(name("10:10"), failed, "10:10", "10:20:20"), endedTask(name("10:20"), good, "10:20", "10:20:10")}, nil, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lived{T: t, TaskSchedule: fresh("*/10 * * * *", "2026-03-02 09:30", append([]func(*v1alpha1.TaskSchedule){pauseAfter(3)}, test.edits...)...), tasks: test.tasks}
			told := l.through("09:31", "10:32")
			row := int32(0)
			if l.Status.Watch != nil {
				row = l.Status.Watch.FailuresInRow
			}
			if told != test.told || row != test.row {
				t.Errorf("told %q, %d in a row; want %q, %d", told, row, test.told, test.row)
			}
		})
	}
}

// failing is a Job whose third Task in a row has failed, and that was paused for it.
func failing(t *testing.T) *lived {
	t.Helper()
	l := &lived{T: t, TaskSchedule: fresh("*/10 * * * *", "2026-03-02 09:30", pauseAfter(3)), tasks: []*v1alpha1.Task{
		ran("10:00", v1alpha1.ReasonFailed), ran("10:10", v1alpha1.ReasonFailed), ran("10:20", v1alpha1.ReasonFailed)}}
	if told := l.through("09:31", "10:21"); !strings.Contains(told, "pause:") || l.Spec.Pause == nil {
		t.Fatalf("%q", told)
	}
	return l
}

func resume(j *v1alpha1.TaskSchedule) { j.Spec.Pause = nil }

// TestResumedItCountsAnew, whether or not anybody saw that it was paused.
func TestResumedItCountsAnew(t *testing.T) {
	for name, seen := range map[string]bool{"seen": true, "not seen": false} {
		t.Run(name, func(t *testing.T) {
			l := failing(t)
			if seen {
				l.through("10:22", "10:24")
			}
			edited(l.TaskSchedule, clock("10:25"), resume)
			l.tasks = append(l.tasks, ran("10:30", v1alpha1.ReasonFailed), ran("10:40", v1alpha1.ReasonFailed))
			if told := l.through("10:26", "10:45"); told != "" || l.Status.Watch.FailuresInRow != 2 {
				t.Errorf("told %q, %+v", told, l.Status.Watch)
			}
			l.tasks = append(l.tasks, ran("10:50", v1alpha1.ReasonFailed))
			if told := l.through("10:46", "10:51"); !strings.HasPrefix(told, "10:51 Paused 10:51, pause: 3 Tasks") {
				t.Errorf("told %q", told)
			}
		})
	}
}

// TestAPauseThatACrashLeftUndoneIsMadeUpFor: the status comes first, and tells it once.
func TestAPauseThatACrashLeftUndoneIsMadeUpFor(t *testing.T) {
	l := failing(t)
	l.Spec.Pause, l.Generation = nil, l.Generation-1
	if told := l.through("10:22", "10:22"); told != "10:22 pause: 3 Tasks failed in a row (pauseAfterFailures)" {
		t.Errorf("told %q", told)
	}
}

// TestARestoredJobIsNotOverdueForWhatAnotherDid not do.
func TestARestoredJobIsNotOverdueForWhatAnotherDid(t *testing.T) {
	l := &lived{T: t, TaskSchedule: fresh("0 * * * *", "2026-03-02 09:30", expects(90*time.Minute))}
	l.through("09:31", "12:00")
	createdAt("13:00")(l.TaskSchedule)
	if told := l.through("13:01", "14:20"); told != "" || l.overdue() != "False Awaited" {
		t.Errorf("told %q, %s", told, l.overdue())
	}
}

// TestARescheduledJobHasTheWholeTimeAgain: by its new schedule it might have been due long ago.
func TestARescheduledJobHasTheWholeTimeAgain(t *testing.T) {
	l := &lived{T: t, TaskSchedule: fresh("0 20 * * *", "2026-03-02 09:30", expects(90*time.Minute))}
	l.through("09:31", "12:00")
	edited(l.TaskSchedule, clock("12:01"), scheduled("0 * * * *"))
	if told := l.through("12:02", "14:00"); told != "13:32 Overdue 13:31" {
		t.Errorf("told %q", told)
	}
}
