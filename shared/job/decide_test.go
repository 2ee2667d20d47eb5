package job

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func at(s string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.000", "2006-01-02 15:04:05.0"} {
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
	j := fresh(schedule, "2026-01-01 00:00:30", edits...)
	yes := true
	p, _ := Sync(j, Facts{App: &yes}, at("2026-01-01 00:00:31"))
	j.Status, j.Labels = *p.Status, v1alpha1.TaskScheduleLabels(j.Spec.Suspend)
	j.Status.DecidedUntil = &metav1.Time{Time: at(until)}
	if next := timetableOf(j).Next(at(until)); !next.IsZero() && !j.Spec.Suspend {
		j.Status.NextScheduleTime = &metav1.Time{Time: next}
	}
	return j
}

// fresh is a Job that nobody has looked at yet.
func fresh(schedule, created string, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{}
	j.Namespace, j.Name, j.UID, j.Generation = "space", "job", "uid", 1
	j.CreationTimestamp = metav1.NewTime(at(created))
	j.Spec.Schedule = schedule
	j.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyAlways
	j.Spec.TaskTemplate.AppRef.Name = "app"
	for _, edit := range edits {
		edit(j)
	}
	return j
}

// edited changes the spec as the API server records it.
func edited(j *v1alpha1.TaskSchedule, when time.Time, edit func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	edit(j)
	j.Generation++
	t := metav1.NewTime(when)
	j.ManagedFields = append(j.ManagedFields, metav1.ManagedFieldsEntry{
		Manager: fmt.Sprint("kf", j.Generation), Time: &t, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:schedule":{},"f:suspend":{}}}`)})
	return j
}

// removed takes fields out of the spec. The API server takes them from who had set them, and keeps no time of it.
func removed(j *v1alpha1.TaskSchedule, edit func(*v1alpha1.TaskSchedule), fields ...string) *v1alpha1.TaskSchedule {
	edit(j)
	j.Generation++
	for i, m := range j.ManagedFields {
		raw := m.FieldsV1.GetRawString()
		for _, f := range fields {
			raw = strings.ReplaceAll(raw, fmt.Sprintf(`,"f:%s":{}`, f), "")
		}
		j.ManagedFields[i].FieldsV1 = metav1.NewFieldsV1(raw)
	}
	return j
}

// relabelled is an edit of something else than the spec, by who edited that last: the API server keeps one time for both.
func relabelled(j *v1alpha1.TaskSchedule, when time.Time) *v1alpha1.TaskSchedule {
	j.ManagedFields[len(j.ManagedFields)-1].Time = &metav1.Time{Time: when}
	return j
}

// seen is a Job after a tick has looked at it.
func seen(j *v1alpha1.TaskSchedule, now time.Time) *v1alpha1.TaskSchedule {
	yes := true
	p, _ := Sync(j, Facts{App: &yes, Made: Instants{}}, now)
	j.Status = *p.Status
	return j
}

// ofKf is a Job as Kf leaves it: a status, and nothing of ours.
func ofKf(j *v1alpha1.TaskSchedule, status v1alpha1.TaskScheduleStatus) *v1alpha1.TaskSchedule {
	j.Labels, j.Status = v1alpha1.TaskScheduleLabels(j.Spec.Suspend), status
	return j
}

// createdAt makes a Job anew: its status is that of an object before it.
func createdAt(clock string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.CreationTimestamp, j.UID = metav1.NewTime(day(clock)), "restored" }
}
func after(j *v1alpha1.TaskSchedule, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	for _, edit := range edits {
		edit(j)
	}
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
		for _, n := range names {
			j.Status.Active = append(j.Status.Active, corev1.LocalObjectReference{Name: n})
		}
	}
}

func task(name string) v1alpha1.Task {
	t := v1alpha1.Task{}
	t.Name = name
	return t
}

// name is that of the Task of an instant of that day.
func name(clock string) string { return fmt.Sprintf("job-%d", day(clock).Unix()) }

func made(clocks ...string) Instants {
	m := Instants{}
	for _, c := range clocks {
		m[day(c).Unix()] = true
	}
	return m
}

// said is a decision in one line: what is done, what is recorded (oldest first), and how the Job then stands.
func said(j *v1alpha1.TaskSchedule, p Plan, need Need) string {
	if need != NeedNothing {
		if !p.Empty() || p.Records != nil {
			return "half a plan, and a need"
		}
		return "need " + string(need)
	}
	status := p.Status
	if status == nil {
		status = &j.Status
	}
	var s []string
	for _, t := range p.Terminate {
		s = append(s, "terminate "+t.Name)
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
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); c != nil {
		ready = string(c.Status) + " " + c.Reason
	}
	next := "never"
	if status.NextScheduleTime != nil {
		next = status.NextScheduleTime.UTC().Format("15:04")
	}
	return strings.Join(append(s, "until "+status.DecidedUntil.UTC().Format("15:04:05"), "next "+next, ready), ", ")
}

