package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

func at(s string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.000"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	panic(s)
}

// day is a Monday; times in the tests without a date are of that day.
func day(clock string) time.Time { return at("2026-03-02 " + clock) }

// settled is a Job whose schedule was observed, and whose instants were decided, up to a time.
func settled(schedule, until string, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	if !strings.Contains(until, "-") {
		until = "2026-03-02 " + until
	}
	j := fresh(schedule, "2026-01-01 00:00:30")
	for _, edit := range edits {
		edit(j)
	}
	yes := true
	p := Decide(j, Known{App: &yes, NoTick: true}, at("2026-01-01 00:00:31"))
	j.Status, j.Labels = p.Status, v1alpha1.TaskScheduleLabels(j.Spec.Suspend)
	j.Status.DecidedUntil = &metav1.Time{Time: at(until)}
	if next := timetableOf(j).Next(at(until)); !next.IsZero() && !j.Spec.Suspend {
		j.Status.NextScheduleTime = &metav1.Time{Time: next}
	}
	return j
}

// fresh is a Job that nobody has looked at yet.
func fresh(schedule, created string) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{}
	j.Namespace, j.Name, j.UID, j.Generation = "space", "job", "uid", 1
	j.CreationTimestamp = metav1.NewTime(at(created))
	j.Spec.Schedule = schedule
	j.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyAlways
	j.Spec.TaskTemplate.AppRef.Name = "app"
	return j
}

// edited changes the spec as the API server records it.
func edited(j *v1alpha1.TaskSchedule, when time.Time, edit func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	edit(j)
	j.Generation++
	t := metav1.NewTime(when)
	j.ManagedFields = append(j.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: fmt.Sprint("kf", j.Generation), Time: &t, FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:schedule":{}}}`)}})
	return j
}

func suspend(is bool) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.Suspend = is }
}
func scheduled(s string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.Schedule = s }
}
func zone(s string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.TimeZone = s }
}
func policy(p v1alpha1.ConcurrencyPolicy) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.ConcurrencyPolicy = p }
}
func deadline(seconds int64) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.StartingDeadlineSeconds = &seconds }
}
func jitter(seconds int32) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.JitterSeconds = seconds }
}
func more(schedules ...string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Spec.Schedules = schedules }
}
func active(names ...string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		p := Plan{}
		for _, n := range names {
			p.run(n)
		}
		j.Status.Active = p.Status.Active
	}
}

func task(name string) v1alpha1.Task {
	t := v1alpha1.Task{}
	t.Name = name
	return t
}

// name is that of the Task of an instant of that day.
func name(clock string) string { return fmt.Sprintf("job-%d", day(clock).Unix()) }

func made(clocks ...string) map[int64]bool {
	m := map[int64]bool{}
	for _, c := range clocks {
		m[day(c).Unix()] = true
	}
	return m
}

// said is a plan in one line: what is done, what is recorded (oldest first), and how the Job then stands.
func said(p Plan) string {
	if p.Ask != AskNothing {
		return "ask " + string(p.Ask)
	}
	var s []string
	for _, t := range p.Terminate {
		s = append(s, "terminate "+t)
	}
	if p.Create != nil {
		s = append(s, "create "+p.Create.Name)
	}
	for i := range p.Records {
		d := p.Records[len(p.Records)-1-i]
		text := fmt.Sprintf("%s %s", d.Outcome, d.Instant.Format("15:04"))
		if d.Count > 1 {
			text += fmt.Sprintf(" x%d", d.Count)
		}
		s = append(s, text)
	}
	ready := "?"
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		ready = string(c.Status) + " " + c.Reason
	}
	next := "never"
	if p.Status.NextScheduleTime != nil {
		next = p.Status.NextScheduleTime.UTC().Format("15:04")
	}
	return strings.Join(append(s, "until "+p.Status.DecidedUntil.UTC().Format("15:04:05"), "next "+next, ready), ", ")
}

