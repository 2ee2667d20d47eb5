// Package retention measures what retention costs, against an API server of its own:
//
//	bin/cluster up --dir /tmp/bench --stage control-plane
//	. /tmp/bench/env && go test -bench=. -timeout=60m -v ./test/bench/retention
//
// Each figure that is a comparison comes from one run, as machines differ and are shared.
package retention

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/retention"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// limit is the default, which the figures are about.
const limit = 500

// prune is the function as it is shipped (the harness builds it with the race detector, which is slower).
type prune struct {
	*harness.World
	url   string
	facts atomic.Int64
}

func startPrune(w *harness.World, settings ...string) *prune {
	w.Helper()
	p := &prune{World: w}
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { p.facts.Add(1) }))
	w.Cleanup(sink.Close)
	settings = append(settings, "K_SINK="+sink.URL, "LOG_LEVEL="+cmp.Or(os.Getenv("PRUNE_LOG_LEVEL"), "info"))
	p.url = w.Shipped(w, "prune", settings...).URL
	return p
}

var poster = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// deliver sends an event as a Broker does, until it is taken.
func (p *prune) deliver(ctx context.Context, e cloudevents.Event) {
	for wait := 200 * time.Millisecond; ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		r, err := cehttp.NewHTTPRequestFromEvent(ctx, p.url, e)
		p.Must(err)
		answer, err := poster.Do(r)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode < 300 {
				return
			}
		}
		time.Sleep(wait)
	}
}

// feed plays the sources, status and the Broker: additions and ends of the namespace's Tasks come to prune as events
// until the returned function is called.
func (p *prune) feed() (stop func()) {
	ctx, cancel := context.WithCancel(p.Context())
	watching := harness.Watch(p, p.Kf.Tasks(p.Namespace))
	var all sync.WaitGroup
	all.Go(func() {
		told := map[types.UID]bool{}
		defer func() {
			if ctx.Err() == nil {
				p.Errorf("the watch ended for good")
			}
		}()
		for e := range watching.ResultChan() {
			task, ok := e.Object.(*v1alpha1.Task)
			switch {
			case !ok:
				p.Errorf("the watch broke: %v", e.Object)
			case e.Type == watch.Added:
				all.Go(func() { p.deliver(ctx, harness.Added("Task", task)) })
			case e.Type == watch.Modified && task.Final() && !told[task.UID]:
				told[task.UID] = true
				all.Go(func() { p.deliver(ctx, *events.NewTaskFact(events.TaskSucceeded, "status", task)) })
			}
		}
	})
	return func() { cancel(); watching.Stop(); all.Wait() }
}

// burst creates n Tasks over the Apps as fast as the API server takes them, while others run and end them. It returns
// how long the creating took, and each App's Tasks as they were created.
func burst(w *harness.World, n, players int, apps ...*v1alpha1.App) (creating time.Duration, created map[string][]retention.Task) {
	w.Helper()
	type run struct {
		app  *v1alpha1.App
		task *v1alpha1.Task
	}
	runs := make(chan run, n)
	var playing sync.WaitGroup
	for range players {
		playing.Go(func() {
			for r := range runs {
				err := w.Start(w.Context(), r.app, r.task)
				if err == nil {
					err = w.End(w.Context(), r.task)
				}
				if err != nil {
					w.Errorf("play %s: %v", r.task.Name, err)
				}
			}
		})
	}
	var mu sync.Mutex
	created = map[string][]retention.Task{}
	began := time.Now()
	w.Parallel(n, 32, func(ctx context.Context, i int) error {
		app := apps[i%len(apps)]
		task, err := w.Add(ctx, app, nil)
		if err != nil {
			return err
		}
		mu.Lock()
		created[app.Name] = append(created[app.Name], retention.Of(task))
		mu.Unlock()
		runs <- run{app, task}
		return nil
	})
	creating = time.Since(began)
	close(runs)
	playing.Wait()
	return creating, created
}

// wantNewest checks that what is left of an App is its newest, exactly. Within one second, the API's unit of time, the
// order is that of the IDs, which a test that plays runtask with many hands gives out in any order.
func wantNewest(w *harness.World, app string, created []retention.Task) {
	w.Helper()
	left := map[string]bool{}
	for _, t := range w.Tasks(app) {
		left[t.Name] = true
	}
	if len(left) != min(limit, len(created)) {
		w.Errorf("App %s has %d Tasks, want %d", app, len(left), min(limit, len(created)))
	}
	var oldestLeft, newestGone time.Time
	for _, t := range created {
		switch {
		case left[t.Name] && (oldestLeft.IsZero() || t.Created.Before(oldestLeft)):
			oldestLeft = t.Created
		case !left[t.Name] && t.Created.After(newestGone):
			newestGone = t.Created
		}
	}
	if newestGone.After(oldestLeft) {
		w.Errorf("App %s: one of %s went and one of %s stayed", app, newestGone, oldestLeft)
	}
}