// astray is a Job of which a tick has said that its watermark is in the future.
func astray(until, now string) *v1alpha1.TaskSchedule {
	yes := true
	j := settled("0 * * * *", until)
	p, _ := Decide(j, Facts{App: &yes}, day(now))
	j.Status = *p.Status
	return j
}

func decided(j *v1alpha1.TaskSchedule, facts Facts, now time.Time) string {
	p, need := Decide(j, facts, now)
	return said(j, p, need)
}

func TestDecide(t *testing.T) {
	yes, no := true, false
	none := Instants{}
	for _, tt := range []struct {
		name  string
		job   *v1alpha1.TaskSchedule
		facts Facts
		now   time.Time
		want  string
	}{
		{"nothing is due", settled("0 * * * *", "12:00"), Facts{}, day("12:59:59.999"),
			"until 12:00:00, next 13:00, True Scheduled"},
		{"due, to the millisecond", settled("0 * * * *", "12:00"), Facts{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"due: is its App there?", settled("0 * * * *", "12:00"), Facts{}, day("13:00:01"), "need holds"},
		{"the tick is late by half a minute", settled("0 * * * *", "12:00"), Facts{App: &yes}, day("13:00:30"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"decided before", settled("0 * * * *", "13:00"), Facts{}, day("13:00:30"), "until 13:00:00, next 14:00, True Scheduled"},
		{"the clock was put back", settled("0 * * * *", "13:00"), Facts{}, day("12:59:30"), "until 13:00:00, next 14:00, True Scheduled"},

		{"after an outage: what was made meanwhile?", settled("*/10 * * * *", "12:00"), Facts{App: &yes}, day("12:45"), "need made"},
		{"after an outage only the latest runs", settled("*/10 * * * *", "12:00"), Facts{App: &yes, Made: none}, day("12:45"),
			"create " + name("12:40") + ", Missed 12:30 x3, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"an outage with a killed tick in it", settled("*/10 * * * *", "12:00"), Facts{App: &yes, Made: made("12:20")}, day("12:45"),
			"create " + name("12:40") + ", Missed 12:10, Ran 12:20, Missed 12:30, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"killed between Task and watermark, then an outage",
			settled("*/10 * * * *", "12:00"), Facts{App: &yes, Made: made("12:10", "12:40")}, day("12:45"),
			"Ran 12:10, Missed 12:30 x2, Ran 12:40, until 12:40:00, next 12:50, True Scheduled"},
		{"an irregular schedule, on Monday", settled("30 6-16/4 * * 1-5", "2026-02-27 10:30"), Facts{App: &yes, Made: none}, day("06:29"),
			"create job-1772202600, Ran 14:30, until 14:30:00, next 06:30, True Scheduled"}, // Friday's, not one of the weekend
		{"monthly", settled("0 0 1 * *", "2026-02-01 00:00"), Facts{App: &yes, Made: none}, day("06:29"),
			"create job-1772323200, Ran 00:00, until 00:00:00, next 00:00, True Scheduled"},
		{"an outage of months", settled("* * * * *", "2026-01-02 00:00"), Facts{App: &yes, Made: none}, day("12:00"),
			"create " + name("12:00") + ", Missed 11:59 x1000, Ran 12:00, until 12:00:00, next 12:01, True Scheduled"},

		{"two schedules that coincide are one instant",
			settled("0 * * * *", "12:00", more("0 13 * * *", "30 13 * * *")), Facts{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 13:30, True Scheduled"},
		{"the latest of several schedules", settled("0 * * * *", "12:00", more("30 13 * * *")), Facts{App: &yes, Made: none}, day("13:31"),
			"create " + name("13:30") + ", Missed 13:00, Ran 13:30, until 13:30:00, next 14:00, True Scheduled"},
		{"a schedule beside the placeholder", settled(v1alpha1.NeverSchedule, "12:00", more("0 * * * *")), Facts{App: &yes}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a zone", settled("0 9 * * *", "07:00", zone("Asia/Tokyo")), Facts{}, day("09:00"), "until 07:00:00, next 00:00, True Scheduled"},
		{"a zone, due", settled("0 9 * * *", "2026-03-01 00:00", zone("Europe/Berlin")), Facts{App: &yes, Made: none}, day("08:00"),
			"create " + name("08:00") + ", Missed 08:00, Ran 08:00, until 08:00:00, next 08:00, True Scheduled"},
		{"daylight saving skips 02:30: it runs at 03:00",
			settled("30 2 * * *", "2026-03-28 01:30", zone("Europe/Berlin")), Facts{App: &yes}, at("2026-03-29 01:00:01"),
			"create job-1774746000, Ran 01:00, until 01:00:00, next 00:30, True Scheduled"},
		{"daylight saving repeats 02:30: it runs once",
			settled("30 2 * * *", "2026-10-25 00:30", zone("Europe/Berlin")), Facts{}, at("2026-10-25 01:30:01"),
			"until 00:30:00, next 01:30, True Scheduled"},

		{"new, before the next instant", fresh("0 * * * *", "2026-03-02 12:30:10"), Facts{App: &yes}, day("12:30:11"),
			"until 12:30:10, next 13:00, True Scheduled"},
		{"new, made within the minute of an instant", fresh("0 * * * *", "2026-03-02 13:00:00"), Facts{App: &yes}, day("13:00:01"),
			"until 13:00:00, next 14:00, True Scheduled"},
		{"new, first seen after an instant", fresh("0 * * * *", "2026-03-02 12:59:59"), Facts{App: &yes}, day("13:00:01"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Kf's: new and without a schedule",
			fresh(v1alpha1.NeverSchedule, "2026-03-02 12:30:10", suspend(true)),
			Facts{App: &yes}, day("13:00:01"), "until 12:30:10, next never, True Suspended"},
		{"the placeholder, not suspended", fresh(v1alpha1.NeverSchedule, "2026-03-02 12:30:10"), Facts{App: &yes}, day("13:00:01"),
			"until 12:30:10, next never, True NoSchedule"},
		{"Kf's: created, then scheduled, before anybody looked",
			edited(fresh(v1alpha1.NeverSchedule, "2026-03-02 11:30:10"), day("12:30:05"), scheduled("0 * * * *")),
			Facts{App: &yes}, day("12:30:10"), "until 12:30:05, next 13:00, True Scheduled"},
		{"the same, first seen after an instant",
			edited(fresh(v1alpha1.NeverSchedule, "2026-03-02 11:30:10"), day("12:30:05"), scheduled("0 * * * *")),
			Facts{App: &yes}, day("13:00:01"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"suspended",
			settled("0 * * * *", "12:00", suspend(true)), Facts{}, day("14:00:01"), "until 12:00:00, next never, True Suspended"},
		{"suspended, long ago",
			settled("0 * * * *", "12:00", suspend(true)),
			Facts{}, at("2027-03-02 14:00:01"), "until 12:00:00, next never, True Suspended"},
		{"just suspended",
			edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), Facts{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next never, True Suspended"},
		{"suspended before a missed instant could run",
			edited(settled("0 * * * *", "12:00"), day("13:30"), suspend(true)), Facts{App: &yes, Made: none}, day("13:30:01"),
			"Missed 13:00, until 13:30:00, next never, True Suspended"},
		{"suspended just after its Task was made",
			edited(settled("0 * * * *", "12:00"), day("13:00"), suspend(true)), Facts{App: &yes, Made: made("13:00")}, day("13:00:01"),
			"Ran 13:00, until 13:00:00, next never, True Suspended"},
		{"resumed: what was made meanwhile?",
			edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)),
			Facts{App: &yes}, day("15:30:01"), "need made"},
		{"resumed: it owes nothing",
			edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)),
			Facts{App: &yes, Made: none}, day("15:30:01"),
			"Suspended 15:00 x3, until 15:30:00, next 16:00, True Scheduled"},
		{"resumed, first seen after an instant",
			edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)),
			Facts{App: &yes, Made: none}, day("16:00:01"),
			"create " + name("16:00") + ", Suspended 15:00 x3, Ran 16:00, until 16:00:00, next 17:00, True Scheduled"},
		{"rescheduled to an instant of the past hour",
			edited(settled("0 0 * * *", "00:00"), day("12:30"), scheduled("0 * * * *")), Facts{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next 13:00, True Scheduled"},
		{"rescheduled while an instant of the old schedule was not recorded",
			edited(settled("0 * * * *", "12:00"), day("13:00:05"), scheduled("30 * * * *")),
			Facts{App: &yes, Made: made("13:00")}, day("13:00:06"),
			"Ran 13:00, until 13:00:05, next 13:30, True Scheduled"},
		{"another zone is another schedule",
			edited(settled("0 9 * * *", "2026-03-01 09:00"), day("08:30"), zone("Europe/Berlin")),
			Facts{App: &yes, Made: none}, day("08:30:05"),
			"until 08:30:00, next 08:00, True Scheduled"},
		{"edited, but not its schedule",
			edited(settled("0 * * * *", "12:00"), day("13:30"), func(j *v1alpha1.TaskSchedule) { j.Spec.TaskTemplate.Command = "x" }),
			Facts{App: &yes}, day("13:30:01"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"suspended and resumed while nobody looked",
			edited(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("14:30"), suspend(false)),
			Facts{App: &yes, Made: none}, day("14:30:01"),
			"Missed 14:00 x2, until 14:30:00, next 15:00, True Scheduled"},
		{"edited, and the API server did not say when", func() *v1alpha1.TaskSchedule {
			j := edited(settled("0 0 * * *", "00:00"), day("12:30"), scheduled("0 * * * *"))
			j.ManagedFields = nil
			return j
		}(), Facts{App: &yes, Made: none}, day("13:30:01"), "until 13:30:01, next 14:00, True Scheduled"},

		{"resumed by removing suspend: it owes nothing",
			removed(seen(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("12:30:01")), suspend(false), "suspend"),
			Facts{App: &yes, Made: none}, day("15:30:01"), "Suspended 15:00 x3, until 15:30:01, next 16:00, True Scheduled"},
		{"the same, after its labels were edited by who had suspended it",
			removed(relabelled(seen(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("12:30:01")), day("14:10")),
				suspend(false), "suspend"),
			Facts{App: &yes, Made: none}, day("15:30:01"), "Suspended 15:00 x3, until 15:30:01, next 16:00, True Scheduled"},
		{"the same, of a status that is older than this record", func() *v1alpha1.TaskSchedule {
			j := seen(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("12:30:01"))
			j.Status.SpecChangedAt = nil
			return removed(j, suspend(false), "suspend")
		}(), Facts{App: &yes, Made: none}, day("15:30:01"), "Suspended 15:00 x3, until 15:30:01, next 16:00, True Scheduled"},
		{"created suspended, resumed by removing suspend",
			removed(settled("0 * * * *", "12:00", suspend(true)), suspend(false)),
			Facts{App: &yes, Made: none}, day("15:30:01"), "Suspended 15:00 x3, until 15:30:01, next 16:00, True Scheduled"},
		{"resumed and rescheduled, by Kf's CLI: the API server has the time of that",
			edited(seen(edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), day("12:30:01")), day("15:59:50"),
				func(j *v1alpha1.TaskSchedule) { j.Spec.Suspend, j.Spec.Schedule = false, "*/30 * * * *" }),
			Facts{App: &yes, Made: none}, day("16:00:01"),
			"create " + name("16:00") + ", Ran 16:00, until 16:00:00, next 16:30, True Scheduled"},
		{"its zone is removed: it owes nothing in the other one",
			removed(seen(edited(settled("0 14 * * *", "2026-03-01 13:00", zone("Europe/Berlin")), day("13:30"),
				func(j *v1alpha1.TaskSchedule) { j.Spec.TaskTemplate.Command = "x" }), day("13:30:01")), zone("")),
			Facts{App: &yes, Made: none}, day("14:30:01"), "until 14:30:01, next 14:00, True Scheduled"},
		{"some of its schedules are removed",
			removed(settled("0 * * * *", "12:00", more("0 0 * * *")), more()),
			Facts{App: &yes, Made: none}, day("13:30:01"), "until 13:30:01, next 14:00, True Scheduled"},

		{"Kf's: it ran last a week ago",
			ofKf(fresh("0 * * * *", "2026-01-01 00:00:30"), v1alpha1.TaskScheduleStatus{LastScheduleTime: &metav1.Time{Time: at("2026-02-23 10:00")}}),
			Facts{App: &yes}, day("12:30:01"), "until 12:30:01, next 13:00, True Scheduled"},
		{"Kf's: it never ran, but Kf has looked at it",
			ofKf(fresh("0 * * * *", "2026-01-01 00:00:30"), v1alpha1.TaskScheduleStatus{ObservedGeneration: 1,
				Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}}),
			Facts{App: &yes}, day("12:30:01"), "until 12:30:01, next 13:00, True Scheduled"},
		{"Kf's: a Task of it runs, and it was edited once",
			edited(ofKf(fresh("0 * * * *", "2026-01-01 00:00:30"),
				v1alpha1.TaskScheduleStatus{Active: []corev1.LocalObjectReference{{Name: "job-1"}}}), day("09:00"), scheduled("30 * * * *")),
			Facts{App: &yes, Running: []v1alpha1.Task{task("job-1")}}, day("12:30:01"), "until 12:30:01, next 13:30, True Scheduled"},

		{"restored, with the status of a week ago: it owes nothing",
			after(settled("0 * * * *", "2026-02-23 10:00"), createdAt("12:30:00")),
			Facts{App: &yes, Made: none}, day("12:30:05"), "until 12:30:00, next 13:00, True Scheduled"},
		{"the same, first seen after an instant",
			after(settled("0 * * * *", "2026-02-23 10:00"), createdAt("12:30:00")),
			Facts{App: &yes, Made: none}, day("13:00:05"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"the clock was hours ahead, and is right again: it is said", settled("0 * * * *", "18:00"), Facts{App: &yes}, day("12:30"),
			"until 18:00:00, next 19:00, False WatermarkInFuture"},
		{"is its App there?", settled("0 * * * *", "18:00"), Facts{}, day("12:30"), "need app"},
		{"said before", astray("18:00", "12:30"), Facts{}, day("13:30"), "until 18:00:00, next 19:00, False WatermarkInFuture"},
		{"and over", astray("18:00", "12:30"), Facts{App: &yes}, day("18:00:01"), "until 18:00:00, next 19:00, True Scheduled"},
		{"and over, a run later", astray("18:00", "12:30"), Facts{App: &yes}, day("19:00:01"),
			"create " + name("19:00") + ", Ran 19:00, until 19:00:00, next 20:00, True Scheduled"},
		{"suspended: it begins anew", edited(astray("18:00", "12:30"), day("12:40"), suspend(true)), Facts{App: &yes, Made: none}, day("12:40:01"),
			"until 12:40:00, next never, True Suspended"},
		{"rescheduled: it begins anew", edited(astray("18:00", "12:30"), day("12:40"), scheduled("*/5 * * * *")),
			Facts{App: &yes, Made: made("13:00")}, day("12:40:01"), "until 12:40:00, next 12:45, True Scheduled"},
		{"suspended while its watermark is in the future", settled("0 * * * *", "18:00", suspend(true)), Facts{}, day("12:30"),
			"until 18:00:00, next never, True Suspended"},

		{"Forbid: does a Task run?",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Facts{}, day("13:00"), "need running"},
		{"Forbid, none runs",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)), Facts{App: &yes, Running: []v1alpha1.Task{}}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Forbid, one runs",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)),
			Facts{App: &yes, Made: none, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"Skipped 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Forbid, and the one that runs is this very instant's",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)),
			Facts{App: &yes, Running: []v1alpha1.Task{task(name("13:00"))}}, day("13:00"),
			"Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Forbid, after this instant's Task has come and gone",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid)),
			Facts{App: &yes, Made: made("13:00"), Running: []v1alpha1.Task{task("job-by-hand")}}, day("13:00"),
			"Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)),
			Facts{App: &yes, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"terminate job-1, create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace, killed after the creation",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)),
			Facts{App: &yes, Running: []v1alpha1.Task{task("job-1"), task(name("13:00"))}}, day("13:00"),
			"terminate job-1, Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Replace, what runs has been terminated",
			settled("0 * * * *", "12:00", policy(v1alpha1.ConcurrencyReplace)),
			Facts{App: &yes, Running: []v1alpha1.Task{func() v1alpha1.Task {
				t := task("job-1")
				t.Spec.Terminated = true
				return t
			}()}}, day("13:00"), "create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"Always, one runs",
			settled("0 * * * *", "12:00", active("job-1")), Facts{App: &yes, Running: []v1alpha1.Task{task("job-1")}}, day("13:00"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a Task is active: has it ended?", settled("0 * * * *", "12:00", active("job-1")), Facts{}, day("12:10"), "need running"},

		{"within the deadline", settled("0 * * * *", "12:00", deadline(600)), Facts{App: &yes}, day("13:10"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"after the deadline", settled("0 * * * *", "12:00", deadline(600)), Facts{App: &yes, Made: none}, day("13:10:01"),
			"Missed 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"after the deadline, but it had run",
			settled("0 * * * *", "12:00", deadline(600)), Facts{App: &yes, Made: made("13:00")}, day("13:10:01"),
			"Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a deadline shorter than a tick can be late", settled("0 * * * *", "12:00", deadline(0)), Facts{App: &yes}, day("13:00:09"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"a deadline of centuries", settled("0 * * * *", "12:00", deadline(1<<40)), Facts{App: &yes}, day("13:00:30"),
			"create " + name("13:00") + ", Ran 13:00, until 13:00:00, next 14:00, True Scheduled"},

		{"the App is gone", settled("0 * * * *", "12:00"), Facts{App: &no, Made: none}, day("13:00"),
			"Refused 13:00, until 13:00:00, next 14:00, False AppNotFound"},
		{"the App is gone, nothing is due", func() *v1alpha1.TaskSchedule {
			j := settled("0 * * * *", "12:00")
			meta.SetStatusCondition(&j.Status.Conditions, metav1.Condition{Type: "Ready", Status: "False", Reason: v1alpha1.ReasonAppNotFound})
			return j
		}(), Facts{App: &yes}, day("12:10"), "until 12:00:00, next 13:00, True Scheduled"},
		{"the API server refuses the Task", settled("0 * * * *", "12:00"), Facts{App: &yes, Made: none, Refused: "bad"}, day("13:00"),
			"Refused 13:00, until 13:00:00, next 14:00, False TaskRefused"},
		{"a quota is used up: it waits", settled("0 * * * *", "12:00"), Facts{App: &yes, Blocked: "quota"}, day("13:00"),
			"until 12:00:00, next 13:00, False TaskNotCreated"},
		{"after an outage a quota is used up: nothing is recorded yet",
			settled("*/10 * * * *", "12:00"), Facts{App: &yes, Made: none, Blocked: "quota"}, day("12:45"),
			"until 12:00:00, next 12:10, False TaskNotCreated"},
		{"it had run, and now its App is gone", settled("0 * * * *", "12:00"), Facts{App: &no, Made: made("13:00")}, day("13:00:30"),
			"Ran 13:00, until 13:00:00, next 14:00, False AppNotFound"},
		{"that the App is gone is said before that the deadline has passed",
			settled("0 * * * *", "12:00", deadline(60)), Facts{App: &no, Made: none}, day("13:10"),
			"Refused 13:00, until 13:00:00, next 14:00, False AppNotFound"},
		{"that the deadline has passed is said before that another Task runs",
			settled("0 * * * *", "12:00", deadline(60), policy(v1alpha1.ConcurrencyForbid)),
			Facts{App: &yes, Made: none, Running: []v1alpha1.Task{task("job-1")}}, day("13:10"), "Missed 13:00, until 13:00:00, next 14:00, True Scheduled"},
		{"a suspended Job whose App is gone",
			edited(settled("0 * * * *", "12:00"), day("12:30"), suspend(true)), Facts{App: &no, Made: none}, day("12:30:01"),
			"until 12:30:00, next never, False AppNotFound"},
		{"a bad zone and a bad schedule", fresh("0 25 * * *", "2026-03-02 12:30:10", zone("Mars/Base")), Facts{}, day("13:00"),
			"until 12:30:10, next never, False InvalidTimeZone"},
		{"suspended, and it has no schedule", fresh("", "2026-03-02 12:30:10", suspend(true)), Facts{App: &yes}, day("13:00"),
			"until 12:30:10, next never, True Suspended"},
		{"a bad schedule",
			fresh("0 25 * * *", "2026-03-02 12:30:10"), Facts{}, day("13:00"), "until 12:30:10, next never, False InvalidSchedule"},
		{"a schedule that never fires",
			fresh("0 0 31 2 *", "2026-03-02 12:30:10"), Facts{}, day("13:00"), "until 12:30:10, next never, False InvalidSchedule"},
		{"one bad schedule of two",
			settled("0 * * * *", "12:00", more("nonsense")), Facts{}, day("13:00"), "until 12:00:00, next never, False InvalidSchedule"},
		{"a bad zone",
			settled("0 * * * *", "12:00", zone("Mars/Base")), Facts{}, day("13:00"), "until 12:00:00, next never, False InvalidTimeZone"},
		{"a mended schedule owes nothing",
			edited(settled("0 25 * * *", "08:00"), day("12:30"), scheduled("0 * * * *")), Facts{App: &yes, Made: none}, day("12:30:01"),
			"until 12:30:00, next 13:00, True Scheduled"},
		{"being deleted", func() *v1alpha1.TaskSchedule {
			j := settled("0 * * * *", "12:00")
			j.DeletionTimestamp = &metav1.Time{Time: day("12:30")}
			return j
		}(), Facts{}, day("13:00"), "until 12:00:00, next 13:00, True Scheduled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := tt.job.DeepCopy()
			if got := decided(tt.job, tt.facts, tt.now); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if !equality.Semantic.DeepEqual(before, tt.job) {
				t.Error("the Job was changed")
			}
		})
	}
}

// An event may show a Job as it was long ago: it brings the status up to date, and runs nothing.
func TestSync(t *testing.T) {
	yes := true
	for _, tt := range []struct {
		name  string
		job   *v1alpha1.TaskSchedule
		facts Facts
		now   time.Time
		want  string
	}{
		{"new: is its App there?", fresh("0 * * * *", "2026-03-02 12:59:59"), Facts{}, day("13:00:01"), "need app"},
		{"new, after an instant", fresh("0 * * * *", "2026-03-02 12:59:59"), Facts{App: &yes}, day("13:00:01"),
			"until 12:59:59, next 13:00, True Scheduled"},
		{"due for long", settled("0 * * * *", "12:00"), Facts{}, day("18:00"), "until 12:00:00, next 13:00, True Scheduled"},
		{"of our own write, with active Tasks", settled("0 * * * *", "12:00", active("job-1")), Facts{}, day("12:10"),
			"until 12:00:00, next 13:00, True Scheduled"},
		{"resumed: what was made meanwhile?",
			edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)), Facts{}, day("15:30:01"), "need made"},
		{"resumed",
			edited(settled("0 * * * *", "12:00", suspend(true)), day("15:30"), suspend(false)),
			Facts{App: &yes, Made: Instants{}}, day("16:00:01"),
			"Suspended 15:00 x3, until 15:30:00, next 16:00, True Scheduled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, need := Sync(tt.job, tt.facts, tt.now)
			if got := said(tt.job, p, need); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if p.Create != nil || p.Terminate != nil {
				t.Error("it runs something")
			}
		})
	}
}

