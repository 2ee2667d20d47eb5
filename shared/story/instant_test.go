package story

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// aJob is one that was made at nine, and decided until half past twelve.
func aJob(schedule string, edits ...func(*v1alpha1.TaskSchedule)) *v1alpha1.TaskSchedule {
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: "space", UID: "job", CreationTimestamp: stampOf("09:00:30")}}
	j.Spec.Schedule, j.Spec.TaskTemplate.AppRef.Name = schedule, "shop"
	j.Status.DecidedUntil = when("12:30:00")
	for _, edit := range edits {
		edit(j)
	}
	return j
}

// decided adds a record, older than those before it.
func decided(clock string, outcome v1alpha1.Outcome, task, message string, count int64) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		j.Status.History = append(j.Status.History, v1alpha1.Decision{Instant: stampOf(clock), Outcome: outcome, Task: task, Message: message, Count: count})
	}
}

func suspended(j *v1alpha1.TaskSchedule) { j.Spec.Suspend = true }

func until(clock string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) { j.Status.DecidedUntil = when(clock) }
}

func notReady(reason, message string) func(*v1alpha1.TaskSchedule) {
	return func(j *v1alpha1.TaskSchedule) {
		j.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: reason, Message: message}}
	}
}

func TestOfInstant(t *testing.T) {
	const made, half = "09:00:30 Job nightly was made\n", "*/30 * * * *"
	ran := task(ofJob("nightly-1772451000"), madeBy("kf-tasks"), func(t *v1alpha1.Task) { t.CreationTimestamp = stampOf("11:30:01") }, is("True", "Succeeded", "", "11:31:00"))
	ranFacts := facts(ran)
	for name, test := range map[string]struct {
		facts   JobFacts
		instant string // "" for none
		want    string
	}{
		"it ran": {JobFacts{Job: aJob(half, decided("11:30:00", "Ran", "nightly-1772451000", "", 0)), Task: &ranFacts}, "11:30:00",
			"Succeeded\n" + made + "11:30:00 Ran: as Task nightly-1772451000\n11:30:01 made for the instant 2026-03-02T11:30:00Z of Job nightly\n" +
				"11:31:00 it ended: Succeeded\n"},
		"it ran, and its Task was pruned": {JobFacts{Job: aJob(half, func(j *v1alpha1.TaskSchedule) {
			j.Status.History = []v1alpha1.Decision{{Instant: stampOf("11:30:00"), Outcome: "Ran", Task: "nightly-1772451000", Result: "OutOfMemory"}}
		})}, "11:30:00",
			"Ran\n" + made + "11:30:00 Ran: as Task nightly-1772451000, which is gone: it was pruned, or somebody deleted it; it ended: OutOfMemory\n"},
		"it ran late": {JobFacts{Job: aJob(half, decided("11:30:00", "Ran", "nightly-1772451000", "shifted by blackout night of App shop: closed", 0))}, "11:30:00",
			"Ran\n" + made + "11:30:00 Ran: as Task nightly-1772451000, which is gone: it was pruned, or somebody deleted it; shifted by blackout night of App shop: closed\n"},
		"it was paused": {JobFacts{Job: aJob(half, decided("11:30:00", "Paused", "", "App shop is paused until 2026-03-02T13:00:00Z: the database moves", 0))}, "11:30:00",
			"Paused\n" + made + "11:30:00 Paused: App shop is paused until 2026-03-02T13:00:00Z: the database moves\n" +
				"! kf run-job nightly runs it now; kf resume-job --app shop lifts the pause; kf backfill nightly --from 2026-03-02T11:30:00Z --to 2026-03-02T11:30:00Z runs this instant\n"},
		"it was blacked out, with others": {JobFacts{Job: aJob(half, decided("11:30:00", "BlackedOut", "", "blackout night of Space prod", 2))}, "11:00:00",
			"BlackedOut\n" + made + "11:00:00 BlackedOut: blackout night of Space prod (one of 2 instants up to 2026-03-02T11:30:00Z that are one record)\n" +
				"! kf run-job nightly runs it now; kf backfill nightly --from 2026-03-02T11:00:00Z --to 2026-03-02T11:00:00Z runs this instant\n"},
		"it is held back": {JobFacts{Job: aJob(half, func(j *v1alpha1.TaskSchedule) {
			j.Status.Owed = []v1alpha1.Owed{{After: stampOf("10:30:00"), Until: stampOf("12:00:00"), Message: "shifted by blackout night of App shop"}}
		}), Holds: job.HoldsOf(&v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Spec: v1alpha1.AppSpec{Pause: &v1alpha1.Pause{Note: "moving"}}}, nil)}, "11:30:00",
			"Held back\n" + made + "11:30:00 Held back: shifted by blackout night of App shop; it is still to run. Now, a run does not run: App shop is paused: moving\n" +
				"! kf run-job nightly runs it now, and once more when it is its turn\n"},
		"its Task is there, and no record is": {JobFacts{Job: aJob(half), Task: &ranFacts}, "11:30:00",
			"Succeeded\n" + made + "11:30:00 Ran: its Task is there; the Job's history has no record of it, or none any more\n" +
				"11:30:01 made for the instant 2026-03-02T11:30:00Z of Job nightly\n11:31:00 it ended: Succeeded\n"},
		"skipped by Forbid": {JobFacts{Job: aJob(half, decided("12:00:00", "Skipped", "nightly-1772451000", "it still ran, and concurrencyPolicy is Forbid", 0)), Other: ran}, "12:00:00",
			"Skipped\n" + made + "11:30:01 Task nightly-1772451000 was made, which was in the way\n11:31:00 Task nightly-1772451000 ended: Succeeded\n" +
				"12:00:00 Skipped: Task nightly-1772451000: it still ran, and concurrencyPolicy is Forbid\n" +
				"! kf run-job nightly runs it now; so that it does not skip: concurrencyPolicy Always or Replace, or a timeout for its Tasks\n"},
		"skipped, one of several, for a Task that is gone": {JobFacts{Job: aJob(half, decided("12:00:00", "Skipped", "x", "it still ran", 3), decided("10:30:00", "Ran", "x", "", 0))}, "11:30:00",
			"Skipped\n" + made + "11:30:00 Skipped: Task x: it still ran; it is gone since (one of 3 instants up to 2026-03-02T12:00:00Z that are one record)\n" +
				"! kf run-job nightly runs it now; so that it does not skip: concurrencyPolicy Always or Replace, or a timeout for its Tasks\n"},
		"missed in an outage": {JobFacts{Job: aJob(half, decided("12:00:00", "Missed", "", "a later instant was due when the system recovered", 2))}, "11:30:00",
			"Missed\n" + made + "11:30:00 Missed: a later instant was due when the system recovered (one of 2 instants up to 2026-03-02T12:00:00Z that are one record)\n" +
				"! kf run-job nightly runs it now\n"},
		"before those that one record stands for": {JobFacts{Job: aJob(half, decided("12:00:00", "Missed", "", "later", 2))}, "11:00:00",
			"Not on record\n" + made + "11:00:00 Not on record: the oldest record that is kept is of 2026-03-02T12:00:00Z: either its record is older, " +
				"or the Job was made, resumed or rescheduled after it and owed nothing for the time before\n"},
		"its deadline": {JobFacts{Job: aJob(half, decided("12:00:00", "Missed", "", "startingDeadlineSeconds, 60, had passed", 0))}, "12:00:00",
			"Missed\n" + made + "12:00:00 Missed: startingDeadlineSeconds, 60, had passed\n" +
				"! kf run-job nightly runs it now; a larger startingDeadlineSeconds lets it start later after an outage\n"},
		"refused": {JobFacts{Job: aJob(half, decided("12:00:00", "Refused", "", "there is no App \"shop\"", 0), notReady("AppNotFound", "there is no App"))}, "12:00:00",
			"Refused\n" + made + "12:00:00 Refused: there is no App \"shop\"\nnow the Job can't run as it stands: AppNotFound: there is no App\n" +
				"! mend what the message names, then: kf run-job nightly runs it now\n"},
		"suspended, on record": {JobFacts{Job: aJob(half, decided("12:00:00", "Suspended", "", "the Job was suspended", 0))}, "12:00:00",
			"Suspended\n" + made + "12:00:00 Suspended: the Job was suspended\n! kf run-job nightly runs it now, suspended or not\n"},
		"suspended still": {JobFacts{Job: aJob(half, suspended, until("11:00:00"))}, "12:00:00",
			"Suspended\n" + made + "12:00:00 Suspended: the Job is suspended; its history says so of what was due when it is resumed\n" +
				"! kf schedule-job nightly resumes it, kf run-job nightly runs it now\n"},
		"before the Job": {JobFacts{Job: aJob(half)}, "09:00:00",
			"Not owed\n09:00:00 Not owed: the Job was made at 2026-03-02T09:00:30Z, and owes nothing for the time before\n" + made},
		"rescheduled after it": {JobFacts{Job: aJob(half)}, "11:00:00",
			"Not owed\n" + made + "11:00:00 Not owed: the Job was made, resumed or rescheduled after it and owed nothing for the time before; " +
				"all up to 2026-03-02T12:30:00Z is decided\n"},
		"not on schedule, which was changed": {JobFacts{Job: aJob(half, func(j *v1alpha1.TaskSchedule) { j.Status.SpecChangedAt = when("12:10:00") })}, "11:07:00",
			"Not on schedule\n" + made + "11:07:00 Not on schedule: the schedule, as it is now, does not name it: */30 * * * * in UTC; the next after it is 2026-03-02T11:30:00Z; " +
				"it was changed since, and what it said then is not on record\n12:10:00 its spec was changed, the last time that is on record\n"},
		"to come": {JobFacts{Job: aJob(half, func(j *v1alpha1.TaskSchedule) { j.Status.NextScheduleTime = when("13:30:00") })}, "13:30:00",
			"To come\n" + made + "13:30:00 To come: it is not due yet\n"},
		"to come, and suspended": {JobFacts{Job: aJob(half, suspended)}, "13:30:00",
			"To come\n" + made + "13:30:00 To come: the Job is suspended, and will not run then unless it is resumed before\n! kf schedule-job nightly resumes it\n"},
		"due just now": {JobFacts{Job: aJob(half)}, "13:00:00",
			"Not decided yet\n" + made + "13:00:00 Not decided yet: it is due, and the tick that decides it comes within a minute\n"},
		"nobody decides": {JobFacts{Job: aJob(half, until("11:30:00"))}, "12:00:00",
			"Not decided yet\n" + made + "12:00:00 Not decided yet: it is due since 1h0m0s, and the function tick has not decided it\n" +
				"! kf doctor says which part does not run; when it does, it is run, or recorded as missed\n"},
		"a quota": {JobFacts{Job: aJob(half, until("11:30:00"), notReady("TaskNotCreated", "exceeded quota"))}, "12:00:00",
			"Not decided yet\n" + made + "12:00:00 Not decided yet: it is due since 1h0m0s, and the function tick has not decided it\n" +
				"now the Job can't run as it stands: TaskNotCreated: exceeded quota\n" +
				"! mend what the Job's condition says; it is tried again each minute, until a later instant takes its place\n"},
		"it is overdue": {JobFacts{Job: aJob(half, decided("12:00:00", "Missed", "", "late", 0), func(j *v1alpha1.TaskSchedule) {
			j.Status.Watch = &v1alpha1.Watch{Notices: []v1alpha1.Notice{{At: stampOf("12:10:00"), What: v1alpha1.NoticeOverdue, Message: "no Task of it"}}}
			j.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionOverdue, Status: metav1.ConditionTrue, Message: "no Task of it"}}
		})}, "12:00:00", "Missed\n" + made + "12:00:00 Missed: late\n12:10:00 Overdue: no Task of it\nnow the Job is overdue: no Task of it\n! kf run-job nightly runs it now\n"},
		"no schedule": {JobFacts{Job: aJob("")}, "",
			"Not scheduled\n" + made + "now Not scheduled: it has no schedule, and no instant is on record\n! kf schedule-job nightly gives it a schedule, kf run-job nightly runs it once\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := test.facts
			f.Now, f.Unread = at(now), Unread{}
			if test.instant != "" {
				f.Instant = at(test.instant)
			}
			if got := rows(OfInstant(f)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	for name, test := range map[string]struct {
		job  *v1alpha1.TaskSchedule
		want time.Time
	}{
		"the latest that was decided":          {aJob("0 14 * * *", decided("12:30:00", "Missed", "", "", 0)), at("12:30:00")},
		"what is due and not decided":          {aJob("*/30 * * * *", decided("12:30:00", "Missed", "", "", 0)), at("13:00:00")},
		"the next, where nothing is on record": {aJob("0 14 * * *"), at("14:00:00")},
		"suspended, with a history":            {aJob("*/30 * * * *", suspended, decided("11:30:00", "Ran", "x", "", 0)), at("11:30:00")},
		"no schedule":                          {aJob(""), time.Time{}},
	} {
		if got := Subject(test.job, at(now)); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
