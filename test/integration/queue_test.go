package integration

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// limited is an App of which so many Tasks may run.
func limited(w *harness.World, name string, limit int32) *v1alpha1.App {
	w.Helper()
	app := w.App(name, nil)
	app.Spec.MaxRunningTasks = &limit
	app, err := w.Kf.Apps(w.Namespace).Update(ctx, app, metav1.UpdateOptions{})
	w.Must(err)
	return app
}

// limitSpace gives the namespace a Space of which so many Tasks may run.
func limitSpace(w *harness.World, limit int32) {
	w.Helper()
	s := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
	s.Spec.Limits.MaxRunningTasks = &limit
	_, err := w.Kf.Spaces().Create(ctx, s, metav1.CreateOptions{})
	w.Must(err)
	w.Cleanup(func() { _ = w.Kf.Spaces().Delete(context.Background(), w.Namespace, metav1.DeleteOptions{}) })
}

// running watches which Tasks of a namespace have a run and have not ended, as the API server tells it.
type running struct {
	*harness.World
	mu    sync.Mutex
	now   map[string]bool
	most  int
	order []string
}

func watchRuns(w *harness.World) *running {
	r := &running{World: w, now: map[string]bool{}}
	runs, err := w.Tekton.PipelineRuns(w.Namespace).Watch(w.Context(), metav1.ListOptions{})
	w.Must(err)
	w.Cleanup(runs.Stop)
	go func() {
		for e := range runs.ResultChan() {
			if run, ok := e.Object.(*tekton.PipelineRun); ok && e.Type == watch.Added {
				r.mu.Lock()
				r.now[run.Name] = true
				r.most = max(r.most, len(r.now))
				r.order = append(r.order, run.Name)
				r.mu.Unlock()
			}
		}
	}()
	return r
}

func (r *running) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.now))
}

// end ends a Task, and is its fact.
func (r *running) end(name string) *v1alpha1.Task {
	r.mu.Lock()
	delete(r.now, name) // before it is so: what starts for it is never one too many
	r.mu.Unlock()
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name}}
	r.Must(r.Final(ctx, task, metav1.ConditionTrue))
	task, err := r.Kf.Tasks(r.Namespace).Get(ctx, name, metav1.GetOptions{})
	r.Must(err)
	return task
}

// TestALimitHoldsWithSeveralInstances: three processes are told of 40 Tasks, doubled and out of order, while some end; never do more run
// than may, each end starts the next at once, and all have run.
func TestALimitHoldsWithSeveralInstances(t *testing.T) {
	const tasks, limit = 40, 3
	for name, setUp := range map[string]func(*harness.World) []*v1alpha1.App{
		"of an App": func(w *harness.World) []*v1alpha1.App { return []*v1alpha1.App{limited(w, "shop", limit)} },
		"of a Space": func(w *harness.World) []*v1alpha1.App {
			limitSpace(w, limit)
			return []*v1alpha1.App{w.App("shop", nil), limited(w, "mail", 2)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t)
			apps := setUp(w)
			var instances []*harness.Function
			for range 3 {
				instances = append(instances, w.Function(t, "runtask"))
			}
			runs := watchRuns(w)
			var all sync.WaitGroup
			for i := range tasks {
				task, err := w.Add(ctx, apps[i%len(apps)], nil)
				w.Must(err)
				for range 2 {
					all.Go(func() { instances[rand.IntN(3)].Redeliver(harness.Added("Task", task)) })
				}
			}
			for done := 0; done < tasks; done++ {
				harness.Eventually(t, time.Minute, func() error {
					if len(runs.names()) == 0 {
						return fmt.Errorf("after %d ends none runs", done)
					}
					return nil
				})
				names := runs.names()
				name := names[rand.IntN(len(names))]
				harness.Eventually(t, time.Minute, func() error { // its label comes after its run
					task, err := w.Kf.Tasks(w.Namespace).Get(ctx, name, metav1.GetOptions{})
					if err == nil && !task.HandledBefore() {
						err = fmt.Errorf("%s is not marked as handled", name)
					}
					return err
				})
				ended := runs.end(name)
				switch {
				case ended.Labels[v1alpha1.AwaitedLabel] != "true":
					t.Fatalf("the end of %s wakes nobody: labels %v", ended.Name, ended.Labels)
				case done%10 == 9: // its event is lost
					instances[rand.IntN(3)].Deliver(harness.Ping("resync"))
				default:
					instances[rand.IntN(3)].Redeliver(*events.NewTaskFact(events.TaskSucceeded, "status", ended))
				}
			}
			all.Wait()
			if runs.most != limit {
				t.Errorf("at most %d ran at a time, want %d", runs.most, limit)
			}
			if n := len(runs.order); n != tasks {
				t.Errorf("%d have run, want %d", n, tasks)
			}
		})
	}
}

