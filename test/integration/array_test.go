package integration

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// anArray makes an array of so many Tasks, of which so many may be under way.
func anArray(w *harness.World, app *v1alpha1.App, name string, count, parallelism int32) *v1alpha1.Task {
	w.Helper()
	task, err := w.Add(ctx, app, func(t *v1alpha1.Task) {
		t.GenerateName, t.Name, t.Spec.Count, t.Spec.Parallelism = "", name, count, parallelism
	})
	w.Must(err)
	return task
}

// unendedOf are the Tasks of an array that have not ended.
func unendedOf(w *harness.World, array string) []v1alpha1.Task {
	w.Helper()
	list, err := w.Kf.Tasks(w.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: v1alpha1.ArrayLabel + "=" + array, FieldSelector: "status.completionTime="})
	w.Must(err)
	return list.Items
}

// TestAnArray runs each index once, no more at a time than may, with two instances and events that are doubled and lost; one fails, one is
// deleted by somebody, and the array says which.
func TestAnArray(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	facts := harness.NewFacts(t)
	instances := []*harness.Function{w.Function(t, "runtask", "K_SINK="+facts.URL), w.Function(t, "runtask", "K_SINK="+facts.URL)}
	array := anArray(w, app, "import", 7, 3)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() { instances[i%2].Redeliver(harness.Added("Task", array)) })
	}
	all.Wait()
	for args, want := range map[string]string{"tasks shop": "import", "tasks shop -a": "import-2", "why import": "of 7 Tasks 3 are under way",
		"why import-1": "made for the index 1 of the array import"} {
		if out, said, code := w.RunKf(t, w.Namespace, strings.Fields(args)...); code != 0 || !strings.Contains(out, want) ||
			args == "tasks shop" && strings.Contains(out, "import-") {
			t.Errorf("kf %s: %d %s%s, want %q", args, code, out, said, want)
		}
	}
	made := map[string]bool{}
	for ended := 0; ended < 7; ended++ {
		var now []v1alpha1.Task
		harness.Eventually(t, time.Minute, func() error {
			if now = unendedOf(w, "import"); len(now) != min(3, 7-ended) {
				return fmt.Errorf("%d Tasks are under way after %d have ended, want %d", len(now), ended, min(3, 7-ended))
			}
			return nil
		})
		for _, c := range now {
			index := strings.TrimPrefix(c.Name, "import-")
			if !slices.Contains(c.Spec.Env, v1alpha1.EnvVar{Name: "KF_TASK_INDEX", Value: index}) ||
				!slices.Contains(c.Spec.Env, v1alpha1.EnvVar{Name: "KF_TASK_COUNT", Value: "7"}) {
				t.Errorf("%s has %v", c.Name, c.Spec.Env)
			}
			made[c.Name] = true
		}
		task := &now[0]
		switch task.Name {
		case "import-2": // somebody deletes it: it is not made anew
			w.Must(w.Kf.Tasks(w.Namespace).Delete(ctx, task.Name, metav1.DeleteOptions{}))
			instances[0].Deliver(harness.Ping("resync"))
			continue
		case "import-4":
			w.Must(w.Final(ctx, task, metav1.ConditionFalse))
		default:
			w.Must(w.Final(ctx, task, metav1.ConditionTrue))
		}
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		w.Must(err)
		if ended == 3 {
			instances[1].Deliver(harness.Ping("resync"))
			continue
		}
		fact := *events.NewTaskFact(events.TaskSucceeded, "status", task)
		for i := range instances {
			all.Go(func() { instances[i].Redeliver(fact) })
		}
		all.Wait()
	}
	array, err := w.Kf.Tasks(w.Namespace).Get(ctx, "import", metav1.GetOptions{})
	w.Must(err)
	s := array.Status.Array
	if s == nil || s.Created != 7 || s.Active != 0 || s.CompletedIndexes != "0-1,3,5-6" || s.FailedIndexes != "2,4" || len(made) != 7 {
		t.Errorf("%+v, and %d were made", s, len(made))
	}
	c := meta.FindStatusCondition(array.Status.Conditions, v1alpha1.ConditionSucceeded)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonFailed || !strings.Contains(c.Message, "2 of 7") || array.Status.CompletionTime == nil {
		t.Errorf("the array says %+v", c)
	}
	if array.Labels[v1alpha1.HandledLabel] != string(array.UID) || facts.Told(events.TaskFailed, w.Namespace+"/import") == 0 {
		t.Errorf("its end was not told: labels %v", array.Labels)
	}
	runs, err := w.Tekton.PipelineRuns(w.Namespace).List(ctx, metav1.ListOptions{})
	w.Must(err)
	for _, r := range runs.Items {
		if r.Name == "import" {
			t.Error("the array itself has a run")
		}
	}
}