// settled waits until these Apps have their limit, and no PipelineRun, TaskRun or Pod of the namespace is without its
// Task.
func settled(w *harness.World, limitOf time.Duration, apps ...*v1alpha1.App) (tasks, orphans time.Duration) {
	w.Helper()
	began := time.Now()
	harness.Eventually(w, limitOf, func() error {
		for _, app := range apps {
			if n := len(w.Tasks(app.Name)); n > limit {
				time.Sleep(500 * time.Millisecond)
				return fmt.Errorf("App %s has %d Tasks", app.Name, n)
			}
		}
		return nil
	})
	tasks = time.Since(began)
	harness.Eventually(w, limitOf, func() error {
		all, err := w.Kf.Tasks(w.Namespace).List(w.Context(), metav1.ListOptions{})
		w.Must(err)
		want := len(all.Items)
		if got := w.Dependents(); got != [3]int{want, want, want} {
			time.Sleep(500 * time.Millisecond)
			return fmt.Errorf("%d Tasks, %v PipelineRuns, TaskRuns, Pods", want, got)
		}
		return nil
	})
	return tasks, time.Since(began)
}

// etcdBytes is what etcd's file holds, and what of it is in use, from ETCD_METRICS (its /metrics); 0 without.
func etcdBytes(t testing.TB) (file, inUse float64) {
	t.Helper()
	if os.Getenv("ETCD_METRICS") == "" {
		return 0, 0
	}
	answer, err := http.Get(os.Getenv("ETCD_METRICS"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "etcd_mvcc_db_total_size_in_bytes":
			file, err = strconv.ParseFloat(value, 64)
		case "etcd_mvcc_db_total_size_in_use_in_bytes":
			inUse, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return file / 1e6, inUse / 1e6
}

// BenchmarkBurst: TASKS on APPS, as fast as the API server takes them.
func BenchmarkBurst(t *testing.B) {
	tt := struct{ apps, tasks int }{harness.Number(t, "APPS", 1), harness.Number(t, "TASKS", 1000)}
	t.Run(fmt.Sprintf("%d Tasks on Apps: %d", tt.tasks, tt.apps), func(t *testing.B) {
		p := startPrune(harness.NewWorld(t))
		var apps []*v1alpha1.App
		for i := range tt.apps {
			apps = append(apps, p.App(fmt.Sprintf("app%d", i), nil))
		}
		file, used := etcdBytes(t)
		t.Logf("etcd before: %.0f MB, %.0f in use", file, used)
		peak, done := 0.0, make(chan struct{})
		var watching sync.WaitGroup
		watching.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Second):
					_, used := etcdBytes(t)
					peak = max(peak, used)
				}
			}
		})
		stop := p.feed()
		defer stop()

		began := time.Now()
		creating, created := burst(p.World, tt.tasks, 16, apps...)
		ran := time.Since(began)
		tasks, orphans := settled(p.World, 20*time.Minute, apps...)
		close(done)
		watching.Wait()

		for _, app := range apps {
			wantNewest(p.World, app.Name, created[app.Name])
		}
		if kept := tt.apps * limit; int(p.facts.Load()) < tt.tasks-kept {
			t.Errorf("%d facts of %d Tasks that went", p.facts.Load(), tt.tasks-kept)
		}
		t.Logf("created in %s (%.0f/s), all had ended after %s; from then: at the limit after %s, no orphan after %s",
			creating.Round(time.Millisecond), float64(tt.tasks)/creating.Seconds(), ran.Round(time.Second), tasks.Round(time.Millisecond*100), orphans.Round(time.Millisecond*100))
		t.ReportMetric(float64(tt.tasks)/creating.Seconds(), "created/s")
		t.ReportMetric(tasks.Seconds(), "s-to-the-limit")
		t.ReportMetric(orphans.Seconds(), "s-to-no-orphan")
		file, used = etcdBytes(t)
		t.Logf("etcd: peak %.0f MB in use; after %.0f MB, %.0f in use", peak, file, used)
	})
}

