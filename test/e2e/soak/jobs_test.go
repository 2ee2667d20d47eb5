// Package soak watches Jobs on a whole cluster, in real time, while what runs them is disturbed. test/checker is
// the one with the fast clock, which sees more instants and more kinds of faults, but no Broker and no PingSource.
//
//	. .cluster/env && go test -count=1 -timeout=60m -v ./test/e2e/soak -args -minutes 20 \
//		-kill-api "$PWD/bin/cluster kill kube-apiserver --dir $PWD/.cluster"
package soak

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var (
	minutes = flag.Int("minutes", 20, "how long")
	seed    = flag.Int64("seed", 1, "of what is disturbed, and when; what the cluster makes of it has no seed")
	killAPI = flag.String("kill-api", "", "a command that kills the API server, which is then started again")
)

// What the Jobs' schedules name, written down a second time: by the minute of the hour, in UTC.
var schedules = map[string]func(minute int) bool{
	"* * * * *":                  func(int) bool { return true },
	"*/2 * * * *":                func(m int) bool { return m%2 == 0 },
	"1-59/3 * * * *":             func(m int) bool { return m%3 == 1 },
	"0,7,8,21,22,23,40 * * * *":  func(m int) bool { return slices.Contains([]int{0, 7, 8, 21, 22, 23, 40}, m) },
	"5-9,30-50/4,55-59 * * * *":  func(m int) bool { return m >= 5 && m <= 9 || m >= 30 && m <= 50 && (m-30)%4 == 0 || m >= 55 },
	"@hourly":                    func(m int) bool { return m == 0 },
	"*/5 * * * *":                func(m int) bool { return m%5 == 0 },
	"3-59/5,4-59/5 * * * *":      func(m int) bool { return m%5 == 3 || m%5 == 4 },
	"10-20,20-35,12 */1 * * *":   func(m int) bool { return m >= 10 && m <= 35 },
	"0-59/7 0-23 1-31 jan-dec *": func(m int) bool { return m%7 == 0 },
}

type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && !t.After(s.to) }

