package integration

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/retention"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// pruned is a world with prune in it.
type pruned struct {
	*harness.World
	*harness.Function
	facts *harness.Facts
}

func newPruned(t *testing.T, settings ...string) *pruned {
	w := harness.NewWorld(t)
	f := harness.NewFacts(t)
	return &pruned{w, w.Function(t, "prune", append([]string{"K_SINK=" + f.URL, "SWEEP_INTERVAL=200ms", "LOG_LEVEL=debug"}, settings...)...), f}
}

// reported are the Tasks that facts were about, by name.
func (p *pruned) reported() map[string]events.TaskFact {
	p.Helper()
	about := map[string]events.TaskFact{}
	for _, e := range p.facts.All() {
		var fact events.TaskFact
		if err := e.DataAs(&fact); err != nil || e.Type() != events.TaskPruned {
			p.Errorf("not the fact of a pruned Task: %v %v", err, e)
		}
		about[fact.Task] = fact
	}
	return about
}

// history makes Tasks of an App, oldest first: "a" has ended, "a~" has not. Each is a second younger than the one before
// it in the order that counts: by ID, as they may share their second.
func (p *pruned) history(app *v1alpha1.App, words ...string) (tasks []*v1alpha1.Task) {
	p.Helper()
	for _, word := range words {
		name, runs := strings.CutSuffix(word, "~")
		task, err := p.Add(p.Context(), app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", app.Name+"-"+name })
		p.Must(err)
		p.Must(p.World.Start(p.Context(), app, task))
		if !runs {
			p.Must(p.End(p.Context(), task))
		}
		tasks = append(tasks, task)
	}
	return tasks
}

func numbers(from, to int) (words []string) {
	for i := from; i <= to; i++ {
		words = append(words, fmt.Sprintf("%03d", i))
	}
	return words
}

// left are the Tasks of an App that are there, by the names that history gave them.
func (p *pruned) left(app string) (names []string) {
	p.Helper()
	for _, t := range p.Tasks(app) {
		names = append(names, strings.TrimPrefix(t.Name, app+"-"))
	}
	slices.Sort(names)
	return names
}

func (p *pruned) wantLeft(app string, want ...string) {
	p.Helper()
	if got := p.left(app); !slices.Equal(got, want) {
		p.Errorf("App %s has %v, want %v", app, got, want)
	}
}

// wantNoOrphans waits for the garbage collector: each Task has its run, TaskRun and Pod, and there are no others.
func (p *pruned) wantNoOrphans(tasks int) {
	p.Helper()
	harness.Eventually(p, 5*time.Minute, func() error {
		if got := p.Dependents(); got != [3]int{tasks, tasks, tasks} {
			return fmt.Errorf("%d Tasks have %v PipelineRuns, TaskRuns, Pods", tasks, got)
		}
		return nil
	})
}

// calls are the requests of prune since it was last asked, with the form of the answer that is wanted; but not that for the Space, which is
// one in five seconds.
func (p *pruned) calls() (calls []string) {
	for _, r := range p.Proxy.Requests() {
		if strings.Contains(r.Path, "/spaces/") {
			continue
		}
		path := strings.Split(r.Path, "/namespaces/")
		call := r.Method + " " + path[len(path)-1]
		switch {
		case strings.Contains(r.Accept, "as=Table"):
			call += " as Table " + r.Query.Get("includeObject")
		case strings.Contains(r.Accept, "as=PartialObjectMetadata"):
			call += " as metadata"
		}
		calls = append(calls, call)
	}
	p.Proxy.Inject(nil)
	return calls
}

func TestPruneOneTaskAtTheLimitCostsAFewCalls(t *testing.T) {
	var costs []int
	for _, limit := range []int{5, 60} {
		p := newPruned(t, "RETAIN="+fmt.Sprint(limit), "SWEEP_INTERVAL=1ms")
		app := p.App("app", nil)
		p.history(app, numbers(1, limit)...)
		newest := p.history(app, "new~")[0]
		p.calls()

		p.Deliver(harness.Added("Task", newest))

		p.wantLeft("app", append(numbers(2, limit), "new")...)
		made := p.calls()
		ns := p.Namespace
		want := []string{
			"GET " + ns + " as metadata",
			"GET " + ns + "/apps/app as metadata",
			"GET " + ns + "/tasks as Table None",
			"GET " + ns + "/tasks as metadata", // those that have not ended
			"GET " + ns + "/tasks as metadata", // those that have
			"GET " + ns + "/tasks/app-001",     // the one that goes
			"DELETE " + ns + "/tasks/app-001",
		}
		if !slices.Equal(made, want) {
			t.Errorf("with %d Tasks:\n%s\nwant\n%s", limit, strings.Join(made, "\n"), strings.Join(want, "\n"))
		}
		costs = append(costs, len(made))

		// Below the limit, or when a Task ends at it, it is three.
		task, err := p.Kf.Tasks(ns).Get(t.Context(), newest.Name, metav1.GetOptions{})
		p.Must(err)
		p.Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", task))
		if made := p.calls(); len(made) != 3 {
			t.Errorf("a Task that ends makes %d calls, want 3:\n%s", len(made), strings.Join(made, "\n"))
		}
	}
	if costs[0] != costs[1] {
		t.Errorf("the number of calls grows with the history: %v", costs)
	}
}

func TestPruneABurstIsAFewSweepsAndEndsExact(t *testing.T) {
	const limit, before, burst = 20, 15, 150
	p := newPruned(t, fmt.Sprintf("RETAIN=%d", limit), "SWEEP_INTERVAL=2s")
	app, other := p.App("app", nil), p.App("other", nil)
	p.history(app, numbers(1, before)...)
	p.history(other, numbers(1, 3)...)
	p.calls()
	began := time.Now()

	// Events come doubled, late, out of order and not at all; some Tasks end after the last is added.
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	p.Parallel(burst, 16, func(ctx context.Context, i int) error {
		task, err := p.Add(ctx, app, nil)
		if err != nil {
			return err
		}
		added := harness.Added("Task", task)
		if i%5 != 0 {
			deliveries.Go(func() { p.Deliver(added) })
		}
		if i%7 == 0 {
			deliveries.Go(func() { time.Sleep(time.Duration(i*10) * time.Millisecond); p.Deliver(added) })
		}
		if err := p.World.Start(ctx, app, task); err != nil {
			return err
		}
		time.Sleep(time.Duration(i*37%200) * time.Millisecond)
		if err := p.End(ctx, task); err != nil {
			return err
		}
		ended, err := p.Kf.Tasks(p.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err == nil { // else it is pruned already
			p.Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", ended))
		}
		return nil
	})
	all := map[string]retention.Task{}
	harness.Eventually(t, 5*time.Minute, func() error {
		if n := len(p.Tasks("app")); n != limit {
			return fmt.Errorf("%d Tasks are left, want %d", n, limit)
		}
		return nil
	})
	took := time.Since(began)

	// What is left is newer than all that went, of which the facts tell.
	left := p.Tasks("app")
	for _, task := range left {
		all[task.Name] = retention.Of(&task)
	}
	gone := p.reported()
	if len(gone) != before+burst-limit {
		t.Errorf("%d Tasks went with a fact, want %d", len(gone), before+burst-limit)
	}
	highest := 0
	for name, fact := range gone {
		if _, stayed := all[name]; stayed {
			t.Errorf("a fact says that %s went", name)
		}
		if fact.Status.CompletionTime == nil || fact.App != "app" || fact.ID == 0 {
			t.Errorf("the fact of %s lacks its last status: %+v", name, fact)
		}
		highest = max(highest, fact.ID)
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(all)), retention.Compare)
	if d := highest - oldest.ID; d > 32 { // 16 at once: IDs and seconds of creation cross that far
		t.Errorf("Task %d went and the older Task %d stayed", highest, oldest.ID)
	}
	sweeps := 0
	for _, call := range p.calls() {
		if strings.Contains(call, "as Table") {
			sweeps++
		}
	}
	if most := int(took/(2*time.Second)) + 2; sweeps > most {
		t.Errorf("%d sweeps in %s, want at most %d", sweeps, took, most)
	}
	p.wantLeft("other", numbers(1, 3)...)
	p.wantNoOrphans(limit + 3)
}

func TestPruneWithEventsOff(t *testing.T) {
	p := newPruned(t, "RETAIN=3")
	for _, name := range []string{"one", "two"} {
		p.history(p.App(name, nil), numbers(1, 6)...)
	}
	p.history(p.App("few", nil), "001")

	p.Deliver(harness.Ping("every-hour"))

	p.wantLeft("one", numbers(4, 6)...)
	p.wantLeft("two", numbers(4, 6)...)
	p.wantLeft("few", "001")
}

func TestPruneNeverDeletesWhatHasNotEnded(t *testing.T) {
	p := newPruned(t, "RETAIN=4")
	app := p.App("app", nil)
	tasks := p.history(app, "001~", "002", "003", "004~", "005", "006")
	p.Deliver(harness.Added("Task", tasks[5]))
	p.wantLeft("app", "001", "004", "005", "006")

	// More that never end than the limit: all of them stay, and what has ended goes.
	more := p.history(app, "007~", "008~", "009~")
	p.Deliver(harness.Added("Task", more[2]))
	p.wantLeft("app", "001", "004", "007", "008", "009")

	// They go as they end, oldest first, with no Task added, down to the limit.
	p.Must(p.End(t.Context(), tasks[3]))
	p.deliverEnd(tasks[3])
	p.wantLeft("app", "001", "007", "008", "009")
	p.Must(p.End(t.Context(), tasks[0]))
	p.deliverEnd(tasks[0])
	p.wantLeft("app", "001", "007", "008", "009")
	p.wantNoOrphans(4)
}

func (p *pruned) deliverEnd(task *v1alpha1.Task) {
	p.Helper()
	ended, err := p.Kf.Tasks(p.Namespace).Get(p.Context(), task.Name, metav1.GetOptions{})
	p.Must(err)
	p.Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", ended))
}

// Killed before and after every write that it makes, prune does the rest when it is back. No Task goes without its fact,
// none too many goes, and the garbage collector leaves no orphan.
func TestPruneKilledAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		for write := 1; write <= 4; write++ {
			t.Run(fmt.Sprintf("write %d, after it %v", write, after), func(t *testing.T) {
				t.Parallel()
				p := newPruned(t, "RETAIN=3", "WORKERS=1")
				tasks := p.history(p.App("app", nil), numbers(1, 7)...)
				p.Proxy.Inject(func(r harness.Request) harness.Fault {
					switch {
					case r.Write != write:
						return harness.Fault{}
					case after:
						return harness.Fault{Then: p.Kill}
					}
					go p.Kill()
					return harness.Fault{Status: http.StatusServiceUnavailable, Delay: 200 * time.Millisecond}
				})
				if code, _ := p.Send(harness.Added("Task", tasks[6])); code >= 200 && code < 300 {
					t.Fatalf("acknowledged (%d) though it was killed", code)
				}
				if gone := p.reported(); len(gone) < 7-len(p.left("app")) {
					t.Errorf("%d Tasks are left and only %d facts were posted", len(p.left("app")), len(gone))
				}
				p.Proxy.Inject(nil)
				p.Function.Start()
				p.Deliver(harness.Added("Task", tasks[6]))
				p.wantLeft("app", numbers(5, 7)...)
				p.wantNoOrphans(3)
				if gone := p.reported(); len(gone) != 4 {
					t.Errorf("%d facts, want 4", len(gone))
				}
			})
		}
	}
}

