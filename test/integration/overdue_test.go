package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// end ends a Task, as status does.
func (j *jobs) end(task *v1alpha1.Task, reason string, at time.Time) {
	j.Helper()
	is := metav1.ConditionFalse
	if reason == v1alpha1.ReasonSucceeded {
		is = metav1.ConditionTrue
	}
	_, err := client.PatchStatus(ctx, j.Kf.Tasks(j.ns), task, func(t *v1alpha1.Task) {
		t.Status.CompletionTime, t.Status.Duration = &metav1.Time{Time: at}, &metav1.Duration{Duration: time.Minute}
		meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: is, Reason: reason})
	})
	if err != nil {
		j.Fatal(err)
	}
}

// watchedSince makes a Job as if it had been watched for long.
func (j *jobs) watchedSince(name string, since time.Time) {
	j.Helper()
	_, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job(name), func(s *v1alpha1.TaskSchedule) {
		s.Status.Watch.Since = &metav1.Time{Time: since}
		if s.Status.Watch.SuccessDueBy != nil {
			s.Status.Watch.SuccessDueBy = &metav1.Time{Time: since.Add(time.Hour)}
		}
	})
	if err != nil {
		j.Fatal(err)
	}
}

func (j *jobs) overdue(name string) string {
	j.Helper()
	if c := meta.FindStatusCondition(j.job(name).Status.Conditions, v1alpha1.ConditionOverdue); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func TestAJobThatDoesNotSucceedInTimeIsOverdueUntilItDoes(t *testing.T) {
	j := newJobs(t)
	job := j.create("nightly", daily(minute(90)), func(s *v1alpha1.TaskSchedule) { s.Spec.ExpectSuccessWithin = &metav1.Duration{Duration: time.Hour} })
	j.tick.Deliver(harness.Added("TaskSchedule", job))
	if got, since := j.overdue("nightly"), j.job("nightly").Status.Watch.Since; got != "False Awaited" || !since.Time.Equal(job.CreationTimestamp.Time) {
		t.Errorf("a new Job: Overdue is %q, watched since %v", got, since)
	}
	j.costs(2, "while it has time, which is of the Jobs that are due and of all")
	j.watchedSince("nightly", time.Now().Add(-2*time.Hour))
	for range 2 {
		j.ping()
	}
	if got := j.overdue("nightly"); got != "True NotSucceeded" || j.told(events.JobOverdue, "nightly") != 1 {
		t.Errorf("Overdue is %q, told %d times", got, j.told(events.JobOverdue, "nightly"))
	}
	j.costs(3, "while it is overdue, which is of its Tasks besides")

	// It is run by hand, and that is over before a tick comes.
	j.end(j.byHand(j.job("nightly"), "nightly-x7k2p"), v1alpha1.ReasonSucceeded, time.Now())
	for range 2 {
		j.ping()
	}
	s := j.job("nightly").Status
	if got := j.overdue("nightly"); got != "False SucceededInTime" || j.told(events.JobRecovered, "nightly") != 1 || s.LastSuccessTask != "nightly-x7k2p" {
		t.Errorf("Overdue is %q, told %d times, last success %q", got, j.told(events.JobRecovered, "nightly"), s.LastSuccessTask)
	}
	if n := s.Watch.Notices; len(n) != 2 || n[0].What != v1alpha1.NoticeRecovered || n[1].What != v1alpha1.NoticeOverdue || s.Watch.OverdueSince != nil {
		t.Errorf("the watch is %+v", s.Watch)
	}

	// The field goes, and with it what was said.
	if _, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "nightly", types.MergePatchType, []byte(`{"spec":{"expectSuccessWithin":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	j.ping()
	if s = j.job("nightly").Status; j.overdue("nightly") != "" || s.Watch != nil {
		t.Errorf("Overdue is %q, the watch %+v", j.overdue("nightly"), s.Watch)
	}
}

func TestAJobThatFailsInARowIsPausedWhateverWriteTickDiesAfter(t *testing.T) {
	for after := range 3 { // none; the status; the pause
		t.Run(fmt.Sprintf("write %d", after), func(t *testing.T) {
			j := newJobs(t)
			job := j.create("sync", daily(minute(90)), func(s *v1alpha1.TaskSchedule) {
				s.Spec.PauseAfterFailures = 2
				s.Spec.Pause = &v1alpha1.Pause{Note: "the database moves", Until: &metav1.Time{Time: time.Now().Add(-time.Hour)}} // and is over
			})
			j.tick.Deliver(harness.Added("TaskSchedule", job))
			j.watchedSince("sync", time.Now().Add(-2*time.Hour))
			_, err := client.PatchStatus(ctx, j.Kf.TaskSchedules(j.ns), j.job("sync"), func(s *v1alpha1.TaskSchedule) {
				for i, reason := range []string{v1alpha1.ReasonFailed, v1alpha1.ReasonOutOfMemory} {
					name := job.TaskName(minute(20 - i))
					j.end(j.byHand(job, name), reason, minute(19-i))
					s.Status.Active = append(s.Status.Active, corev1.LocalObjectReference{Name: name})
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if after > 0 {
				j.tick.Proxy.Inject(func(r harness.Request) harness.Fault {
					if r.Write == after {
						return harness.Fault{Then: j.tick.Kill}
					}
					return harness.Fault{}
				})
				if status, _ := j.tick.Send(harness.Ping("every-minute")); status != 0 {
					t.Fatalf("tick answered %d: it was to die", status)
				}
				j.tick.Proxy.Inject(nil)
				j.tick.Start()
			}
			for range 2 {
				j.ping()
			}
			job = j.job("sync")
			if p := job.Spec.Pause; p == nil || !strings.HasPrefix(p.Note, "2 Tasks failed in a row") || p.Until != nil {
				t.Fatalf("pause %+v", p)
			}
			if n := job.Status.Watch.Notices; len(n) != 1 || n[0].What != v1alpha1.NoticePaused || !strings.Contains(n[0].Message, v1alpha1.ReasonOutOfMemory) {
				t.Errorf("notices %+v", n)
			}
			if told := j.told(events.JobPaused, "sync"); told != 1 {
				t.Errorf("told %d times", told)
			}

			// Resumed, it has not failed again.
			if _, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "sync", types.MergePatchType, []byte(`{"spec":{"pause":null}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				j.ping()
			}
			if job = j.job("sync"); job.Spec.Pause != nil || job.Status.Watch.FailuresInRow != 0 {
				t.Errorf("pause %+v, the watch %+v", job.Spec.Pause, job.Status.Watch)
			}
		})
	}
}

