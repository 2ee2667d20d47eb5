package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// kf runs a command in the Job's Space, and fails the test if it does not end with this code.
func (j *jobs) kf(code int, args ...string) string {
	j.Helper()
	out, said, got := j.Cluster.RunKf(j, j.ns, args...)
	if got != code {
		j.Fatalf("kf %s: exit %d\n%s%s", strings.Join(args, " "), got, out, said)
	}
	return out + said
}

// behind makes a Job that is due each minute and has not been decided for some.
func (j *jobs) behind(name string, minutes int, edits ...func(*v1alpha1.TaskSchedule)) {
	j.Helper()
	j.tick.Deliver(harness.Added("TaskSchedule", j.create(name, "* * * * *", edits...)))
	_, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job(name), func(s *v1alpha1.TaskSchedule) {
		s.Status.DecidedUntil = &metav1.Time{Time: minute(minutes)}
	})
	if err != nil {
		j.Fatal(err)
	}
}

// decidedAs is the record of the only instant of a Job, of which no Task was made.
func (j *jobs) decidedAs(name string, outcome v1alpha1.Outcome, message string) {
	j.Helper()
	h := j.job(name).Status.History
	if len(h) != 1 || h[0].Outcome != outcome || !strings.Contains(h[0].Message, message) || len(j.tasks(name)) > 0 {
		j.Errorf("Job %s: history %+v, %d Tasks; want %s: %s", name, h, len(j.tasks(name)), outcome, message)
	}
}

func (j *jobs) blackouts(all ...v1alpha1.Blackout) {
	j.Helper()
	app, err := j.Kf.Apps(j.ns).Get(ctx, "shop", metav1.GetOptions{})
	if err == nil {
		app.Spec.Blackouts = all
		_, err = j.Kf.Apps(j.ns).Update(ctx, app, metav1.UpdateOptions{})
	}
	if err != nil {
		j.Fatal(err)
	}
}

func TestPausesOfJobAppAndSpaceHoldInstantsBack(t *testing.T) {
	j := newJobs(t)
	newSpace(t, j.Cluster, j.ns)
	j.kf(0, "pause-job", "--all", "--note", "month \x1b[2Jend")
	j.due("a", minute(1))
	j.ping()
	j.decidedAs("a", v1alpha1.OutcomePaused, "Space "+j.ns+" is paused: month")
	if told := j.kf(0, "why", "a") + j.kf(0, "job-history", "a"); strings.Contains(told, "\x1b") || !strings.Contains(told, "kf resume-job --all") {
		t.Errorf("%q", told)
	}
	j.kf(0, "resume-job", "--all")

	j.kf(0, "pause-job", "--app", "shop", "--until", "+8h")
	j.due("b", minute(1))
	j.ping()
	j.decidedAs("b", v1alpha1.OutcomePaused, "App shop is paused until ")
	j.kf(0, "resume-job", "--app", "shop")

	job := j.create("c", daily(minute(-120)), func(s *v1alpha1.TaskSchedule) { s.Labels = map[string]string{"team": "billing"} })
	j.tick.Deliver(harness.Added("TaskSchedule", job))
	if said := j.kf(2, "pause-job", "c", "--until", "2020-01-01T00:00"); !strings.Contains(said, "is over") {
		t.Errorf("%s", said)
	}
	j.kf(2, "pause-job", "c", "--all")
	if said := j.kf(0, "pause-job", "--selector", "team=billing", "--note", "the database moves"); !strings.Contains(said, "Job c is paused") {
		t.Errorf("%s", said)
	}
	j.tick.Deliver(harness.Updated("TaskSchedule", j.job("c")))
	if got := j.ready("c"); !strings.Contains(got, "Paused") || j.job("c").Status.NextScheduleTime != nil {
		t.Errorf("%s, next %v", got, j.job("c").Status.NextScheduleTime)
	}
	if said := j.kf(0, "schedule-job", "c", daily(minute(-60)), "--dry-run"); !strings.Contains(said, "does not run: Job c is paused: the database moves") {
		t.Errorf("%s", said)
	}
	j.kf(0, "resume-job", "c")
	j.tick.Deliver(harness.Updated("TaskSchedule", j.job("c")))
	if got := j.ready("c"); !strings.Contains(got, "Scheduled") {
		t.Errorf("%s", got)
	}
	if j.kf(0, "resume-job", "c"); len(j.job("c").Status.History) > 0 {
		t.Errorf("history %+v", j.job("c").Status.History)
	}
}

