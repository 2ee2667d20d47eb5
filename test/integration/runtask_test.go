// Package integration runs the functions as processes against a real API server with Tekton's real admission.
package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// wantOneRun fails unless the Task has exactly one PipelineRun, of its own name, and its labels.
func wantOneRun(t *testing.T, c *harness.Cluster, ns, name string) {
	t.Helper()
	task, err := c.Kf.Tasks(ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	runs, err := c.Tekton.PipelineRuns(ns).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=" + name})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs.Items) != 1 || runs.Items[0].Name != name || !metav1.IsControlledBy(&runs.Items[0], task) {
		t.Fatalf("Task %s has %d PipelineRuns, want one of its name", name, len(runs.Items))
	}
	if id := task.Labels[v1alpha1.VersionLabel]; id == "" || id != runs.Items[0].Labels[v1alpha1.VersionLabel] {
		t.Errorf("Task %s has ID %q, its PipelineRun %q: want the same", name, id, runs.Items[0].Labels[v1alpha1.VersionLabel])
	}
	for k, v := range v1alpha1.TaskLabels(task.Spec.AppRef.Name) {
		if task.Labels[k] != v {
			t.Errorf("Task %s has label %s=%q, want %q", name, k, task.Labels[k], v)
		}
	}
	if task.Spec.DisplayName == "" {
		t.Errorf("Task %s has no display name", name)
	}
}

func TestTaskGetsOnePipelineRunHoweverOftenItsEventComes(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	c.App(t, ns, "shop")
	task := c.Task(t, ns, "shop", "migrate")
	f := c.Function(t, "runtask")

	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { f.Deliver(harness.Added("Task", task)) })
	}
	wg.Wait()
	wantOneRun(t, c, ns, "migrate")

	// the same, long after: the Task is done, its run was pruned, and an old event turns up once more
	if err := c.Tekton.PipelineRuns(ns).Delete(ctx, "migrate", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Added("Task", task))
	f.Deliver(harness.Ping("resync"))
	if runs, _ := c.Tekton.PipelineRuns(ns).List(ctx, metav1.ListOptions{}); len(runs.Items) != 0 {
		t.Error("an old event started the Task a second time")
	}
}

func TestTaskWhoseEventWasLostIsFoundByThePing(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	c.App(t, ns, "shop")
	c.Task(t, ns, "shop", "migrate")
	f := c.Function(t, "runtask")
	f.Deliver(harness.Ping("resync"))
	wantOneRun(t, c, ns, "migrate")
}

func TestTaskIsNotLostWhateverWriteItsFunctionDiesAfter(t *testing.T) {
	c := harness.New(t)
	for after := 1; after <= 3; after++ { // the ID, the PipelineRun, the labels
		t.Run(fmt.Sprint("write ", after), func(t *testing.T) {
			ns := c.Namespace(t, "runtask")
			c.App(t, ns, "shop")
			task := c.Task(t, ns, "shop", "migrate")
			f := c.Function(t, "runtask")
			killed := false
			f.Proxy.Inject(func(r harness.Request) harness.Fault {
				if r.Write == after && !killed {
					killed = true
					return harness.Fault{Then: f.Kill}
				}
				return harness.Fault{}
			})
			if status, _ := f.Send(harness.Added("Task", task)); status != 0 {
				t.Fatalf("the function answered %d: it was to die", status)
			}
			f.Proxy.Inject(nil)
			f.Start()
			f.Deliver(harness.Ping("resync"))
			wantOneRun(t, c, ns, "migrate")
		})
	}
}

// TestTaskThatHasEndedNeverRuns: runtask dies between ending a Task and labelling it, and then its App is mended.
func TestTaskThatHasEndedNeverRuns(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	shell := func(app *v1alpha1.App, s v1alpha1.Shell) *v1alpha1.App {
		app, err := client.PatchStatus(ctx, c.Kf.Apps(ns), app, func(a *v1alpha1.App) { a.Status.StartCommands.Shell = s })
		if err != nil {
			t.Fatal(err)
		}
		return app
	}
	app := shell(c.App(t, ns, "shop"), v1alpha1.ShellNone)
	task := harness.NewTask(ns, "shop", "migrate")
	task.Spec.Command = `echo "only a shell could make something of this`
	task, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	facts := harness.NewFacts(t)
	f := c.Function(t, "runtask", "K_SINK="+facts.URL)
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is("PATCH", "/tasks/migrate/status") {
			return harness.Fault{Then: f.Kill}
		}
		return harness.Fault{}
	})
	if status, _ := f.Send(harness.Added("Task", task)); status != 0 {
		t.Fatalf("the function answered %d: it was to die", status)
	}
	f.Proxy.Inject(nil)
	f.Start()
	shell(app, v1alpha1.ShellPOSIX)
	fact := facts.Delivered(f, harness.Added("Task", task))
	if fact == nil || fact.Type() != events.TaskFailed {
		t.Errorf("the fact that the dead function could not tell: %v, want %s", fact, events.TaskFailed)
	}
	if runs, err := c.Tekton.PipelineRuns(ns).List(ctx, metav1.ListOptions{}); err != nil || len(runs.Items) != 0 {
		t.Errorf("%d runs of a Task that had ended, want none (%v)", len(runs.Items), err)
	}
	task, err = c.Kf.Tasks(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil || task.Outcome() != v1alpha1.TaskFailed || task.Labels[v1alpha1.VersionLabel] != "1" {
		t.Errorf("outcome %q, labels %v (%v): want it failed and labelled with the ID of its status", task.Outcome(), task.Labels, err)
	}
}

