package upgrade

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// version is a version's functions, and its folder.
type version struct{ tick, runtask, status *harness.Function }

// look has each function look for what it missed, in some order, so often.
func (v version) look(times int) {
	fs := []struct {
		f    *harness.Function
		ping string
	}{{v.tick, "every-minute"}, {v.runtask, "resync"}, {v.status, "resync"}, {v.tick, "resync"}}
	for range times {
		for _, i := range rand.Perm(len(fs)) {
			fs[i].f.Redeliver(harness.Ping(fs[i].ping))
		}
	}
}

// TestUpgradeAndDowngrade: with Tasks in every state and Jobs due, the version before ends and this one begins; then back. Nothing is lost,
// nothing runs twice, and no object is refused.
func TestUpgradeAndDowngrade(t *testing.T) {
	c := harness.New(t)
	tree := harness.Before(t)
	crds := func(tree string) {
		kubectl(t, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(tree, "config", "crd"))
		kubectl(t, "wait", "--for=condition=Established", "--timeout=20s", "crd", "apps.kf.dev", "tasks.kf.dev", "taskschedules.kf.dev")
	}
	kubectl(t, "delete", "--ignore-not-found", "-k", filepath.Join(harness.Root(), "config", "crd")) // those the cluster comes with
	t.Cleanup(func() { crds(harness.Root()) })
	crds(tree)
	w := &world{T: t, Cluster: c, ns: c.Namespace(t, "upgrade")}
	kubectl(t, "apply", "-n", w.ns, "-f", objects())
	w.settled("shop")

	old := version{c.Of(t, tree, "tick"), c.Of(t, tree, "runtask"), c.Of(t, tree, "status")}
	for _, name := range []string{"ended", "failed", "running", "in-flight", "unmarked", "stopped", "run-gone"} {
		old.runtask.Redeliver(harness.Added("Task", w.create("shop", name)))
	}
	old.runtask.Redeliver(harness.Added("Task", w.create("unbuilt", "waiting")))
	w.says(old.status, "ended", "True", "Succeeded")
	w.says(old.status, "failed", "False", "Failed")
	w.says(old.status, "running", "Unknown", "Running")
	w.says(nil, "in-flight", "True", "Succeeded")                           // nobody was told
	_, err := w.Kf.Tasks(w.ns).Patch(ctx, "unmarked", types.MergePatchType, // runtask died between its writes
		fmt.Appendf(nil, `{"metadata":{"labels":{%q:null}}}`, v1alpha1.VersionLabel), metav1.PatchOptions{})
	w.must(err)
	_, err = w.Kf.Tasks(w.ns).Patch(ctx, "stopped", types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	w.must(err)
	w.says(old.status, "run-gone", "Unknown", "Running")
	w.must(w.Tekton.PipelineRuns(w.ns).Delete(ctx, "run-gone", metav1.DeleteOptions{})) // and nobody was told
	w.create("shop", "lost")                                                            // its event was

	clearOfTheMinute()
	owed := minute(2)
	for name, schedule := range map[string]string{"due": daily(owed), "half-done": daily(owed), "minutely": "* * * * *"} {
		old.tick.Redeliver(harness.Added("TaskSchedule", w.schedule(name, schedule)))
	}
	w.decidedUntil("half-done", owed.Add(-time.Minute))
	w.decidedUntil("minutely", minute(9))
	old.tick.Redeliver(harness.Ping("every-minute"))
	w.decidedUntil("half-done", owed.Add(-time.Minute)) // tick died after it had created the Task
	w.decidedUntil("due", owed.Add(-time.Minute))
	if n := len(w.tasksOf("half-done")) + len(w.tasksOf("minutely")); n != 2 || len(w.tasksOf("due")) != 0 {
		t.Fatalf("the version before made %d Tasks, and %d of the Job that is due", n, len(w.tasksOf("due")))
	}
	for _, f := range []*harness.Function{old.tick, old.runtask, old.status} {
		f.Kill()
	}
	runs, history := w.runs(), w.job("minutely").Status.History
	ended := map[string]v1alpha1.TaskStatus{"ended": w.task("ended").Status, "failed": w.task("failed").Status}

	crds(harness.Root())
	w.refusesNothing()
	now := version{c.Function(t, "tick"), c.Function(t, "runtask"), c.Function(t, "status")}
	clearOfTheMinute()
	now.look(3)

	w.kept("upgrade", runs, ended)
	made := slices.Sorted(maps.Keys(w.runs()))
	for _, name := range []string{"lost", w.tasksOf("due")[0].Name, w.tasksOf("half-done")[0].Name} {
		if !slices.Contains(made, name) {
			t.Errorf("the Task %s has no run; there are those of %v", name, made)
		}
	}
	if _, is := w.runs()["run-gone"]; is || !w.task("run-gone").Final() {
		t.Errorf("a Task whose run was deleted is run a second time, or does not end: %+v", w.task("run-gone").Status)
	}
	for _, job := range []string{"due", "half-done"} {
		if tasks := w.tasksOf(job); len(tasks) != 1 || tasks[0].Name != w.job(job).TaskName(owed) {
			t.Errorf("the Job %s has %d Tasks: its instant %s is to run once", job, len(tasks), owed)
		}
	}
	w.onceEach("minutely", history)
	if n := len(w.tasksOf("all-fields")); n != 0 {
		t.Errorf("a suspended Job has %d Tasks", n)
	}
	if is := meta.FindStatusCondition(w.task("in-flight").Status.Conditions, v1alpha1.ConditionSucceeded); is == nil || is.Status != metav1.ConditionTrue {
		t.Errorf("the run that ended while nobody was told: %+v", is)
	}
	w.says(now.status, "running", "False", "Failed")
	w.settled("unbuilt") // and now it can start
	now.look(2)
	if task := w.task("running"); !task.Final() {
		t.Errorf("the Task that ran throughout is %+v", task.Status.Conditions)
	}
	if _, is := w.runs()["waiting"]; !is {
		t.Error("the Task that waited for its App never starts")
	}

	// And back.
	for _, f := range []*harness.Function{now.tick, now.runtask, now.status} {
		f.Kill()
	}
	runs, history = w.runs(), w.job("minutely").Status.History
	ended["running"] = w.task("running").Status
	crds(tree)
	for _, f := range []*harness.Function{old.tick, old.runtask, old.status} {
		f.Start()
	}
	clearOfTheMinute()
	old.look(2)
	w.kept("downgrade", runs, ended)
	w.onceEach("minutely", history)
	for _, job := range []string{"due", "half-done"} {
		if n := len(w.tasksOf(job)); n != 1 {
			t.Errorf("after the way back the Job %s has %d Tasks", job, n)
		}
	}
}

// refusesNothing: what is there can be written again as it is, and what was written of old can be created anew.
func (w *world) refusesNothing() {
	w.Helper()
	for _, kind := range []string{"apps.kf.dev", "tasks.kf.dev", "taskschedules.kf.dev"} {
		file := filepath.Join(w.TempDir(), kind+".json")
		w.must(writeFile(file, kubectl(w.T, "get", kind, "-n", w.ns, "-o", "json")))
		kubectl(w.T, "replace", "--dry-run=server", "-n", w.ns, "-f", file)
	}
	kubectl(w.T, "create", "--dry-run=server", "-n", w.Cluster.Namespace(w.T, "anew"), "-f", objects())
}

// kept: the runs of before are there and are the same, and what had ended says the same.
func (w *world) kept(by string, runs map[string]types.UID, ended map[string]v1alpha1.TaskStatus) {
	w.Helper()
	after := w.runs()
	for name, uid := range runs {
		if after[name] != uid {
			w.Errorf("after the %s the run of %s is another one", by, name)
		}
	}
	for name, was := range ended {
		is := w.task(name).Status
		if is.ID != was.ID || !is.CompletionTime.Equal(was.CompletionTime) || !reflect.DeepEqual(is.Conditions, was.Conditions) {
			w.Errorf("after the %s the Task %s says\n%+v, was\n%+v", by, name, is, was)
		}
	}
}

// onceEach: each Task of the Job is of an instant of its own, what was on record is, and the record has no hole.
func (w *world) onceEach(job string, before []v1alpha1.Decision) {
	w.Helper()
	j, instants := w.job(job), map[string]bool{}
	for _, d := range j.Status.History {
		if d.Outcome == v1alpha1.OutcomeRan {
			if instants[d.Task] {
				w.Errorf("the Task %s is on record for two instants", d.Task)
			}
			instants[d.Task] = true
		}
	}
	for _, task := range w.tasksOf(job) {
		if !instants[task.Name] {
			w.Errorf("the Task %s is on record for no instant", task.Name)
		}
	}
	for _, d := range before {
		if !slices.ContainsFunc(j.Status.History, func(is v1alpha1.Decision) bool { return is.Instant.Equal(&d.Instant) && is.Outcome == d.Outcome }) {
			w.Errorf("the record of %s (%s) is gone", d.Instant, d.Outcome)
		}
	}
	decided, oldest := int64(0), j.Status.History[len(j.Status.History)-1]
	for _, d := range j.Status.History {
		decided += max(d.Count, 1)
	}
	// The oldest record may stand for several, of which it is the latest.
	if want := int64(j.Status.DecidedUntil.Sub(oldest.Instant.Time)/time.Minute) + max(oldest.Count, 1); decided != want {
		w.Errorf("%d instants are on record until %s, want %d: %+v", decided, j.Status.DecidedUntil, want, j.Status.History)
	}
	if j.Status.DecidedUntil.Time.Before(minute(1)) {
		w.Errorf("nothing is decided since %s", j.Status.DecidedUntil)
	}
}

func writeFile(name, text string) error { return os.WriteFile(name, []byte(text), 0o600) }