// A Job that is at rest is neither read about nor written, and what its plan costs does not grow with its history.
func TestMostJobsAreAtRest(t *testing.T) {
	for name, j := range map[string]*v1alpha1.TaskSchedule{
		"scheduled": settled("0 * * * *", "12:00"),
		"suspended": settled("0 * * * *", "12:00", suspend(true)),
		"jitter":    settled("0 * * * *", "12:00", jitter(300)),
		"broken":    settled("0 25 * * *", "12:00"),
	} {
		if p, need := Decide(j, Facts{}, day("12:30")); !p.Empty() || need != NeedNothing {
			t.Errorf("%s: %s", name, said(j, p, need))
		}
		j.Labels = nil
		if p, need := Decide(j, Facts{}, day("12:30")); p.Labels == nil || p.Status != nil || need != NeedNothing {
			t.Errorf("%s, without Kf's labels: %+v", name, p)
		}
	}
	short, long := settled("0 * * * *", "12:00"), settled("0 * * * *", "12:00")
	long.Status.History = make([]v1alpha1.Decision, maxHistory)
	allocations := func(j *v1alpha1.TaskSchedule) float64 {
		return testing.AllocsPerRun(20, func() { Decide(j, Facts{}, day("12:30")) })
	}
	if a, b := allocations(short), allocations(long); b > a+3 { // what else the process does is counted too
		t.Errorf("%v allocations without a history, %v with one", a, b)
	}
}