func TestTaskOutlivesErrorsOfTheAPIServer(t *testing.T) {
	c := harness.New(t)
	for _, status := range []int{409, 429, 500, 503, 504} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, taking effect %t", status, after), func(t *testing.T) {
				t.Parallel()
				ns := c.Namespace(t, "runtask")
				c.App(t, ns, "shop")
				task := c.Task(t, ns, "shop", "migrate")
				f := c.Function(t, "runtask")
				var mu sync.Mutex
				failed := map[string]bool{}
				f.Proxy.Inject(func(r harness.Request) harness.Fault { // each kind of request fails the first time
					mu.Lock()
					defer mu.Unlock()
					key := r.Method + r.Path
					if failed[key] {
						return harness.Fault{}
					}
					failed[key] = true
					return harness.Fault{Status: status, After: after}
				})
				f.Deliver(harness.Added("Task", task))
				wantOneRun(t, c, ns, "migrate")
			})
		}
	}
}

func TestTaskWaitsForItsAppAndSaysSo(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	task := c.Task(t, ns, "shop", "migrate")
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", task))

	task, err := c.Kf.Tasks(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if task.Final() {
		t.Fatal("the Task has ended, want it to wait")
	}
	said := ""
	for _, cond := range task.Status.Conditions {
		if cond.Type == v1alpha1.ConditionAppReady && cond.Status == metav1.ConditionFalse {
			said = cond.Message
		}
	}
	if !strings.Contains(said, `no App "shop"`) {
		t.Errorf("AppReady says %q, want it to name the App", said)
	}
	_, writes := f.Proxy.Counts()
	f.Deliver(harness.Ping("resync"))
	if _, again := f.Proxy.Counts(); again != writes {
		t.Errorf("a Task that still waits cost %d more writes, want none", again-writes)
	}

	c.App(t, ns, "shop")
	f.Deliver(harness.Ping("resync"))
	wantOneRun(t, c, ns, "migrate")
}

func TestTaskTerminatedBeforeItsRunNeverStarts(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	c.App(t, ns, "shop")
	task := harness.NewTask(ns, "shop", "migrate")
	task.Spec.Terminated = true
	task, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := c.Function(t, "runtask")
	stale := task.DeepCopy()
	stale.Spec.Terminated = false // the event was sent before the termination
	f.Deliver(harness.Added("Task", stale))
	run, err := c.Tekton.PipelineRuns(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !run.IsCancelled() {
		t.Error("the PipelineRun is not cancelled: the Task would start")
	}
}

func TestForeignPipelineRunIsNotTakenForTheTasksOwn(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	c.App(t, ns, "shop")
	other := c.Task(t, ns, "shop", "other")
	f := c.Function(t, "runtask")
	f.Deliver(harness.Added("Task", other))
	run, err := c.Tekton.PipelineRuns(ns).Get(ctx, "other", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := run.DeepCopy()
	foreign.ObjectMeta = metav1.ObjectMeta{Name: "migrate", Namespace: ns}
	if _, err := c.Tekton.PipelineRuns(ns).Create(ctx, foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	task := c.Task(t, ns, "shop", "migrate")
	f.Deliver(harness.Added("Task", task))
	task, err = c.Kf.Tasks(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !task.Final() || !strings.Contains(fmt.Sprint(task.Status.Conditions), "NameTaken") {
		t.Errorf("conditions %v, want the Task to fail with NameTaken", task.Status.Conditions)
	}
}

// TestBurstOfOneAppSharesTheCounter: what asks for an ID while the counter is written shares the next write. So the first
// write is held until all the others are about to ask. Then there is one more for them, and up to three for those that
// had their App and were not in the queue yet.
func TestBurstOfOneAppSharesTheCounter(t *testing.T) {
	const tasks, aFew = 200, 10 // as many as a slow machine takes to send them all
	c := harness.New(t)
	ns := c.Namespace(t, "runtask")
	c.App(t, ns, "shop")
	f := c.Function(t, "runtask", "API_TIMEOUT=5m")
	var counterWrites, asking atomic.Int32
	all := make(chan struct{})
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		switch {
		case r.Method == http.MethodGet && strings.Contains(r.Path, "/tasks/burst-"): // what is around it is read for many at once
			return harness.Fault{Then: func() {
				if asking.Add(1) == tasks {
					close(all)
				}
			}}
		case r.Is(http.MethodPatch, "/apps/shop/status") && counterWrites.Add(1) == 1:
			select {
			case <-all:
			case <-time.After(4 * time.Minute):
				t.Errorf("%d of %d Tasks are about to ask for their ID", asking.Load(), tasks)
			}
		}
		return harness.Fault{}
	})
	var wg sync.WaitGroup
	for i := range tasks {
		wg.Go(func() { f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", fmt.Sprintf("burst-%d", i)))) })
	}
	wg.Wait()
	list, err := c.Kf.Tasks(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, task := range list.Items {
		ids = append(ids, task.ID())
	}
	slices.Sort(ids)
	if len(ids) != tasks || ids[0] == 0 || len(slices.Compact(slices.Clone(ids))) != tasks {
		t.Fatalf("%d Tasks have the IDs %v, want one each for %d", len(ids), ids, tasks)
	}
	if n := counterWrites.Load(); n > aFew {
		t.Errorf("the counter was written %d times for %d Tasks at once, want at most %d: they were to share", n, tasks, aFew)
	}
}

func TestAPIServerRefusesBadTasksAndSaysWhatToDo(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "crd")
	for name, test := range map[string]struct {
		change func(*v1alpha1.Task)
		want   string
	}{
		"no App":       {func(t *v1alpha1.Task) { t.Spec.AppRef.Name = "" }, "name the App whose image this Task runs"},
		"bad cpu":      {func(t *v1alpha1.Task) { t.Spec.CPU = "many" }, "500m"},
		"bad memory":   {func(t *v1alpha1.Task) { t.Spec.Memory = "1 GB" }, "512Mi"},
		"bad disk":     {func(t *v1alpha1.Task) { t.Spec.Disk = "x" }, "512Mi"},
		"long name":    {func(t *v1alpha1.Task) { t.Name = strings.Repeat("a", 64) }, "63 characters"},
		"bad timeout":  {func(t *v1alpha1.Task) { t.Spec.Timeout = &metav1.Duration{Duration: -time.Second} }, "timeout"},
		"many retries": {func(t *v1alpha1.Task) { t.Spec.Retries = 1000 }, "retries"},
	} {
		task := harness.NewTask(ns, "shop", "bad")
		test.change(task)
		_, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, test.want)
		}
	}
}

// TestATaskThatIsStoppedBeforeItStartsHasAnID, as any other has: terminate is first and has made a run that never starts, which has none; and
// the Task may have ended before runtask looks.
func TestATaskThatIsStoppedBeforeItStartsHasAnID(t *testing.T) {
	w := harness.NewWorld(t)
	runtask, app := w.Function(t, "runtask"), w.App("shop", nil)
	ids := map[int]bool{}
	for name, change := range map[string]func(*v1alpha1.Task){
		"stops":   func(t *v1alpha1.Task) { t.Spec.Terminated = true },
		"ended":   func(t *v1alpha1.Task) { t.Spec.Terminated = true },
		"expired": func(t *v1alpha1.Task) { t.Spec.Expires = &metav1.Time{Time: time.Now().Add(-time.Minute)} },
	} {
		task, err := w.Add(ctx, app, func(t *v1alpha1.Task) {
			t.GenerateName, t.Name = "", name
			change(t)
		})
		w.Must(err)
		_, err = w.Tekton.PipelineRuns(w.Namespace).Create(ctx, pipelinerun.Tombstone(task), metav1.CreateOptions{})
		w.Must(err)
		if name == "ended" {
			now := time.Now().UTC().Format(time.RFC3339)
			task, err = w.Kf.Tasks(w.Namespace).Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil,
				`{"status":{"completionTime":%[1]q,"conditions":[{"type":"Succeeded","status":"False","reason":"TaskRunCancelled","message":"","lastTransitionTime":%[1]q}]}}`, now),
				metav1.PatchOptions{}, "status")
			w.Must(err)
		}
		runtask.Deliver(harness.Added("Task", task))
		runtask.Deliver(harness.Ping("resync"))
		task, err = w.Kf.Tasks(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		w.Must(err)
		if id := task.Status.ID; id == 0 || ids[id] || task.Labels[v1alpha1.VersionLabel] != strconv.Itoa(id) {
			t.Errorf("%s: ID %d, its label says %q", name, id, task.Labels[v1alpha1.VersionLabel])
		}
		ids[task.Status.ID] = true
	}
}