// TestJobsUnderFaults: tick is killed all the time, ticks come doubled and at any second, and for minutes none come.
func TestJobsUnderFaults(t *testing.T) {
	ctx := context.Background()
	c := harness.Deployed(t)
	dyn, err := dynamic.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	ns := c.Namespace(t, "tick")
	// The App has no image, so its Tasks wait: what they would do is not what is tested.
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "app", Namespace: ns}}
	app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	if _, err := c.Kf.Apps(ns).Create(ctx, app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	created := map[string]int{}
	// An informer outlives the API server: it lists anew when what it watched is too old for the one that starts.
	seen := map[types.UID]bool{}
	_, tasks := cache.NewInformerWithOptions(cache.InformerOptions{
		ObjectType: &v1alpha1.Task{},
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
				return c.Kf.Tasks(ns).List(ctx, opts)
			},
			WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
				return c.Kf.Tasks(ns).Watch(ctx, opts)
			},
		},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: func(obj any) {
			task := obj.(*v1alpha1.Task)
			mu.Lock()
			defer mu.Unlock()
			if seen[task.UID] {
				return
			}
			seen[task.UID] = true
			created[task.Name]++
			time.AfterFunc(time.Duration(20+task.CreationTimestamp.Unix()%60)*time.Second, func() { // pruned, it must not come back
				if job, err := c.Kf.TaskSchedules(ns).Get(ctx, task.Labels[v1alpha1.TaskScheduleLabel], metav1.GetOptions{}); err == nil && decided(job, task.Name) {
					_ = c.Kf.Tasks(ns).Delete(ctx, task.Name, metav1.DeleteOptions{})
				}
			})
		}},
	})
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go tasks.RunWithContext(watching)
	if !cache.WaitForCacheSync(watching.Done(), tasks.HasSynced) {
		t.Fatal("the Tasks can't be listed")
	}

	jobs := map[string]string{}
	for expr := range schedules {
		for i := range 2 {
			job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job%d", len(jobs)), Namespace: ns}}
			job.Spec.Schedule = expr
			job.Spec.JitterSeconds = int32(i * 40)
			job.Spec.TaskTemplate.AppRef.Name = "app"
			if _, err := c.Kf.TaskSchedules(ns).Create(ctx, job, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			jobs[job.Name] = expr
		}
	}
	// More ticks, at any second, straight to the function: doubled, late, and two at once.
	again := object("sources.knative.dev/v1", "PingSource", ns, "again", map[string]any{
		"schedule": "*/7 * * * * *",
		"sink":     map[string]any{"ref": map[string]any{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "tick", "namespace": harness.SystemNamespace}},
	})
	pings := dyn.Resource(schema.GroupVersionResource{Group: "sources.knative.dev", Version: "v1", Resource: "pingsources"}).Namespace(ns)
	triggers := dyn.Resource(schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "triggers"}).Namespace(harness.SystemNamespace)
	trigger, err := triggers.Get(ctx, "tick", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() {
		fresh := object("eventing.knative.dev/v1", "Trigger", harness.SystemNamespace, "tick", trigger.Object["spec"].(map[string]any))
		fresh.SetLabels(trigger.GetLabels())
		if _, err := triggers.Create(ctx, fresh, metav1.CreateOptions{}); err != nil && !strings.Contains(err.Error(), "exists") {
			t.Errorf("the Trigger is not put back: %v", err)
		}
	}
	t.Cleanup(connect)

	random := rand.New(rand.NewPCG(uint64(*seed), 0))
	t.Logf("seed %d: run it again with -args -seed %d", *seed, *seed)
	learn := newLedger()
	var outages []span
	kills, falls := 0, 0
	began := time.Now()
	end := began.Add(time.Duration(*minutes) * time.Minute)
	for round := 0; time.Now().Before(end); round++ {
		switch round % 10 {
		case 1, 5: // nothing tells tick the time
			from := time.Now()
			if err := triggers.Delete(ctx, "tick", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(100+random.IntN(100)) * time.Second)
			connect()
			time.Sleep(20 * time.Second) // until it is ready
			outages = append(outages, span{from.Add(-time.Minute), time.Now().Add(time.Minute)})
		case 2:
			if _, err := pings.Create(ctx, again, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		case 4:
			if err := pings.Delete(ctx, "again", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		case 7:
			if *killAPI == "" {
				continue
			}
			time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute + time.Duration(random.IntN(900))*time.Millisecond)))
			command := strings.Fields(*killAPI)
			if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v: %s", *killAPI, err, out)
			}
			falls++
		default: // in the middle of a tick, or somewhere
			next := time.Now().Truncate(time.Minute).Add(time.Minute + time.Duration(random.IntN(1200))*time.Millisecond)
			if round%2 == 0 {
				next = time.Now().Add(time.Duration(random.IntN(30)) * time.Second)
			}
			time.Sleep(time.Until(next))
			kills += kill(ctx, c)
		}
		for name := range jobs {
			learn.read(ctx, t, c, ns, name, schedules[jobs[name]])
		}
	}
	time.Sleep(2 * time.Minute) // to come to rest
	stop := time.Now().Add(-70 * time.Second)

	owed, ran, missed := 0, 0, 0
	for name, expr := range jobs {
		job := learn.read(ctx, t, c, ns, name, schedules[expr])
		for m := job.CreationTimestamp.Truncate(time.Minute).Add(time.Minute); m.Before(stop); m = m.Add(time.Minute) {
			if !schedules[expr](m.UTC().Minute()) {
				continue
			}
			owed++
			task := job.TaskName(m)
			mu.Lock()
			n := created[task]
			delete(created, task)
			mu.Unlock()
			outage := slices.ContainsFunc(outages, func(s span) bool { return s.holds(m) })
			switch said := learn.of[name][m.Unix()]; {
			case n > 1:
				t.Errorf("%s: %d Tasks for %s", name, n, m)
			case n == 1 && said == v1alpha1.OutcomeRan:
				ran++
			case n == 0 && said == v1alpha1.OutcomeMissed && outage:
				missed++
			default:
				t.Errorf("%s (%s) at %s: %d Tasks, and the history says %q; no ticks then: %t", name, expr, m.Format(time.TimeOnly), n, said, outage)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for task := range created {
		if unix, _ := strconv.ParseInt(task[strings.LastIndex(task, "-")+1:], 10, 64); time.Unix(unix, 0).Before(stop) {
			t.Errorf("Task %s is not on its schedule", task)
		}
	}
	t.Logf("%d Jobs for %s: %d instants, %d ran, %d missed in %d outages; tick was killed %d times, the API server %d times", len(jobs), time.Since(began).Round(time.Second), owed, ran, missed, len(outages), kills, falls)
	if missed == 0 || kills == 0 {
		t.Error("the run was too quiet to show anything")
	}
}

// kill ends the Pods of tick at once, as a lost node does.
func kill(ctx context.Context, c *harness.Cluster) int {
	pods, err := c.Kube.CoreV1().Pods(harness.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=tick"})
	if err != nil {
		return 0 // the API server is being killed itself
	}
	now := int64(0)
	killed := 0
	for _, p := range pods.Items {
		if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil && c.Kube.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}) == nil {
			killed++
		}
	}
	return killed
}

// ledger is all that the histories have ever said, by Job and instant.
type ledger struct {
	of map[string]map[int64]v1alpha1.Outcome
}

func newLedger() *ledger { return &ledger{map[string]map[int64]v1alpha1.Outcome{}} }

func (l *ledger) read(ctx context.Context, t *testing.T, c *harness.Cluster, ns, name string, due func(int) bool) *v1alpha1.TaskSchedule {
	t.Helper()
	var job *v1alpha1.TaskSchedule
	harness.Eventually(t, time.Minute, func() (err error) {
		job, err = c.Kf.TaskSchedules(ns).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if l.of[name] == nil {
		l.of[name] = map[int64]v1alpha1.Outcome{}
	}
	for _, d := range job.Status.History {
		at := d.Instant.UTC()
		for n := max(d.Count, 1); n > 0; at = at.Add(-time.Minute) {
			if !due(at.Minute()) {
				continue
			}
			n--
			if was := l.of[name][at.Unix()]; was != "" && was != d.Outcome {
				t.Errorf("%s at %s: the history said %s, and now %s", name, at, was, d.Outcome)
			}
			l.of[name][at.Unix()] = d.Outcome
		}
	}
	return job
}

// decided says whether the instant of a Task is on record.
func decided(job *v1alpha1.TaskSchedule, task string) bool {
	return slices.ContainsFunc(job.Status.History, func(d v1alpha1.Decision) bool { return d.Task == task })
}

func object(apiVersion, kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": name}, "spec": spec,
	}}
}