// The name of the rule is the Reason that the user sees.
func TestRulesAreNamedAfterTheirReasons(t *testing.T) {
	for _, r := range readiness[:len(readiness)-1] { // the last is what is left
		full := runtime.FuncForPC(reflect.ValueOf(r.rule).Pointer()).Name()
		if name := full[strings.LastIndex(full, ".")+1:]; !strings.EqualFold(name, r.reason) {
			t.Errorf("the rule %s gives the reason %s", name, r.reason)
		}
	}
}

// What is active, what has ended since, and what became of it.
func TestActiveTasksAreFollowed(t *testing.T) {
	yes := true
	j := settled("0 * * * *", "12:00", active("job-1", "job-2"))
	j.Status.History = []v1alpha1.Decision{{Outcome: v1alpha1.OutcomeRan, Task: "job-2"}, {Outcome: v1alpha1.OutcomeRan, Task: "job-1"}}
	p, _ := Decide(j, Facts{App: &yes, Running: []v1alpha1.Task{task("job-2"), task("job-by-hand")}}, day("13:00"))
	if got, want := fmt.Sprint(p.Ended, p.Status.Active), fmt.Sprintf("[job-1] [{job-2} {job-by-hand} {%s}]", name("13:00")); got != want {
		t.Errorf("ended and active %s, want %s", got, want)
	}
	if h := withResults(p.Status.History, []*v1alpha1.Task{endedTask("job-1", "Failed", "12:00", "12:01")}); h[2].Result != "Failed" || h[1].Result != "" {
		t.Errorf("history %+v: want job-1 to have failed", h)
	}
	if j.Status.History[1].Result != "" {
		t.Error("the Job was changed")
	}
}

