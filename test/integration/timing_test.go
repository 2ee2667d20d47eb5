package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// timed makes a Task with a time or two; zero is none.
func timed(t *testing.T, c *harness.Cluster, ns, name string, notBefore, expires time.Time) *v1alpha1.Task {
	t.Helper()
	task := harness.NewTask(ns, "shop", name)
	if !notBefore.IsZero() {
		task.Spec.NotBefore = &metav1.Time{Time: notBefore}
	}
	if !expires.IsZero() {
		task.Spec.Expires = &metav1.Time{Time: expires}
	}
	task, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// TestATaskWaitsForItsTime: people see what for, it costs nothing until then, and it starts no earlier. Until then it can be stopped and
// deleted.
func TestATaskWaitsForItsTime(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "timing")
	c.App(t, ns, "shop")
	f := c.Function(t, "runtask")
	at := time.Now().Add(8 * time.Second).Truncate(time.Second)
	f.Deliver(harness.Added("Task", timed(t, c, ns, "migrate", at, time.Time{})))
	wantVisible(t, getTask(t, c, ns), v1alpha1.ReasonNotDue, at.UTC().Format(time.RFC3339), "1")

	later := time.Now().Add(time.Hour)
	for _, name := range []string{"stopped", "deleted"} {
		f.Deliver(harness.Added("Task", timed(t, c, ns, name, later, later.Add(time.Hour))))
	}
	if _, err := c.Kf.Tasks(ns).Patch(ctx, "stopped", types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Kf.Tasks(ns).Delete(ctx, "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync"))
	if run, err := c.Tekton.PipelineRuns(ns).Get(ctx, "stopped", metav1.GetOptions{}); err != nil || !run.IsCancelled() {
		t.Errorf("stopped before its time: %v", err)
	}

	f.Proxy.Inject(nil)
	f.Deliver(harness.Ping("resync"))
	for _, r := range f.Proxy.Requests() {
		if strings.HasSuffix(r.Path, "/tasks/migrate") && time.Now().Before(at) {
			t.Errorf("a Task that sleeps cost %s %s", r.Method, r.Path)
		}
	}
	harness.Eventually(t, time.Minute, func() error {
		f.Deliver(harness.Ping("resync"))
		f.Deliver(harness.Updated("Task", getTask(t, c, ns)))
		_, err := c.Tekton.PipelineRuns(ns).Get(ctx, "migrate", metav1.GetOptions{})
		if err == nil && time.Now().Before(at) {
			t.Errorf("it has started %s too early", time.Until(at))
		}
		return err
	})
	wantOneRun(t, c, ns, "migrate")
	for _, name := range []string{"deleted"} {
		if _, err := c.Tekton.PipelineRuns(ns).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestATaskThatHasNotStartedExpires, told as failed; and one whose run a function had made before it died does not end here, for that
// is start's to end.
func TestATaskThatHasNotStartedExpires(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "timing")
	app := harness.NewApp(ns, "shop", "") // it has no image yet
	if _, err := c.Kf.Apps(ns).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	facts := harness.NewFacts(t)
	f := c.Function(t, "runtask", "K_SINK="+facts.URL)
	f.Deliver(harness.Added("Task", timed(t, c, ns, "migrate", time.Time{}, time.Now().Add(3*time.Second))))
	if got := reason(getTask(t, c, ns)); got != "Unknown AppHasNoImage" {
		t.Errorf("before: %s", got)
	}
	harness.Eventually(t, time.Minute, func() error {
		f.Deliver(harness.Ping("resync"))
		if got := reason(getTask(t, c, ns)); got != "False Expired" {
			return fmt.Errorf("it says %s", got)
		}
		return nil
	})
	if n := facts.Told(events.TaskFailed, ns+"/migrate"); n != 1 {
		t.Errorf("its end is told %d times", n)
	}
	c.App(t, ns, "ready")
	for range 2 {
		f.Deliver(harness.Ping("resync"))
	}
	if runs, err := c.Tekton.PipelineRuns(ns).List(ctx, metav1.ListOptions{}); err != nil || len(runs.Items) != 0 {
		t.Errorf("%d runs: %v", len(runs.Items), err)
	}

	died := harness.NewTask(ns, "ready", "died")
	died.Spec.Expires = &metav1.Time{Time: time.Now().Add(4 * time.Second)}
	died, err := c.Kf.Tasks(ns).Create(ctx, died, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodPost, "/pipelineruns") {
			return harness.Fault{After: true, Then: f.Kill}
		}
		return harness.Fault{}
	})
	if status, _ := f.Send(harness.Added("Task", died)); status != 0 {
		t.Fatalf("it answered %d: it was to die", status)
	}
	f.Proxy.Inject(nil)
	wantOwned(t, c, ns, "died")
	harness.Eventually(t, time.Minute, func() error {
		if left := time.Until(died.Spec.Expires.Time); left > 0 {
			return fmt.Errorf("it expires in %s", left)
		}
		return nil
	})
	f.Start()
	f.Deliver(harness.Ping("resync"))
	task, err := c.Kf.Tasks(ns).Get(ctx, "died", metav1.GetOptions{})
	if err != nil || task.Final() || task.Labels[v1alpha1.HandledLabel] != string(task.UID) {
		t.Errorf("%v, it says %q, labels %v", err, reason(task), task.Labels)
	}
}