func TestPruneWithAPIErrors(t *testing.T) {
	p := newPruned(t, "RETAIN=3")
	app := p.App("app", nil)
	tasks := p.history(app, numbers(1, 9)...)
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(7, 7))
	p.Proxy.Inject(func(harness.Request) harness.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.IntN(6) != 0 {
			return harness.Fault{}
		}
		return harness.Fault{Status: []int{403, 409, 429, 500, 503, 504}[r.IntN(6)], After: r.IntN(2) == 0}
	})
	p.Deliver(harness.Added("Task", tasks[8]))
	p.wantLeft("app", numbers(7, 9)...)
}

// One that the API server will not delete is not in the way of the others, and the sender hears of it.
func TestPruneOneThatCannotGoIsNotInTheWay(t *testing.T) {
	p := newPruned(t, "RETAIN=2", "WORKERS=1")
	tasks := p.history(p.App("app", nil), numbers(1, 6)...)
	p.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodDelete, "app-001") {
			return harness.Fault{Status: http.StatusForbidden}
		}
		return harness.Fault{}
	})
	if code, _ := p.Send(harness.Added("Task", tasks[5])); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", code)
	}
	p.wantLeft("app", "001", "005", "006")
}

// A ping looks at all Apps. That one of them fails costs itself: it is not the sender's to repeat all for it.
func TestPruneOneAppThatFailsCostsItself(t *testing.T) {
	p := newPruned(t, "RETAIN=1")
	for _, name := range []string{"good", "bad"} {
		p.history(p.App(name, nil), numbers(1, 3)...)
	}
	p.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodGet, "/apps/bad") {
			return harness.Fault{Status: http.StatusForbidden}
		}
		return harness.Fault{}
	})
	if code, _ := p.Send(harness.Ping("every-hour")); code != http.StatusOK && code != http.StatusAccepted && code != http.StatusNoContent {
		t.Errorf("answered %d, want success", code)
	}
	p.wantLeft("good", "003")
	p.wantLeft("bad", numbers(1, 3)...)
}