// The list of active Tasks is bounded; a Task that is left out of it still runs.
func TestActiveTasksAreTheNewest(t *testing.T) {
	var running []v1alpha1.Task
	for i := range maxActive + 20 {
		running = append(running, task(fmt.Sprintf("job-%03d", i)))
	}
	j := settled("0 * * * *", "12:00", active("job-000", "gone"))
	p, _ := Decide(j, Facts{Running: running}, day("12:10"))
	if n := len(p.Status.Active); n != maxActive || p.Status.Active[n-1].Name != running[len(running)-1].Name || p.Status.Active[0].Name != "job-020" {
		t.Errorf("active: %v", p.Status.Active)
	}
	if fmt.Sprint(p.Ended) != "[gone]" {
		t.Errorf("ended: %v", p.Ended)
	}
}

// A Job that is decided every minute for hours, with a Task in its way, has one record of it.
func TestHistoryIsFoldedAndBounded(t *testing.T) {
	yes := true
	j := settled("* * * * *", "12:00", policy(v1alpha1.ConcurrencyForbid))
	now := day("12:00:01")
	for i := range 300 {
		now = now.Add(time.Minute)
		facts := Facts{App: &yes, Running: []v1alpha1.Task{}, Made: Instants{}}
		if i >= 60 && i < 240 {
			facts.Running = []v1alpha1.Task{task("job-1")}
		}
		p, _ := Decide(j, facts, now)
		j.Status = *p.Status
		if len(p.Records) != 1 || p.Records[0].Count > 1 {
			t.Fatalf("records of one minute: %+v", p.Records)
		}
	}
	h := j.Status.History
	if len(h) != maxHistory {
		t.Fatalf("%d records, want %d", len(h), maxHistory)
	}
	j.Status.History = nil
	skipped := func(clocks ...string) (all []v1alpha1.Decision) {
		for _, c := range clocks {
			all = append(all, decision(j, day(c), v1alpha1.OutcomeSkipped, "it ran"))
		}
		return all
	}
	s := record(j.Status, timetableOf(j), skipped("12:01", "12:02", "12:03"))
	s.DecidedUntil = &metav1.Time{Time: day("12:03:30")} // the Job was edited
	s = record(s, timetableOf(j), skipped("12:04"))
	if h := s.History; len(h) != 2 || h[0].Count != 0 || h[1].Count != 3 {
		t.Errorf("history %+v: want one record of three and, after the edit, one of one", h)
	}
}