// TestAQueuedTask says so and what for, starts when it is its turn, oldest first, and leaves the queue when it is to stop, expires or its
// App is gone.
func TestAQueuedTask(t *testing.T) {
	w := harness.NewWorld(t)
	app := limited(w, "shop", 1)
	f := w.Function(t, "runtask")
	runs := watchRuns(w)
	for i, change := range []func(*v1alpha1.Task){
		nil, nil,
		func(t *v1alpha1.Task) { t.Spec.Expires = &metav1.Time{Time: time.Now().Add(20 * time.Second)} },
		nil, nil,
	} {
		task, err := w.Add(ctx, app, func(t *v1alpha1.Task) {
			t.GenerateName, t.Name = "", fmt.Sprint("t", i)
			if change != nil {
				change(t)
			}
		})
		w.Must(err)
		f.Deliver(harness.Added("Task", task))
	}
	get := func(name string) *v1alpha1.Task {
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		w.Must(err)
		return task
	}
	said := func(name string) string {
		c := meta.FindStatusCondition(get(name).Status.Conditions, v1alpha1.ConditionSucceeded)
		if c == nil {
			return ""
		}
		return string(c.Status) + " " + c.Reason + ": " + c.Message
	}
	for i := 1; i < 5; i++ {
		want := fmt.Sprintf(`Unknown Queued: place %d in the queue: App "shop" may run 1 Tasks at a time`, i)
		if got := said(fmt.Sprint("t", i)); !strings.HasPrefix(got, want) {
			t.Errorf("t%d says %q, want %q", i, got, want)
		}
		if q := get(fmt.Sprint("t", i)).Status.Queue; q == nil || q.Of != v1alpha1.QueueOfApp || int(q.Place) != i {
			t.Errorf("t%d has %+v", i, q)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"queue shop", "App shop: 1 of at most 1 Tasks run, 4 wait"}, {"queue", "t4     shop"}, {"tasks shop", "Queued, place 3"},
		{"why t3", "it had to wait for its turn"},
	} {
		if out, said, code := w.RunKf(t, w.Namespace, strings.Fields(c.args)...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("kf %s: %d %s%s, want %q", c.args, code, out, said, c.want)
		}
	}
	f.Proxy.Inject(nil)
	f.Deliver(harness.Ping("resync"))
	reads, writes := f.Proxy.Counts()
	if writes != 0 || reads > 20 {
		t.Errorf("a queue in which nothing changes cost %d reads and %d writes", reads, writes)
	}

	// one is asked to stop, one expires
	_, err := w.Kf.Tasks(w.Namespace).Patch(ctx, "t1", "application/merge-patch+json", []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	w.Must(err)
	harness.Eventually(t, time.Minute, func() error {
		f.Deliver(harness.Ping("resync"))
		if got := said("t2"); !strings.HasPrefix(got, "False Expired") {
			return fmt.Errorf("t2 says %q, want it to have expired", got)
		}
		return nil
	})
	if run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, "t1", metav1.GetOptions{}); err != nil || !run.IsCancelled() {
		t.Errorf("t1 was stopped in the queue, and has no cancelled run: %v", err)
	}
	w.Must(w.Final(ctx, get("t1"), metav1.ConditionFalse)) // as status does

	f.Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", runs.end("t0")))
	wantOneRun(t, w.Cluster, w.Namespace, "t3")
	if q := get("t3").Status.Queue; q == nil || q.Since.IsZero() {
		t.Error("that it has waited is forgotten")
	}

	// the limit is raised, and the others start; then the App goes
	app, err = w.Kf.Apps(w.Namespace).Get(ctx, "shop", metav1.GetOptions{})
	w.Must(err)
	two := int32(2)
	app.Spec.MaxRunningTasks = &two
	_, err = w.Kf.Apps(w.Namespace).Update(ctx, app, metav1.UpdateOptions{})
	w.Must(err)
	f.Deliver(harness.Ping("resync"))
	wantOneRun(t, w.Cluster, w.Namespace, "t4")
	task, err := w.Add(ctx, app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", "t5" })
	w.Must(err)
	f.Deliver(harness.Added("Task", task))
	if got := said("t5"); !strings.HasPrefix(got, "Unknown Queued: place 1") {
		t.Fatalf("t5 says %q", got)
	}
	orphan := metav1.DeletePropagationOrphan
	w.Must(w.Kf.Apps(w.Namespace).Delete(ctx, "shop", metav1.DeleteOptions{PropagationPolicy: &orphan}))
	harness.Eventually(t, time.Minute, func() error {
		f.Deliver(harness.Ping("resync"))
		if got := said("t5"); !strings.HasPrefix(got, "Unknown AppNotFound") {
			return fmt.Errorf("without its App t5 says %q", got)
		}
		return nil
	})
}

// TestAnAppWithoutALimitPaysNothing: no list, no write, no event more.
func TestAnAppWithoutALimitPaysNothing(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	f := w.Function(t, "runtask")
	f.Deliver(harness.Ping("resync")) // what other tests have left
	first, err := w.Add(ctx, app, nil)
	w.Must(err)
	f.Deliver(harness.Added("Task", first)) // the first of an App looks for its IDs
	f.Proxy.Inject(nil)
	task, err := w.Add(ctx, app, nil)
	w.Must(err)
	f.Deliver(harness.Added("Task", task))
	wantOneRun(t, w.Cluster, w.Namespace, task.Name)
	for _, r := range f.Proxy.Requests() {
		if strings.Contains(fmt.Sprint(r), "/tasks?") {
			t.Errorf("its Tasks were listed: %v", r)
		}
	}
	if reads, writes := f.Proxy.Counts(); reads > 7 || writes != 3 {
		t.Errorf("%d reads and %d writes, want 7 and 3: %v", reads, writes, f.Proxy.Requests())
	}
	task, err = w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
	w.Must(err)
	if _, told := events.NewTaskFact(events.TaskSucceeded, "status", task).Extensions()["kfawaited"]; told {
		t.Error("its end is sent to who does not wait for it")
	}
}

// TestALimitOfNoneIsRefused, with what to do.
func TestALimitOfNoneIsRefused(t *testing.T) {
	w := harness.NewWorld(t)
	none := int32(0)
	app := harness.NewApp(w.Namespace, "shop", "registry.example/shop")
	app.Spec.MaxRunningTasks = &none
	_, err := w.Kf.Apps(w.Namespace).Create(ctx, app, metav1.CreateOptions{})
	space := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
	space.Spec.Limits.MaxRunningTasks = &none
	_, ofSpace := w.Kf.Spaces().Create(ctx, space, metav1.CreateOptions{})
	for of, err := range map[string]error{"App": err, "Space": ofSpace} {
		if err == nil || !strings.Contains(err.Error(), "use pause instead") {
			t.Errorf("%s: %v", of, err)
		}
	}
}