func TestBlackoutsSkipShiftAndRunAfter(t *testing.T) {
	j := newJobs(t)
	window := func(p v1alpha1.BlackoutPolicy) v1alpha1.Blackout {
		return v1alpha1.Blackout{Name: "month-end", Note: "the books are closed", Policy: p,
			From: &metav1.Time{Time: minute(30)}, To: &metav1.Time{Time: minute(-60)}}
	}
	j.blackouts(window(v1alpha1.BlackoutSkip))
	j.due("skip", minute(1))
	j.ping()
	j.decidedAs("skip", v1alpha1.OutcomeBlackedOut, "blackout month-end of App shop: the books are closed")

	j.blackouts(window(v1alpha1.BlackoutShift))
	begun := minute(0)
	ago := func(n int) time.Time { return begun.Add(-time.Duration(n) * time.Minute) }
	j.behind("shift", 4)
	j.ping()
	if s := j.job("shift").Status; len(s.Owed) != 1 || len(s.History)+len(j.tasks("shift")) > 0 {
		t.Fatalf("owed %v, history %v", s.Owed, s.History)
	}
	if told := j.kf(0, "why", "shift", ago(2).Format(time.RFC3339)); !strings.Contains(told, "Held back") {
		t.Errorf("%s", told)
	}
	j.blackouts(window(v1alpha1.BlackoutRunAfter))
	j.behind("after", 4)
	j.ping()
	if s := j.job("after").Status; len(s.Owed) != 1 || len(j.tasks("after")) > 0 {
		t.Fatalf("owed %v, history %v", s.Owed, s.History)
	}
	j.blackouts(v1alpha1.Blackout{Name: "broken", ICalendar: "BEGIN:NOTHING"})
	j.ping()
	if got := j.ready("shift"); !strings.Contains(got, "BlackoutUnreadable") {
		t.Errorf("%s", got)
	}
	j.blackouts()
	harness.Eventually(t, time.Minute, func() error { // one is cut short where a minute ends
		j.ping()
		if a, b := j.job("shift").Status.Owed, j.job("after").Status.Owed; len(a)+len(b) > 0 {
			return fmt.Errorf("still owed: %v, %v", a, b)
		}
		return nil
	})
	for n := 1; n <= 3; n++ {
		name := fmt.Sprintf("shift-%d", ago(n).Unix())
		if _, err := j.Kf.Tasks(j.ns).Get(ctx, name, metav1.GetOptions{}); err != nil {
			t.Errorf("%v", err)
		}
	}
	after := j.job("after").Status
	left, ran := 0, 0
	for _, d := range after.History {
		switch {
		case d.Outcome == v1alpha1.OutcomeBlackedOut:
			left += int(max(d.Count, 1))
		case d.Outcome == v1alpha1.OutcomeRan && strings.Contains(d.Message, "run after blackout month-end"):
			ran++
		}
	}
	if left < 3 || ran != 1 || len(after.Owed) > 0 {
		t.Errorf("%d were left out, %d ran: %+v", left, ran, after.History)
	}
	shifted := func(d v1alpha1.Decision) bool {
		return strings.Contains(d.Message, "shifted by blackout month-end of App shop")
	}
	if h := j.job("shift").Status.History; !slices.ContainsFunc(h, shifted) {
		t.Errorf("history %+v", h)
	}
}