func TestJitterIsStableAndSpreads(t *testing.T) {
	yes := true
	seen := map[time.Duration]bool{}
	for i := range 200 {
		j := settled("0 * * * *", "12:00", jitter(50))
		j.UID = types.UID(fmt.Sprint("uid", i))
		j.Status.JobUID = j.UID
		jitter := Jitter(j)
		if jitter < 0 || jitter >= 50*time.Second || jitter != Jitter(j) {
			t.Fatalf("jitter %s", jitter)
		}
		seen[jitter] = true
		before, _ := Decide(j, Facts{App: &yes}, day("13:00").Add(jitter-time.Millisecond))
		if jitter > 0 && (before.Create != nil || !before.Start.Equal(day("13:00").Add(jitter))) {
			t.Fatalf("a moment before its start: %s, start %s", said(j, before, NeedNothing), before.Start)
		}
		if p, need := Decide(j, Facts{App: &yes}, day("13:00").Add(jitter)); p.Create == nil || p.Create.Name != name("13:00") {
			t.Fatalf("at its start: %s", said(j, p, need))
		}
	}
	j := settled("0 * * * *", "12:00", jitter(50))
	if p, _ := Decide(j, Facts{App: &yes, Blocked: "quota"}, day("13:00").Add(Jitter(j))); !p.Start.IsZero() {
		t.Errorf("what can't be created now starts again at %s, within this tick", p.Start)
	}
	if len(seen) < 40 {
		t.Errorf("200 Jobs start at %d different seconds", len(seen))
	}
}