func TestWhatNoJobCanBeExpectedToIsRefused(t *testing.T) {
	j := newJobs(t)
	for spec, want := range map[string]string{
		`{"expectSuccessWithin":"26h"}`:      "",
		`{"expectSuccessWithin":"1h30m"}`:    "",
		`{"expectSuccessWithin":"0s"}`:       "duration from 1m",
		`{"expectSuccessWithin":"59s"}`:      "duration from 1m",
		`{"expectSuccessWithin":"-26h"}`:     "duration from 1m",
		`{"expectSuccessWithin":"tomorrow"}`: "duration from 1m",
		`{"expectSuccessWithin":"99999h"}`:   "duration from 1m",
		`{"expectSuccessWithin":""}`:         "duration from 1m",
		`{"pauseAfterFailures":3}`:           "",
		`{"pauseAfterFailures":-1}`:          "pauseAfterFailures",
		`{"pauseAfterFailures":1001}`:        "pauseAfterFailures",
	} {
		j.create("any", "0 0 1 1 *")
		_, err := j.Kf.TaskSchedules(j.ns).Patch(ctx, "any", types.MergePatchType, []byte(`{"spec":`+spec+`}`), metav1.PatchOptions{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it refused for %q", spec, err, want)
		}
		if err := j.Kf.TaskSchedules(j.ns).Delete(ctx, "any", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
