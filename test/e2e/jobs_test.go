package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestJob is what Kf's own integration test does with a Job: create it, schedule it for each minute, see a Task appear
// and in the history, delete the schedule, see no more appear, delete the Job, see its Tasks gone.
func TestJob(t *testing.T) {
	w := newWorld(t)
	kf := func(want int, args ...string) string {
		t.Helper()
		out, code := w.kf(t, args...)
		if code != want {
			t.Fatalf("kf %s: exit code %d, want %d\n%s", strings.Join(args, " "), code, want, out)
		}
		return out
	}
	kf(0, "push", "worker", "--docker-image", os.Getenv("KO_DOCKER_REPO")+"/base/busybox:latest", "--task", "-e", "GREETING=hi")
	kf(0, "create-job", "worker", "tick", `echo "$GREETING"; exec sleep 90`)
	if out := kf(0, "jobs"); !strings.Contains(out, "tick") {
		t.Errorf("jobs: %s", out)
	}
	if out := kf(2, "create-job", "worker", "bad", "x", "--schedule", "0 0 31 2 *"); !strings.Contains(out, "never") {
		t.Errorf("a schedule that never fires: %s", out)
	}
	if out := kf(0, "run-job", "tick", "--command", "echo by hand", "--wait"); !strings.Contains(out, "by hand") {
		t.Errorf("run-job --wait: %s", out)
	}
	scheduled := time.Now()
	if out := kf(0, "schedule-job", "tick", "* * * * *"); strings.Count(out, " UTC\n") != 5 {
		t.Errorf("schedule-job does not show the next five instants: %s", out)
	}
	if out := kf(0, "job-schedules"); !strings.Contains(out, "tick") {
		t.Errorf("job-schedules: %s", out)
	}
	ran := func(name string) (instants []time.Time) { // newest first
		job, err := w.Kf.TaskSchedules(w.space).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range job.Status.History {
			if d.Outcome == v1alpha1.OutcomeRan {
				instants = append(instants, d.Instant.Time)
			}
		}
		return instants
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		if n := len(ran("tick")); n < 2 {
			return fmt.Errorf("%d instants have run", n)
		}
		return nil
	})
	kf(0, "create-job", "worker", "goes-on", "true", "--schedule", "* * * * *")
	kf(0, "delete-job-schedule", "tick")
	deleted, instants := time.Now(), ran("tick")
	for i, instant := range instants {
		if instant.Before(scheduled) || instant.Second() != 0 {
			t.Errorf("ran for %s, scheduled at %s", instant, scheduled)
		}
		if i > 0 && !instants[i-1].Equal(instant.Add(time.Minute)) {
			t.Errorf("after %s it ran for %s: one was left out", instant, instants[i-1])
		}
		task, err := w.Kf.Tasks(w.space).Get(ctx, fmt.Sprintf("tick-%d", instant.Unix()), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if task.CreationTimestamp.Time.Before(instant) {
			t.Errorf("the Task of %s was created at %s", instant, task.CreationTimestamp)
		}
	}
	if out := kf(0, "job-history", "tick"); strings.Count(out, " Ran ") != len(instants)+1 || !strings.Contains(out, "run by hand") {
		t.Errorf("job-history: %s", out)
	}
	harness.Eventually(t, 4*time.Minute, func() error { // an instant that must not run passes: another Job has run for it
		if others := ran("goes-on"); len(others) == 0 || !others[0].After(deleted) {
			return fmt.Errorf("the other Job has run for %v, the schedule was deleted at %s", others, deleted)
		}
		return nil
	})
	if after := ran("tick"); len(after) != len(instants) {
		t.Errorf("it has run for %v after the schedule was deleted at %s", after, deleted)
	}
	kf(1, "delete-job-schedule", "tick")
	if out := kf(0, "delete-job", "tick"); !strings.Contains(out, fmt.Sprintf("%d Tasks", len(instants)+1)) {
		t.Errorf("delete-job: %s", out)
	}
	kf(0, "delete-job", "goes-on")
	tasks, err := w.Kf.Tasks(w.space).List(ctx, metav1.ListOptions{})
	if err != nil || len(tasks.Items) != 0 {
		t.Errorf("%d Tasks are left: %v", len(tasks.Items), err)
	}
	pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.ComponentLabel + "=" + v1alpha1.TaskComponent})
	if err != nil || len(pods.Items) != 0 {
		t.Errorf("%d Pods are left: %v", len(pods.Items), err)
	}
}