func TestDecide(t *testing.T) {
	yes, no := true, false
	none := map[int64]bool{}
	for _, tt := range []struct {
		name  string
		job   *v1alpha1.TaskSchedule
		known Known
		now   time.Time
		want  string
	}{
		{"nothing is due", settled("0 * * * *", "12:00"), Known{}, day("12:59:59.999"),
			"until 12:00:00, next 13:00, True Scheduled"},
		{"due, to the millisecond", settled("0 * * * *", "12:00"), Known{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"due: is its App there?", settled("0 * * * *", "12:00"), Known{}, day("13:00:01"), "ask app"},
		{"the tick is late by half a minute", settled("0 * * * *", "12:00"), Known{App: &yes}, day("13:00:30"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"decided before", settled("0 * * * *", "13:00"), Known{}, day("13:00:30"), "until 13:00:00, next 14:00, True Scheduled"},
		{"the clock was put back", settled("0 * * * *", "13:00"), Known{}, day("12:00:30"), "until 13:00:00, next 14:00, True Scheduled"},

		{"after an outage: what was made meanwhile?", settled("*/10 * * * *", "12:00"), Known{App: &yes}, day("12:45"), "ask made"},
		{"after an outage only the latest runs", settled("*/10 * * * *", "12:00"), Known{App: &yes, Made: none}, day("12:45"),
			"create " + name("12:40") + ", Missed 12:30 x3, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"an outage with a killed tick in it", settled("*/10 * * * *", "12:00"), Known{App: &yes, Made: made("12:20")}, day("12:45"),
			"create " + name("12:40") + ", Missed 12:10, Ran 12:20, Missed 12:30, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"killed between Task and watermark, then an outage", settled("*/10 * * * *", "12:00"), Known{App: &yes, Made: made("12:10", "12:40")}, day("12:45"),
			"Ran 12:10, Missed 12:30 x2, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"an irregular schedule, on Monday", settled("30 6-16/4 * * 1-5", "2026-02-27 10:30"), Known{App: &yes, Made: none}, day("06:29"),
			"create job-1772202600, Ran 14:30, until 14:30:00, next 06:30, True Scheduled"}, // Friday's, not one of the weekend
		{"monthly", settled("0 0 1 * *", "2026-02-01 00:00"), Known{App: &yes, Made: none}, day("06:29"),
			"create job-1772323200, Ran 00:00, until 00:00:00, next 00:00, True Scheduled"},
		{"an outage of years", settled("* * * * *", "2016-01-01 00:00"), Known{App: &yes, Made: none}, day("12:00"),
			"create " + name("12:00") + ", Missed 11:59 x1000, Ran 12:00, until 12:00:00, next 12:01, True Scheduled"},

		{"two schedules that coincide are one instant", settled("0 * * * *", "12:00", more("0 13 * * *", "30 13 * * *")), Known{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 13:30, True Scheduled"},
		{"the latest of several schedules", settled("0 * * * *", "12:00", more("30 13 * * *")), Known{App: &yes, Made: none}, day("13:31"),
			"create " + name("13:30") + ", Missed 13:00, Ran 13:30, until 13:30:00, next 14:00, True Scheduled"},
		{"a schedule beside the placeholder", settled(v1alpha1.NeverSchedule, "12:00", more("0 * * * *")), Known{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a zone", settled("0 9 * * *", "07:00", zone("Asia/Tokyo")), Known{}, day("09:00"), "until 07:00:00, next 00:00, True Scheduled"},
		{"a zone, due", settled("0 9 * * *", "2026-03-01 00:00", zone("Europe/Berlin")), Known{App: &yes, Made: none}, day("08:00"),
			"create " + name("08:00") + ", Missed 08:00, Ran 08:00, until 08:00:00, next 08:00, True Scheduled"},
		{"daylight saving skips 02:30: it runs at 03:00", settled("30 2 * * *", "2026-03-28 01:30", zone("Europe/Berlin")), Known{App: &yes}, at("2026-03-29 01:00:01"),
			"create job-1774746000, Ran 01:00, until 01:00:00, next 00:30, True Scheduled"},
		{"daylight saving repeats 02:30: it runs once", settled("30 2 * * *", "2026-10-25 00:30", zone("Europe/Berlin")), Known{}, at("2026-10-25 01:30:01"),
			"until 00:30:00, next 01:30, True Scheduled"},

		{"new, before the next instant", fresh("0 * * * *", "2026-03-02 12:30:10"), Known{App: &yes}, day("12:30:11"),
			"until 12:30:10, next 13:00, True Scheduled"},
		{"new, made within the minute of an instant", fresh("0 * * * *", "2026-03-02 13:00:00"), Known{App: &yes}, day("13:00:01"),
			"until 13:00:00, next 14:00, True Scheduled"},
		{"new, first seen after an instant", fresh("0 * * * *", "2026-03-02 12:59:59"), Known{App: &yes}, day("13:00:01"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"new, an event of it, after an instant", fresh("0 * * * *", "2026-03-02 12:59:59"), Known{App: &yes, NoTick: true}, day("13:00:01"),
			"until 12:59:59, next 13:00, True Scheduled"},
		{"Kf's: new and without a schedule", func() *v1alpha1.TaskSchedule {
			j := fresh(v1alpha1.NeverSchedule, "2026-03-02 12:30:10")
			j.Spec.Suspend = true
			return j
		}(), Known{App: &yes}, day("13:00:01"), "until 12:30:10, next never, True Suspended"},
		{"the placeholder, not suspended", fresh(v1alpha1.NeverSchedule, "2026-03-02 12:30:10"), Known{App: &yes}, day("13:00:01"),
			"until 12:30:10, next never, True NoSchedule"},
		{"Kf's: created, then scheduled, before anybody looked", edited(fresh(v1alpha1.NeverSchedule, "2026-03-02 11:30:10"), day("12:30:05"), scheduled("0 * * * *")),
			Known{App: &yes}, day("12:30:10"), "until 12:30:05, next 13:00, True Scheduled"},
		{"the same, first seen after an instant", edited(fresh(v1alpha1.NeverSchedule, "2026-03-02 11:30:10"), day("12:30:05"), scheduled("0 * * * *")),
			Known{App: &yes}, day("13:00:01"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"suspended", settled("0 * * * *", "12:00", suspend(true)), Known{}, day("14:00:01"), "until 12:00:00, next never, True Suspended"},
		{"suspended, long ago", settled("0 * * * *", "12:00", suspend(true)), Known{}, at("2027-03-02 14:00:01"), "until 12:00:00, next never, True Suspended"},
		{"just suspended", edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), Known{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next never, True Suspended"},
		{"suspended before a missed instant could run", edited(settled("0 * * * *", "12:00"), day("13:30"), suspend(true)), Known{App: &yes, Made: none}, day("13:30:01"),
			"Missed 13:00, until 13:30:00, next never, True Suspended"},
		{"suspended just after its Task was made", edited(settled("0 * * * *", "12:00"), day("13:00"), suspend(true)), Known{App: &yes, Made: made("13:00")}, day("13:00:01"),
			"Ran 13:00, until 13:00:00, next never, True Suspended"},
		{"resumed: what was made meanwhile?", edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)), Known{App: &yes}, day("15:30:01"), "ask made"},
		{"resumed: it owes nothing", edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)), Known{App: &yes, Made: none}, day("15:30:01"),
			"Suspended 15:00 x3, until 15:30:00, next 16:00, True Scheduled"},
		{"resumed, first seen after an instant", edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)), Known{App: &yes, Made: none}, day("16:00:01"),
			"create " + name("16:00") + ", Suspended 15:00 x3, Ran 16:00, until 16:00:00, next 17:00, True Scheduled"},
		{"rescheduled to an instant of the past hour", edited(settled("0 0 * * *", "00:00"), day("12:30"), scheduled("0 * * * *")), Known{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next 13:00, True Scheduled"},
		{"rescheduled while an instant of the old schedule was not recorded", edited(settled("0 * * * *", "12:00"), day("13:00:05"), scheduled("30 * * * *")), Known{App: &yes, Made: made("13:00")}, day("13:00:06"),
			"Ran 13:00, until 13:00:05, next 13:30, True Scheduled"},
		{"another zone is another schedule", edited(settled("0 9 * * *", "2026-03-01 09:00"), day("08:30"), zone("Europe/Berlin")), Known{App: &yes, Made: none}, day("08:30:05"),
			"until 08:30:00, next 08:00, True Scheduled"},
		{"edited, but not its schedule", edited(settled("0 * * * *", "12:00"), day("13:30"), func(j *v1alpha1.TaskSchedule) { j.Spec.TaskTemplate.Command = "x" }),
			Known{App: &yes}, day("13:30:01"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"suspended and resumed while nobody looked", edited(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("14:30"), suspend(false)), Known{App: &yes, Made: none}, day("14:30:01"),
			"Missed 14:00 x2, until 14:30:00, next 15:00, True Scheduled"},
		{"edited, and the API server did not say when", func() *v1alpha1.TaskSchedule {
			j := edited(settled("0 0 * * *", "00:00"), day("12:30"), scheduled("0 * * * *"))
			j.ManagedFields = nil
			return j
		}(), Known{App: &yes, Made: none}, day("13:30:01"), "until 13:30:01, next 14:00, True Scheduled"},

		{"Forbid: does a Task run?", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Known{}, day("13:00"), "ask running"},
		{"Forbid, none runs", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Known{App: &yes, Running: []v1alpha1.Task{}}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Forbid, one runs", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Known{App: &yes, Made: none, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"Skipped 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Forbid, and the one that runs is this very instant's", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Known{App: &yes, Running: []v1alpha1.Task{task(name("13:00"))}}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"}, // the name is taken: no second one
		{"Forbid, after this instant's Task has come and gone", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Known{App: &yes, Made: made("13:00"), Running: []v1alpha1.Task{task("job-by-hand")}}, day("13:00"),
			"Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)), Known{App: &yes, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"terminate job-1, create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace, killed after the creation", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)), Known{App: &yes, Running: []v1alpha1.Task{task("job-1"), task(name("13:00"))}}, day("13:00"),
			"terminate job-1, create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace, what runs has been terminated", settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)), Known{App: &yes, Running: []v1alpha1.Task{func() v1alpha1.Task {
			t := task("job-1")
			t.Spec.Terminated = true
			return t
		}()}}, day("13:00"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Always, one runs", settled("0 * * * *", "12:00", active("job-1")), Known{App: &yes, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a Task is active: has it ended?", settled("0 * * * *", "12:00", active("job-1")), Known{}, day("12:10"), "ask running"},

		{"within the deadline", settled("0 * * * *", "12:00", deadline(600)), Known{App: &yes}, day("13:10"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"after the deadline", settled("0 * * * *", "12:00", deadline(600)), Known{App: &yes, Made: none}, day("13:10:01"),
			"Missed 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"after the deadline, but it had run", settled("0 * * * *", "12:00", deadline(600)), Known{App: &yes, Made: made("13:00")}, day("13:10:01"),
			"Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a deadline shorter than a tick can be late", settled("0 * * * *", "12:00", deadline(0)), Known{App: &yes}, day("13:00:09"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"the App is gone", settled("0 * * * *", "12:00"), Known{App: &no, Made: none}, day("13:00"),
			"Refused 13:00, until 13:00:00, next 14:00, False AppNotFound"},
		{"the App is gone, nothing is due", func() *v1alpha1.TaskSchedule {
			j := settled("0 * * * *", "12:00")
			meta.SetStatusCondition(&j.Status.Conditions, metav1.Condition{Type: "Ready", Status: "False", Reason: ReasonAppNotFound})
			return j
		}(), Known{App: &yes}, day("12:10"), "until 12:00:00, next 13:00, True Scheduled"},
		{"the API server refuses the Task", settled("0 * * * *", "12:00"), Known{App: &yes, Made: none, Refused: "bad"}, day("13:00"),
			"Refused 13:00, until 13:00:00, next 14:00, False TaskRefused"},
		{"a quota is used up: it waits", settled("0 * * * *", "12:00"), Known{App: &yes, Blocked: "quota"}, day("13:00"),
			"until 12:00:00, next 13:00, False TaskNotCreated"},
		{"a bad schedule", fresh("0 25 * * *", "2026-03-02 12:30:10"), Known{}, day("13:00"), "until 12:30:10, next never, False InvalidSchedule"},
		{"a schedule that never fires", fresh("0 0 31 2 *", "2026-03-02 12:30:10"), Known{}, day("13:00"), "until 12:30:10, next never, False InvalidSchedule"},
		{"one bad schedule of two", settled("0 * * * *", "12:00", more("nonsense")), Known{}, day("13:00"), "until 12:00:00, next never, False InvalidSchedule"},
		{"a bad zone", settled("0 * * * *", "12:00", zone("Mars/Base")), Known{}, day("13:00"), "until 12:00:00, next never, False InvalidTimeZone"},
		{"a mended schedule owes nothing", edited(settled("0 25 * * *", "08:00"), day("12:30"), scheduled("0 * * * *")), Known{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next 13:00, True Scheduled"},
		{"being deleted", func() *v1alpha1.TaskSchedule {
			j := settled("0 * * * *", "12:00")
			j.DeletionTimestamp = &metav1.Time{Time: day("12:30")}
			return j
		}(), Known{}, day("13:00"), "until 12:00:00, next 13:00, True Scheduled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.job.DeepCopy()
			if got := said(Decide(tt.job, tt.known, tt.now)); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if !equality.Semantic.DeepEqual(before, tt.job) {
				t.Error("the Job was changed")
			}
		})
	}
}

// What is active, what has ended since, and what became of it.
func TestActiveTasksAreFollowed(t *testing.T) {
	yes := true
	j := settled("0 * * * *", "12:00", active("job-1", "job-2"))
	j.Status.History = []v1alpha1.Decision{{Outcome: v1alpha1.OutcomeRan, Task: "job-2"}, {Outcome: v1alpha1.OutcomeRan, Task: "job-1"}}
	p := Decide(j, Known{App: &yes, Running: []v1alpha1.Task{task("job-2"), task("job-by-hand")}}, day("13:00"))
	p.result("job-1", "Failed")
	if got, want := fmt.Sprint(p.Ended, p.Status.Active), fmt.Sprintf("[job-1] [{job-2} {job-by-hand} {%s}]", name("13:00")); got != want {
		t.Errorf("ended and active %s, want %s", got, want)
	}
	if h := p.Status.History; h[2].Result != "Failed" || h[1].Result != "" {
		t.Errorf("history %+v: want job-1 to have failed", h)
	}
	if j.Status.History[1].Result != "" {
		t.Error("the Job was changed")
	}
}

// A Job that is decided every minute for hours, with a Task in its way, has one record of it.
func TestHistoryIsFoldedAndBounded(t *testing.T) {
	yes := true
	j := settled("* * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid))
	now := day("12:00:01")
	for i := range 300 {
		now = now.Add(time.Minute)
		known := Known{App: &yes, Running: []v1alpha1.Task{}, Made: map[int64]bool{}}
		if i >= 60 && i < 240 {
			known.Running = []v1alpha1.Task{task("job-1")}
		}
		p := Decide(j, known, now)
		j.Status = p.Status
		if len(p.Records) != 1 || p.Records[0].Count > 1 {
			t.Fatalf("records of one minute: %+v", p.Records)
		}
	}
	h := j.Status.History
	if len(h) != maxHistory {
		t.Fatalf("%d records, want %d", len(h), maxHistory)
	}
	j.Status.History = nil
	j.Status.Active = nil
	p := Plan{Status: j.Status}
	for _, n := range []string{"12:01", "12:02", "12:03"} {
		p.record(j, Known{Made: map[int64]bool{}}, day(n), v1alpha1.OutcomeSkipped, "job-1", "it ran")
	}
	p.Status.DecidedUntil = &metav1.Time{Time: day("12:03:30")} // the Job was edited
	p.record(j, Known{Made: map[int64]bool{}}, day("12:04"), v1alpha1.OutcomeSkipped, "job-1", "it ran")
	if h := p.Status.History; len(h) != 2 || h[0].Count != 0 || h[1].Count != 3 {
		t.Errorf("history %+v: want one record of three and, after the edit, one of one", h)
	}
}

func TestJitterIsStableAndSpreads(t *testing.T) {
	yes := true
	seen := map[time.Duration]bool{}
	for i := range 200 {
		j := settled("0 * * * *", "12:00", jitter(50))
		j.UID = types.UID(fmt.Sprint("uid", i))
		when := timetableOf(j)
		if when.jitter < 0 || when.jitter >= 50*time.Second || when.jitter != timetableOf(j).jitter {
			t.Fatalf("jitter %s", when.jitter)
		}
		seen[when.jitter] = true
		before := Decide(j, Known{App: &yes}, day("13:00").Add(when.jitter-time.Millisecond))
		if when.jitter > 0 && (before.Create != nil || !before.Start.Equal(day("13:00").Add(when.jitter))) {
			t.Fatalf("a moment before its start: %s, start %s", said(before), before.Start)
		}
		if p := Decide(j, Known{App: &yes}, day("13:00").Add(when.jitter)); p.Create == nil || p.Create.Name != name("13:00") {
			t.Fatalf("at its start: %s", said(p))
		}
	}
	if len(seen) < 40 {
		t.Errorf("200 Jobs start at %d different seconds", len(seen))
	}
}

func TestTaskOfAJob(t *testing.T) {
	yes := true
	j := settled("0 * * * *", "12:00")
	j.Labels["team"] = "billing"
	j.Labels[v1alpha1.VersionLabel] = "1.4" // of the Job: on a Task it would say that it was run
	got := Decide(j, Known{App: &yes}, day("13:00")).Create
	want := v1alpha1.TaskLabels("app")
	want["team"], want[v1alpha1.TaskScheduleLabel] = "billing", "job"
	if !equality.Semantic.DeepEqual(got.Labels, want) {
		t.Errorf("labels %v, want %v", got.Labels, want)
	}
	if !metav1.IsControlledBy(got, j) {
		t.Error("the Job does not own its Task")
	}
}

func TestTheNameOfARunByEvent(t *testing.T) {
	for _, long := range []string{"job", strings.Repeat("j", 52), strings.Repeat("j", 41) + "-x", strings.Repeat("a.", 26)} {
		j := settled("0 * * * *", "12:00")
		j.Name = long
		e := cloudevents.NewEvent()
		e.SetSource("/a")
		e.SetID("bc")
		task := TaskFor(e, events.RunJob{Memory: "1Gi"}, j)
		if errs := validation.IsDNS1123Subdomain(task.Name); len(errs) > 0 || len(task.Name) > 63 {
			t.Errorf("name %q: %v", task.Name, errs)
		}
		if again := TaskFor(e, events.RunJob{}, j); again.Name != task.Name {
			t.Error("the name is not stable")
		}
		e.SetSource("/ab")
		e.SetID("c")
		if other := TaskFor(e, events.RunJob{}, j); other.Name == task.Name {
			t.Error("two events have one name")
		}
		if task.Spec.Memory != "1Gi" || task.Spec.AppRef.Name != "app" {
			t.Errorf("spec %+v", task.Spec)
		}
	}
}

// What a tick does for each of ten thousand Jobs that are not due.
func BenchmarkDecideNothing(b *testing.B) {
	j := settled("0 * * * *", "12:00", zone("Europe/Berlin"))
	for i := range maxHistory {
		j.Status.History = append(j.Status.History, v1alpha1.Decision{Instant: metav1.NewTime(day("12:00").Add(-time.Duration(i) * time.Hour)), Outcome: v1alpha1.OutcomeRan, Task: "job-1", Result: "Succeeded"})
	}
	for b.Loop() {
		if p := Decide(j, Known{}, day("12:30")); p.Needed(j) {
			b.Fatal(said(p))
		}
	}
}