// TestAnArrayIsStopped with what of it is under way; what was not made is never made.
func TestAnArrayIsStopped(t *testing.T) {
	w := harness.NewWorld(t)
	f, stop := w.Function(t, "runtask"), w.Function(t, "terminate")
	array := anArray(w, w.App("shop", nil), "import", 9, 2)
	f.Deliver(harness.Added("Task", array))
	array, err := w.Kf.Tasks(w.Namespace).Patch(ctx, "import", "application/merge-patch+json", []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	w.Must(err)
	stop.Deliver(harness.Updated("Task", array))
	under := unendedOf(w, "import")
	for _, c := range under {
		if !c.Spec.Terminated {
			t.Errorf("%s was not asked to stop", c.Name)
		}
		w.Must(w.Final(ctx, &c, metav1.ConditionFalse))
	}
	if len(under) != 2 {
		t.Errorf("%d were under way, want 2", len(under))
	}
	f.Deliver(harness.Ping("resync"))
	stop.Deliver(harness.Ping("resync"))
	if array, err = w.Kf.Tasks(w.Namespace).Get(ctx, "import", metav1.GetOptions{}); err != nil || array.Outcome() != v1alpha1.TaskTerminated {
		t.Fatalf("the array is %q (%v)", array.Outcome(), err)
	}
	if e := array.Status.Termination; e == nil || e.Log != v1alpha1.LogNone || array.Status.Array.Created != 2 {
		t.Errorf("termination %+v, %+v", e, array.Status.Array)
	}
}

// TestWhatNoArrayCanHave is refused by the API server.
func TestWhatNoArrayCanHave(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	many := func(n int) (env []v1alpha1.EnvVar) {
		for i := range n {
			env = append(env, v1alpha1.EnvVar{Name: fmt.Sprint("V", i)})
		}
		return env
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.TaskSpec)
		says   string
	}{
		"none":               {func(s *v1alpha1.TaskSpec) { s.Count = -1 }, "at least 1"},
		"too many":           {func(s *v1alpha1.TaskSpec) { s.Count = 1001 }, "1000"},
		"more than there is": {func(s *v1alpha1.TaskSpec) { s.Count, s.Parallelism = 3, 4 }, "from 1 to count"},
		"of no array":        {func(s *v1alpha1.TaskSpec) { s.Parallelism = 1 }, "from 1 to count"},
		"too many variables": {func(s *v1alpha1.TaskSpec) { s.Count, s.Env = 3, many(63) }, "at most 62"},
	} {
		_, err := w.Add(ctx, app, func(t *v1alpha1.Task) { c.change(&t.Spec) })
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	array := anArray(w, app, "import", 3, 0)
	_, err := w.Kf.Tasks(w.Namespace).Patch(ctx, array.Name, "application/merge-patch+json", []byte(`{"spec":{"count":4}}`), metav1.PatchOptions{})
	if err == nil || !strings.Contains(err.Error(), "run a new Task") {
		t.Errorf("count was changed: %v", err)
	}
}