// One that was counted as running, and has ended and gone before the others were counted, is none to keep others out.
func TestPruneCountsNoneThatIsGone(t *testing.T) {
	p := newPruned(t, "RETAIN=2")
	tasks := p.history(p.App("app", nil), "001~", "002", "003")
	lists := 0
	p.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.Path, p.Namespace+"/tasks") {
			return harness.Fault{}
		}
		if lists++; lists != 2 { // the first is the table, the second and the third are the Tasks
			return harness.Fault{}
		}
		return harness.Fault{Then: func() {
			if err := p.End(t.Context(), tasks[0]); err != nil {
				t.Error(err)
			}
			if err := p.Kf.Tasks(p.Namespace).Delete(t.Context(), tasks[0].Name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		}}
	})
	p.Deliver(harness.Added("Task", tasks[2]))
	if lists != 3 {
		t.Errorf("%d lists, want 3", lists)
	}
	p.wantLeft("app", "002", "003")
}

func TestPruneTwoAtOnceDoNotFight(t *testing.T) {
	p := newPruned(t, "RETAIN=10")
	second := p.World.Function(t, "prune", "RETAIN=10", "K_SINK="+p.facts.URL, "SWEEP_INTERVAL=1ms")
	app := p.App("app", nil)
	var all []*v1alpha1.Task
	for round := range 5 {
		all = append(all, p.history(app, numbers(round*15+1, round*15+15)...)...)
		newest := all[len(all)-1]
		var both sync.WaitGroup
		for _, f := range []*harness.Function{p.Function, second, p.Function, second} {
			both.Go(func() { f.Deliver(harness.Added("Task", newest)) })
		}
		both.Wait()
		p.wantLeft("app", numbers(round*15+6, round*15+15)...)
	}
}

