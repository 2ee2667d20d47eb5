package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestKfWhyTellsOfACommandsTask: who asked for it, by the function command itself, and what is on record of its Pod, by Kubernetes.
func TestKfWhyTellsOfACommandsTask(t *testing.T) {
	w := newCommanded(t)
	w.command.Deliver(w.event(events.TaskRun, "2026-11", `{"namespace": "NS", "app": "shop", "command": "bin/invoice"}`))
	task := &w.tasks()[0]
	c := &cli{t, w.Cluster, w.ns}
	asked := "asked for by the event 2026-11 of /test, sent by system:serviceaccount:" + w.ns + ":sender"
	c.has(c.kf("why", task.Name), "Task "+task.Name+", of App shop: not looked at yet", asked, "now no function has said anything about it yet")

	world := &harness.World{TB: t, Cluster: w.Cluster, Namespace: w.ns}
	c.started(world, task)
	pod := task.Name + "-pod"
	c.event(corev1.ObjectReference{Kind: "Pod", Name: pod, Namespace: w.ns}, "FailedScheduling", "0/3 nodes are available: "+hostile, 7)
	out := c.kf("why", task.Name)
	c.has(out, asked, "PipelineRun "+task.Name+" was made", "Pod "+pod+" was made",
		"Pod "+pod+": FailedScheduling (7 times, until ", "0/3 nodes are available: ok^[[2J^[[1;1Hfake^Jrow", "in Pod "+pod+" on node node-1")
	if rows := strings.Count(out, "\n"); rows > 24 {
		t.Errorf("%d rows are no one screen:\n%s", rows, out)
	}
	c.final(task.Name, metav1.ConditionFalse, v1alpha1.ReasonFailed, "the command exited with code 3", 3)
	c.has(c.kf("why", "shop", "1"), "ID 1, of App shop: Failed, exit code 3", "it ended: Failed, exit code 3: the command exited with code 3",
		"What to do: kf logs "+task.Name+" shows what it wrote; kf rerun "+task.Name)
	c.has(c.kf("why", task.Name, "-o", "json"), `"kind": "Story"`, `"outcome": "Failed, exit code 3"`, `"by": "Task"`, `ok\u001b[2J`)
	c.has(c.kf("why", task.Name, "-o", "jsonpath={.items[0].outcome}"), "Failed, exit code 3")
	c.has(c.refused("why", "none"), `there is no Task and no Job "none"`)
	c.has(c.refused("why", "shop", "7"), `No Task found for App "shop" and Task ID "7"`)

	if err := w.Tekton.PipelineRuns(w.ns).Delete(t.Context(), task.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.has(c.kf("why", task.Name), asked, "Not known: its PipelineRun is gone")
}

// started plays runtask, Tekton and start: the run, its TaskRun and Pod, and the start on record.
func (c *cli) started(w *harness.World, task *v1alpha1.Task) {
	c.Helper()
	app, err := c.Kf.Apps(c.space).Get(c.Context(), task.Spec.AppRef.Name, metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	if err := w.Start(c.Context(), app, task); err != nil {
		c.Fatal(err)
	}
	if _, err := c.Tekton.TaskRuns(c.space).Patch(c.Context(), task.Name+"-user-container", types.MergePatchType,
		fmt.Appendf(nil, `{"status": {"podName": "%s-pod"}}`, task.Name), metav1.PatchOptions{}, "status"); err != nil {
		c.Fatal(err)
	}
	pod, err := c.Kube.CoreV1().Pods(c.space).Get(c.Context(), task.Name+"-pod", metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	task, err = c.Kf.Tasks(c.space).Get(c.Context(), task.Name, metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := client.PatchStatus(c.Context(), c.Kf.Tasks(c.space), task, func(t *v1alpha1.Task) {
		now := metav1.Now()
		t.Status.ID, t.Status.StartTime = 1, &now
		t.Status.Starts = []v1alpha1.TaskStart{{Pod: pod.Name, PodUID: pod.UID, Node: "node-1", At: now}}
	}); err != nil {
		c.Fatal(err)
	}
}

// event plays the scheduler or the kubelet.
func (c *cli) event(about corev1.ObjectReference, reason, message string, count int32) {
	c.Helper()
	now := metav1.Now()
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{GenerateName: "played-"}, InvolvedObject: about, Type: corev1.EventTypeWarning,
		Reason: reason, Message: message, Count: count, FirstTimestamp: now, LastTimestamp: now}
	if _, err := c.Kube.CoreV1().Events(c.space).Create(c.Context(), e, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
}

// TestKfWhyTellsOfAnInstantThatWasSkipped, by the function tick itself, and of one that ran, of one that is not on schedule.
func TestKfWhyTellsOfAnInstantThatWasSkipped(t *testing.T) {
	j := newJobs(t)
	c := &cli{t, j.Cluster, j.ns}
	skipped, running := minute(1), minute(2)
	job := j.due("nightly", skipped, func(s *v1alpha1.TaskSchedule) { s.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyForbid })
	before := job.NewTask()
	before.Name = job.TaskName(running)
	if _, err := j.Kf.Tasks(j.ns).Create(ctx, before, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	j.ping()
	at := skipped.Format(time.RFC3339)
	const todo = "What to do: kf run-job nightly runs it now; so that it does not skip: concurrencyPolicy Always or Replace"
	for _, args := range [][]string{{"why", "nightly"}, {"why", "nightly", at}, {"why", "nightly", skipped.Format("2006-01-02T15:04")}} {
		c.has(c.kf(args...), "Job nightly at "+at+": Skipped", at+" Skipped: Task "+before.Name+": it still ran, and concurrencyPolicy is Forbid",
			"now Task "+before.Name+" has not ended: kf why "+before.Name, todo)
	}
	c.has(c.kf("why", "nightly", running.Format(time.RFC3339)), "Ran: its Task is there", "of App shop: not looked at yet",
		"made for the instant "+running.Format(time.RFC3339)+" of Job nightly")
	if err := j.Kf.Tasks(j.ns).Delete(ctx, before.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.has(c.kf("why", "nightly"), "Task "+before.Name+": it still ran, and concurrencyPolicy is Forbid; it is gone since", todo)
	c.has(c.kf("why", job.TaskName(skipped)), "Job nightly at "+at+": Skipped") // by the name that its Task would have
	c.has(c.refused("why", "nightly-x"), "there is no Task and no Job")
	off := skipped.Add(-time.Hour)
	c.has(c.kf("why", "nightly", off.Format(time.RFC3339)), "Not owed: the Job was made at")
	c.has(c.kf("why", "nightly", skipped.AddDate(0, 0, 1).Format(time.RFC3339)), "To come: it is not due yet")
	c.has(c.kf("why", "nightly", skipped.Add(time.Hour).Format(time.RFC3339)), "Not on schedule: the schedule, as it is now, does not name it: "+daily(skipped)+" in UTC")
	c.has(c.refused("why", "none", at), `there is no Job "none"`)
}

// TestKfWhyMakesUpNothingForWhoMayNotRead: a user who may read Tasks and nothing else.
func TestKfWhyMakesUpNothingForWhoMayNotRead(t *testing.T) {
	all := newCLI(t)
	all.App(t, all.space, "shop")
	task := all.Task(t, all.space, "shop", "migrate")
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "tasks"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"kf.dev"}, Resources: []string{"tasks"}, Verbs: []string{"get", "list"}}}}
	if _, err := all.Kube.RbacV1().Roles(all.space).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c := &cli{t, all.Member(t, all.space, "Role", "tasks"), all.space}
	harness.Eventually(t, time.Minute, func() error {
		_, err := c.Kf.Tasks(c.space).Get(t.Context(), task.Name, metav1.GetOptions{})
		return err
	})
	c.has(c.kf("why", task.Name), "asked for directly", "Not known: its App could not be read: you may not",
		"Not known: its PipelineRun could not be read: you may not", "Not known: Kubernetes' Events could not be read: you may not")
}

// TestKfRunsATaskAgain: as it was, and as nobody's but the user's.
func TestKfRunsATaskAgain(t *testing.T) {
	c := newCLI(t)
	app := c.App(t, c.space, "shop")
	c.kf("run-task", "shop", "-c", "bin/report", "--name", "report", "-m", "1G", "--cpu-cores", "500m", "--timeout", "1h", "--retries", "2", "--expires", "48h")
	first := c.one()
	c.kf("terminate-task", first.Name)
	c.has(c.kf("rerun", first.Name), "is submitted successfully for execution.")
	list, err := c.Kf.Tasks(c.space).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("%d Tasks: %v", len(list.Items), err)
	}
	again := list.Items[slices.IndexFunc(list.Items, func(t v1alpha1.Task) bool { return t.Name != first.Name })]
	want := *first.Spec.DeepCopy()
	want.Expires = nil
	if !metav1.IsControlledBy(&again, app) || !equality.Semantic.DeepEqual(again.Spec, want) {
		t.Errorf("%+v, want %+v", again.Spec, want)
	}
	c.has(c.refused("rerun", "none"), `there is no Task "none"`)
	c.has(c.refused("rerun", "shop", "7"), "No Task found")
}

// TestKfOverridesOneRunOfAJob, and leaves the Job as it is.
func TestKfOverridesOneRunOfAJob(t *testing.T) {
	j := newJobs(t)
	c := &cli{t, j.Cluster, j.ns}
	job := j.create("nightly", "0 0 * * *", func(s *v1alpha1.TaskSchedule) {
		s.Spec.TaskTemplate.Command, s.Spec.TaskTemplate.Args = "", []string{"bin/report"}
		s.Spec.TaskTemplate.Env = []v1alpha1.EnvVar{{Name: "MONTH", Value: "now"}, {Name: "LANG", Value: "C"}}
		s.Spec.TaskTemplate.Retries = 5
	})
	c.kf("run-job", "nightly", "--command", "bin/report --once", "-e", "MONTH=2026-11", "-e", "DEBUG=", "-m", "1G", "-k", "2G", "--cpu-cores", "0.5",
		"--timeout", "30m", "--retries", "0")
	task := c.one()
	env := []v1alpha1.EnvVar{{Name: "LANG", Value: "C"}, {Name: "MONTH", Value: "2026-11"}, {Name: "DEBUG"}}
	if s := task.Spec; s.Command != "bin/report --once" || len(s.Args) > 0 || s.Memory != "1Gi" || s.Disk != "2Gi" || s.CPU != "0.5" && s.CPU != "500m" ||
		s.Timeout == nil || s.Timeout.Duration != 30*time.Minute || s.Retries != 0 || !slices.Equal(s.Env, env) || !metav1.IsControlledBy(task, job) {
		t.Errorf("%+v", s)
	}
	if now := j.job("nightly"); now.ResourceVersion != job.ResourceVersion {
		t.Errorf("the Job was changed: %+v", now.Spec)
	}
	c.has(c.kf("why", task.Name), "asked for directly, as a run of Job nightly; made by the client kf")
	var many []string
	for i := range 63 {
		many = append(many, "-e", fmt.Sprintf("V%d=x", i))
	}
	c.has(c.refused(append([]string{"run-job", "nightly"}, many...)...), "its own variables and those of --env are 65, and a Task can have 64")
}