// BenchmarkSlowDown: how much longer the same Tasks take while as many are pruned as come. Rounds with and without
// take turns, so that what else the machine does falls on both.
func BenchmarkSlowDown(t *testing.B) {
	p := startPrune(harness.NewWorld(t))
	const rounds, perRound = 4, 250
	with, without := p.App("with", nil), p.App("without", map[string]string{v1alpha1.RetainAnnotation: v1alpha1.Unlimited})
	burst(p.World, 2*limit, 16, with, without)
	round := func(app *v1alpha1.App) (creating, ending time.Duration) {
		began := time.Now()
		creating, _ = burst(p.World, perRound, 16, app)
		return creating, time.Since(began)
	}
	stop := p.feed()
	defer stop()
	var create, end [2]time.Duration
	for i := range 2 * rounds {
		which := (i + i/2) % 2 // 0 1 1 0 0 1 1 0: a trend falls on both
		c, e := round([]*v1alpha1.App{without, with}[which])
		create[which] += c
		end[which] += e
		settled(p.World, 10*time.Minute, with)
	}
	t.ReportMetric(create[1].Seconds()/create[0].Seconds(), "creating")
	t.ReportMetric(end[1].Seconds()/end[0].Seconds(), "to-their-end")
	t.Logf("%d Tasks created: %s without pruning, %s with: %+.1f%%", rounds*perRound, create[0], create[1], 100*(create[1].Seconds()/create[0].Seconds()-1))
	t.Logf("%d Tasks run to their end: %s without pruning, %s with: %+.1f%%", rounds*perRound, end[0], end[1], 100*(end[1].Seconds()/end[0].Seconds()-1))
}

// BenchmarkBacklog: 10,000 Tasks beyond the limit, against the rate at which a plain loop deletes Tasks.
func BenchmarkBacklog(t *testing.B) {
	backlog := harness.Number(t, "BACKLOG", 10000)
	reference := backlog / 5
	w := harness.NewWorld(t)
	app, plain := w.App("app", map[string]string{v1alpha1.RetainAnnotation: v1alpha1.Unlimited}), w.App("plain", map[string]string{v1alpha1.RetainAnnotation: v1alpha1.Unlimited})
	p := startPrune(w, "DELETES_PER_SECOND="+cmp.Or(os.Getenv("DELETES_PER_SECOND"), "100000"))
	w.Parallel(backlog+limit+reference, 32, func(ctx context.Context, i int) error {
		of := app
		if i >= backlog+limit {
			of = plain
		}
		task, err := w.Add(ctx, of, nil)
		if err != nil {
			return err
		}
		return w.Final(ctx, task, metav1.ConditionTrue)
	})
	background := metav1.DeletePropagationBackground
	deletePlain := func(tasks []v1alpha1.Task) float64 {
		began := time.Now()
		w.Parallel(len(tasks), 8, func(ctx context.Context, i int) error {
			return w.Kf.Tasks(w.Namespace).Delete(ctx, tasks[i].Name, metav1.DeleteOptions{PropagationPolicy: &background})
		})
		return float64(len(tasks)) / time.Since(began).Seconds()
	}
	toDelete := w.Tasks("plain")
	before := deletePlain(toDelete[:reference/2])

	_, err := w.Kf.Apps(w.Namespace).Patch(t.Context(), "app", types.MergePatchType, []byte(`{"metadata":{"annotations":null}}`), metav1.PatchOptions{})
	w.Must(err)
	var latencies []time.Duration // of a Task's creation meanwhile
	ctx, cancel := context.WithCancel(t.Context())
	var creating sync.WaitGroup
	creating.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			began := time.Now()
			if _, err := w.Add(ctx, plain, nil); err == nil {
				latencies = append(latencies, time.Since(began))
			}
		}
	})
	began := time.Now()
	p.deliver(t.Context(), harness.Ping("every-hour"))
	took := time.Since(began)
	cancel()
	creating.Wait()
	after := deletePlain(toDelete[reference/2:])

	if n := len(w.Tasks("app")); n != limit {
		t.Errorf("%d Tasks are left", n)
	}
	slices.Sort(latencies)
	t.Logf("%d Tasks pruned in %s: %.0f/s, where a plain loop of 8 deletes %.0f/s before and %.0f/s after", backlog, took.Round(time.Millisecond*100), float64(backlog)/took.Seconds(), before, after)
	t.ReportMetric(2*float64(backlog)/took.Seconds()/(before+after), "of-loop")
	t.ReportMetric(float64(backlog)/took.Seconds(), "pruned/s")
	t.ReportMetric(float64(latencies[len(latencies)/2].Microseconds())/1000, "create-p50-ms")
	t.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "create-p99-ms")
	t.Logf("a new Task meanwhile: p50 %s, p99 %s of %d", latencies[len(latencies)/2], latencies[len(latencies)*99/100], len(latencies))
}