func TestPruneRefusesABadPolicy(t *testing.T) {
	p := newPruned(t, "RETAIN=2")
	app := p.App("app", map[string]string{v1alpha1.RetainAnnotation: "0"})
	tasks := p.history(app, numbers(1, 4)...)
	for range 2 {
		p.Deliver(harness.Added("Task", tasks[3]))
	}
	p.wantLeft("app", numbers(1, 4)...)
	said, err := p.Kube.EventsV1().Events(p.Namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=RetentionRefused"})
	p.Must(err)
	if len(said.Items) != 1 || !strings.Contains(said.Items[0].Note, `tasks.kf.dev/retain: "0"`) || said.Items[0].Regarding.Name != "app" {
		t.Errorf("the App's Events do not say once what is wrong: %+v", said.Items)
	}

	_, err = p.Kf.Apps(p.Namespace).Patch(t.Context(), "app", types.MergePatchType, []byte(`{"metadata":{"annotations":{"tasks.kf.dev/retain":"3"}}}`), metav1.PatchOptions{})
	p.Must(err)
	p.Deliver(harness.Added("Task", tasks[3]))
	p.wantLeft("app", numbers(2, 4)...)
}

func TestPrunePolicyOfTheSpaceAndTheApp(t *testing.T) {
	p := newPruned(t, "RETAIN=1")
	_, err := p.Kube.CoreV1().Namespaces().Patch(t.Context(), p.Namespace, types.MergePatchType, []byte(`{"metadata":{"annotations":{"tasks.kf.dev/retain":"2"}}}`), metav1.PatchOptions{})
	p.Must(err)
	for app, annotations := range map[string]map[string]string{
		"space": nil, "own": {v1alpha1.RetainAnnotation: "3"}, "all": {v1alpha1.RetainAnnotation: v1alpha1.Unlimited},
	} {
		p.history(p.App(app, annotations), numbers(1, 5)...)
	}
	p.Deliver(harness.Ping("every-hour"))
	p.wantLeft("space", numbers(4, 5)...)
	p.wantLeft("own", numbers(3, 5)...)
	p.wantLeft("all", numbers(1, 5)...)
}

func TestPruneOptionalRules(t *testing.T) {
	p := newPruned(t, "RETAIN=500")
	pin := func(name string) {
		_, err := p.Kf.Tasks(p.Namespace).Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"tasks.kf.dev/pin":"true"}}}`), metav1.PatchOptions{})
		p.Must(err)
	}
	t.Run("pin", func(*testing.T) {
		tasks := p.history(p.App("pin", map[string]string{v1alpha1.RetainAnnotation: "2"}), numbers(1, 4)...)
		pin("pin-001")
		p.Deliver(harness.Added("Task", tasks[3]))
		p.wantLeft("pin", "001", "003", "004")
	})
	t.Run("per Job", func(*testing.T) {
		app := p.App("jobs", map[string]string{v1alpha1.RetainSucceededPerJobAnnotation: "1", v1alpha1.RetainFailedPerJobAnnotation: "2"})
		var last *v1alpha1.Task
		for i, outcome := range []metav1.ConditionStatus{"True", "False", "False", "True", "False", "True"} {
			task, err := p.Add(t.Context(), app, func(t *v1alpha1.Task) {
				t.GenerateName, t.Name = "", fmt.Sprintf("jobs-%d", i)
				t.Labels[v1alpha1.TaskScheduleLabel] = "nightly"
			})
			p.Must(err)
			p.Must(p.World.Start(t.Context(), app, task))
			p.Must(p.Final(t.Context(), task, outcome))
			last = task
		}
		p.Deliver(harness.Added("Task", last))
		p.wantLeft("jobs", "2", "4", "5")
	})
	t.Run("age counts from the end", func(*testing.T) {
		app := p.App("age", map[string]string{v1alpha1.RetainForAnnotation: "1s"})
		tasks := p.history(app, "001", "002~", "003~")
		harness.Eventually(t, time.Minute, func() error {
			if age := time.Since(tasks[1].CreationTimestamp.Time); age < 3*time.Second {
				return fmt.Errorf("the second was created only %s ago", age)
			}
			return nil
		})
		// It was created longer ago than Tasks are kept, and has ended only now: in an hour, so that no machine is too slow.
		p.Must(p.EndAt(t.Context(), tasks[1], time.Now().Add(time.Hour)))
		p.Deliver(harness.Ping("every-hour"))
		p.wantLeft("age", "002", "003")
	})
	t.Run("Pods", func(*testing.T) {
		app := p.App("pods", map[string]string{v1alpha1.RetainPodsForAnnotation: "0s"})
		tasks := p.history(app, "001", "002~", "003")
		pin("pods-003")
		if code, _ := p.Send(harness.Added("Task", tasks[2])); code != http.StatusServiceUnavailable {
			t.Errorf("answered %d without the right to delete Pods, want 503", code)
		}
		p.grantPods()
		p.Deliver(harness.Added("Task", tasks[2]))
		pods, err := p.Kube.CoreV1().Pods(p.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.NameLabel + "=pods"})
		p.Must(err)
		var names []string
		for _, pod := range pods.Items {
			names = append(names, pod.Name)
		}
		if want := []string{"pods-002-pod", "pods-003-pod"}; !slices.Equal(names, want) {
			t.Errorf("Pods %v are left, want %v", names, want)
		}
		p.wantLeft("pods", numbers(1, 3)...)
	})
}

// grantPods applies config/options/prune-pods.
func (p *pruned) grantPods() {
	p.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), "config", "options", "prune-pods", "rbac.yaml"))
	p.Must(err)
	var role rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	for i, doc := range strings.Split(string(b), "\n---\n") {
		p.Must(yaml.UnmarshalStrict([]byte(doc), []any{&role, &binding}[i]))
	}
	_, err = p.Kube.RbacV1().ClusterRoles().Create(p.Context(), &role, metav1.CreateOptions{})
	p.Must(err)
	_, err = p.Kube.RbacV1().ClusterRoleBindings().Create(p.Context(), &binding, metav1.CreateOptions{})
	p.Must(err)
	p.Cleanup(func() {
		_ = p.Kube.RbacV1().ClusterRoleBindings().Delete(context.Background(), binding.Name, metav1.DeleteOptions{})
		_ = p.Kube.RbacV1().ClusterRoles().Delete(context.Background(), role.Name, metav1.DeleteOptions{})
	})
}

func TestPruneKeepsWhatItCannotReport(t *testing.T) {
	p := newPruned(t, "RETAIN=1")
	tasks := p.history(p.App("app", nil), numbers(1, 3)...)
	p.facts.Refuse(true)
	if code, _ := p.Send(harness.Added("Task", tasks[2])); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", code)
	}
	p.wantLeft("app", numbers(1, 3)...)
	p.facts.Refuse(false)
	p.Deliver(harness.Added("Task", tasks[2]))
	p.wantLeft("app", "003")
}

func TestPruneLeavesWhatGoesAsAWhole(t *testing.T) {
	p := newPruned(t, "RETAIN=1")
	app := p.App("app", nil)
	tasks := p.history(app, numbers(1, 2)...)
	app, err := p.Kf.Apps(p.Namespace).Get(t.Context(), "app", metav1.GetOptions{})
	p.Must(err)
	app.Finalizers = []string{"example.com/wait"}
	_, err = p.Kf.Apps(p.Namespace).Update(t.Context(), app, metav1.UpdateOptions{})
	p.Must(err)
	background := metav1.DeletePropagationBackground
	p.Must(p.Kf.Apps(p.Namespace).Delete(t.Context(), "app", metav1.DeleteOptions{PropagationPolicy: &background}))
	p.Deliver(harness.Added("Task", tasks[1]))
	if gone := p.reported(); len(gone) != 0 {
		t.Errorf("pruned %d Tasks of an App that is being deleted", len(gone))
	}
	_, err = p.Kf.Apps(p.Namespace).Patch(t.Context(), "app", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	p.Must(err)
}

func TestPruneSaysWhatNoRetryHelps(t *testing.T) {
	p := newPruned(t)
	foreign := harness.Ping("every-hour")
	foreign.SetType("com.example.other")
	bad := harness.Added("Task", &v1alpha1.Task{})
	for name, e := range map[string]cloudevents.Event{"another type": foreign, "no App in the Task": bad} {
		if code, _ := p.Send(e); code != http.StatusUnprocessableEntity {
			t.Errorf("%s: answered %d, want 422", name, code)
		}
	}
}