// A tick that comes before its minute runs what is due then; the one that comes late, what was due.
func TestATickThatIsEarlyLooksAhead(t *testing.T) {
	yes := true
	for _, tt := range []struct{ now, create, start string }{
		{"12:58:59", "", ""},
		{"12:59:49.9", "", ""}, // ten seconds and more are another minute's
		{"12:59:55", "", "13:00"},
		{"12:59:59.300", "", "13:00"},
		{"12:59:59.950", "", "13:00"},
		{"13:00", "13:00", ""},
		{"13:00:00.700", "13:00", ""},
		{"13:00:49.9", "13:00", ""},
		{"13:00:55", "13:00", "13:01"}, // the next one's too
	} {
		j := settled("0-1 13 * * *", "12:00")
		p, need := Decide(j, Facts{App: &yes}, day(tt.now))
		if (p.Create != nil) != (tt.create != "") || p.Create != nil && p.Create.Name != name(tt.create) || p.Start.IsZero() != (tt.start == "") ||
			tt.start != "" && !p.Start.Equal(day(tt.start)) {
			t.Errorf("at %s: %s, then %s; want %q, then %q", tt.now, said(j, p, need), p.Start, tt.create, tt.start)
		}
	}
}

func TestTaskOfAJob(t *testing.T) {
	yes := true
	j := settled("0 * * * *", "12:00")
	j.Labels["team"] = "billing"
	j.Labels[v1alpha1.VersionLabel] = "1.4" // of the Job: on a Task it would say that it was run
	plan, _ := Decide(j, Facts{App: &yes}, day("13:00"))
	got := plan.Create
	want := v1alpha1.TaskLabels("app")
	want["team"], want[v1alpha1.TaskScheduleLabel] = "billing", "job"
	if !equality.Semantic.DeepEqual(got.Labels, want) {
		t.Errorf("labels %v, want %v", got.Labels, want)
	}
	if !metav1.IsControlledBy(got, j) {
		t.Error("the Job does not own its Task")
	}
}

// What a tick does for each of ten thousand Jobs that are not due.
func BenchmarkDecideNothing(b *testing.B) {
	j := settled("0 * * * *", "12:00", zone("Europe/Berlin"))
	for i := range maxHistory {
		j.Status.History = append(j.Status.History, v1alpha1.Decision{Instant: metav1.NewTime(day("12:00").Add(-time.Duration(i) * time.Hour)), Outcome: v1alpha1.OutcomeRan, Task: "job-1", Result: "Succeeded"})
	}
	for b.Loop() {
		if p, need := Decide(j, Facts{}, day("12:30")); !p.Empty() || need != NeedNothing {
			b.Fatal(said(j, p, need))
		}
	}
}