func TestCatchUpAndBackfillRunEachInstantOnce(t *testing.T) {
	j := newJobs(t)
	begun := minute(0) // the machine may be slow: what comes later is of no account
	ago := func(n int) time.Time { return begun.Add(-time.Duration(n) * time.Minute) }
	j.behind("all", 16, func(s *v1alpha1.TaskSchedule) { s.Spec.CatchUp = v1alpha1.CatchUpAll })
	j.ping()
	if n := len(j.tasks("all")); n > 12 {
		t.Errorf("%d Tasks by one tick: they are paced, ten and the one that is due", n)
	}
	harness.Eventually(t, time.Minute, func() error {
		j.ping()
		if owed := j.job("all").Status.Owed; len(owed) > 0 {
			return fmt.Errorf("still owed: %v", owed)
		}
		return nil
	})
	for n := range 15 {
		if _, err := j.Kf.Tasks(j.ns).Get(ctx, j.job("all").TaskName(ago(n)), metav1.GetOptions{}); err != nil {
			t.Errorf("the instant %d minutes ago: %v", n, err)
		}
	}

	from, to := ago(40).Format(time.RFC3339), ago(34).Format(time.RFC3339)
	if said := j.kf(0, "backfill", "all", "--from", from, "--to", to, "--dry-run"); !strings.Contains(said, "7 instants") || !strings.Contains(said, "7 to run") {
		t.Errorf("%s", said)
	}
	j.kf(0, "backfill", "all", "--from", from, "--to", to, "--parallelism", "100")
	if said := j.kf(0, "backfill", "all", "--from", from, "--to", to, "--parallelism", "100"); !strings.Contains(said, "0 to run, 7 have their Task") {
		t.Errorf("%s", said)
	}
	for n := 34; n <= 40; n++ {
		if _, err := j.Kf.Tasks(j.ns).Get(ctx, j.job("all").TaskName(ago(n)), metav1.GetOptions{}); err != nil {
			t.Errorf("the instant %d minutes ago: %v", n, err)
		}
	}
	if said := j.kf(1, "backfill", "all", "--from", minute(100_000).Format(time.RFC3339)); !strings.Contains(said, "at most 1000: narrow it") {
		t.Errorf("%s", said)
	}
}

// What the schema refuses is refused by the API server, with what to do.
func TestPausesBlackoutsAndCatchUpAreRefused(t *testing.T) {
	j := newJobs(t)
	limit := int32(3)
	for want, edit := range map[string]func(*v1alpha1.TaskSchedule){
		"catchUpLimit is of catchUp All": func(s *v1alpha1.TaskSchedule) { s.Spec.CatchUpLimit = &limit },
		"startDate must be before endDate": func(s *v1alpha1.TaskSchedule) {
			s.Spec.StartDate, s.Spec.EndDate = &metav1.Time{Time: minute(0)}, &metav1.Time{Time: minute(1)}
		},
		"Too long": func(s *v1alpha1.TaskSchedule) { s.Spec.Pause = &v1alpha1.Pause{Note: strings.Repeat("x", 1025)} },
	} {
		job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "job", Namespace: j.ns}}
		job.Spec.TaskTemplate.AppRef.Name = "shop"
		edit(job)
		if _, err := j.Kf.TaskSchedules(j.ns).Create(ctx, job, metav1.CreateOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	at := func(n int) *metav1.Time { return &metav1.Time{Time: minute(n)} }
	weekly := &v1alpha1.WeeklyWindow{From: "22:00", To: "06:00"}
	for want, b := range map[string]v1alpha1.Blackout{
		"says when by one of":    {Name: "b"},
		"from must be before to": {Name: "b", From: at(1), To: at(2)},
		"from and to go":         {Name: "b", From: at(1)},
		"by one of":              {Name: "b", From: at(2), To: at(1), Weekly: weekly},
		"time of day":            {Name: "b", Weekly: &v1alpha1.WeeklyWindow{From: "25:00", To: "06:00"}},
		"Mon":                    {Name: "b", Weekly: &v1alpha1.WeeklyWindow{Days: []string{"Monday"}, From: "22:00", To: "06:00"}},
		"IANA":                   {Name: "b", TimeZone: "not a zone", Weekly: weekly},
	} {
		app, err := j.Kf.Apps(j.ns).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		app.Spec.Blackouts = []v1alpha1.Blackout{b}
		if _, err := j.Kf.Apps(j.ns).Update(ctx, app, metav1.UpdateOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