func wantOwned(t *testing.T, c *harness.Cluster, ns, name string) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		_, err := c.Tekton.PipelineRuns(ns).Get(ctx, name, metav1.GetOptions{})
		return err
	})
}

// TestNoCommandBeginsAfterItsTaskHasExpired: its Pod is up, a moment too late, or never was; the Task says that it has expired.
func TestNoCommandBeginsAfterItsTaskHasExpired(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	facts := harness.NewFacts(t)
	start, status := w.Function(t, "start"), w.Function(t, "status", "K_SINK="+facts.URL)
	for name, phase := range map[string]string{"late": "Running", "never": "Pending"} {
		pod, _ := up(w, app, name)
		patch := fmt.Appendf(nil, `{"spec":{"expires":%q}}`, time.Now().Add(-time.Second).UTC().Format(time.RFC3339))
		_, err := w.Kf.Tasks(w.Namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		w.Must(err)
		_, err = w.Kube.CoreV1().Pods(w.Namespace).Patch(ctx, pod.Name, types.MergePatchType, fmt.Appendf(nil, `{"status":{"phase":%q}}`, phase), metav1.PatchOptions{}, "status")
		w.Must(err)
		for range 2 {
			start.Deliver(harness.Updated("Pod", pod))
			start.Deliver(harness.Ping("resync"))
		}
		run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		w.Must(err)
		if !run.IsCancelled() {
			t.Errorf("%s: its run goes on", name)
		}
		now := metav1.Now()
		run.Status.StartTime, run.Status.CompletionTime = &now, &now
		run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionFalse, Reason: string(tekton.PipelineRunReasonCancelled)})
		reach(t, w.Cluster, run) // as Tekton does
		fact := facts.Delivered(status, harness.Updated("PipelineRun", run))
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		w.Must(err)
		if reason(task) != "False Expired" || len(task.Status.Starts) != 0 || fact == nil || fact.Type() != events.TaskFailed {
			t.Errorf("%s: %s, starts %v, told as %v", name, reason(task), task.Status.Starts, fact)
		}
	}
}

// TestTimesThatNoTaskCanHave: the API server refuses them, whoever makes the Task or the Job.
func TestTimesThatNoTaskCanHave(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "timing")
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	task := harness.NewTask(ns, "shop", "t")
	task.Spec.NotBefore, task.Spec.Expires = &metav1.Time{Time: at}, &metav1.Time{Time: at}
	if _, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{}); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "must be before expires") {
		t.Errorf("%v", err)
	}
	task.Spec.NotBefore, task.Spec.Command, task.Spec.Process = nil, "x", "web"
	if _, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{}); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "stands alone") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"soon", "2026-11-28", "2026-11-28T10:00:00", "2026-13-28T10:00:00Z", "2026-11-28t10:00:00z", "12026-11-28T10:00:00Z"} {
		raw := fmt.Appendf(nil, `{"apiVersion":"kf.dev/v1alpha1","kind":"Task","metadata":{"name":"bad"},"spec":{"appRef":{"name":"shop"},"expires":%q}}`, bad)
		answer := c.Kube.CoreV1().RESTClient().Post().AbsPath("/apis/kf.dev/v1alpha1/namespaces/"+ns+"/tasks").SetHeader("Content-Type", "application/json").Body(raw).Do(ctx)
		if err := answer.Error(); !apierrors.IsInvalid(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly"}}
	job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Expires = "shop", &metav1.Time{Time: at}
	if _, err := c.Kf.TaskSchedules(ns).Create(ctx, job, metav1.CreateOptions{}); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "schedule says") {
		t.Errorf("%v", err)
	}
}

// TestATaskThatWaitsForItsTimeIsNotInItsJobsWay: one that forbids two at once fires meanwhile.
func TestATaskThatWaitsForItsTimeIsNotInItsJobsWay(t *testing.T) {
	w := newCommanded(t)
	at := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	w.command.Deliver(w.event(events.JobRun, "1", fmt.Sprintf(`{"namespace": "NS", "job": "nightly", "notBefore": %q}`, at)))
	job := w.getJob()
	job.Spec.Schedule, job.Spec.Suspend, job.Spec.ConcurrencyPolicy = "* * * * *", false, v1alpha1.ConcurrencyForbid
	job, err := w.Kf.TaskSchedules(w.ns).Update(ctx, job, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tick := w.Function(t, "tick")
	tick.Deliver(harness.Updated("TaskSchedule", job))
	harness.Eventually(t, 2*time.Minute, func() error {
		tick.Deliver(harness.Ping("every-minute"))
		h := w.getJob().Status.History
		if len(h) == 0 {
			return fmt.Errorf("nothing was decided yet")
		}
		if h[0].Outcome != v1alpha1.OutcomeRan {
			t.Errorf("it says %+v", h[0])
		}
		return nil
	})
}
