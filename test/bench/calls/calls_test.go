// Package calls measures what a Task costs each function: requests, processor time, memory.
package calls

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkTask has Tasks come as command events, run, and end, eight at a time, and says what the functions did for it. Tekton and the Broker
// are played; a PipelineRun's three events (added, running, ended) reach status, a Task's two (added, ended) prune.
//
//	bin/cluster up --dir .cluster-bench --stage control-plane
//	. .cluster-bench/env && HARNESS_RACE=0 go test -run - -bench Task -benchtime 1x -v ./test/bench/calls
func BenchmarkTask(b *testing.B) {
	const tasks = 200
	w := harness.NewWorld(b)
	app := w.App("app", nil)
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(sink.Close)
	functions := map[string]*function{}
	for _, name := range []string{"command", "runtask", "status", "prune"} {
		f := w.Function(b, name, "K_SINK="+sink.URL, "LOG_LEVEL=warn")
		functions[name] = &function{Function: f, idle: f.PeakMemory(), cpu: f.CPU()}
		f.Proxy.Inject(nil)
	}
	functions["command"].Token = w.Token(b, w.Namespace, "sender", "kf-tasks-command")
	w.Allow(b, w.Namespace, "sender", "tasks", "create")

	var pruning sync.WaitGroup // it answers when a sweep is over, which is one for all that came meanwhile
	w.Parallel(tasks, 8, func(ctx context.Context, i int) error {
		e := commandEvent(w.Namespace, i)
		functions["command"].Deliver(e)
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, events.TaskName("app", e.Source(), e.ID()), metav1.GetOptions{})
		if err != nil {
			return err
		}
		pruning.Go(func() { functions["prune"].Deliver(harness.Added("Task", task)) })
		functions["runtask"].Deliver(harness.Added("Task", task))
		if err := pipelineRun(ctx, w, app, task, functions["status"]); err != nil {
			return err
		}
		task, err = w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !task.Final() {
			b.Errorf("%s has not ended: %+v", task.Name, task.Status.Conditions)
		}
		pruning.Go(func() { functions["prune"].Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", task)) })
		return nil
	})
	pruning.Wait()
	for _, name := range []string{"command", "runtask", "status", "prune"} {
		b.Run(name, functions[name].report(tasks))
	}
}

// pipelineRun plays a run's life, and tells status of it.
func pipelineRun(ctx context.Context, w *harness.World, app *v1alpha1.App, task *v1alpha1.Task, status *function) error {
	runs := w.Tekton.PipelineRuns(w.Namespace)
	run, err := runs.Get(ctx, task.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	status.Deliver(harness.Added("PipelineRun", run))
	if err := w.StartRun(ctx, app, task, run); err != nil {
		return err
	}
	running := fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Succeeded","status":"Unknown","reason":"Running","message":"Tasks Completed: 0","lastTransitionTime":%q}]}}`,
		time.Now().UTC().Format(time.RFC3339))
	if run, err = runs.Patch(ctx, run.Name, types.MergePatchType, running, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	status.Deliver(harness.Updated("PipelineRun", run))
	if err := w.EndRun(ctx, task, time.Now()); err != nil {
		return err
	}
	if run, err = runs.Get(ctx, run.Name, metav1.GetOptions{}); err != nil {
		return err
	}
	status.Deliver(harness.Updated("PipelineRun", run))
	return nil
}

func commandEvent(namespace string, i int) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/bench")
	e.SetID(time.Now().Format(time.RFC3339Nano) + string(rune('a'+i%26)))
	_ = e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: namespace, App: "app", Command: "true"}) // it is JSON
	return e
}

type function struct {
	*harness.Function
	idle int64
	cpu  time.Duration // before
}

func (f *function) report(tasks float64) func(*testing.B) {
	used, verbs := f.CPU()-f.cpu, map[string]float64{}
	for _, r := range f.Proxy.Requests() {
		verbs[verb(r)]++
	}
	return func(b *testing.B) {
		for _, v := range []string{"get", "list", "create", "patch", "update", "delete"} {
			b.ReportMetric(verbs[v]/tasks, v+"/Task")
		}
		b.ReportMetric(used.Seconds()*1000/tasks, "cpu-s/1000-Tasks")
		b.ReportMetric(float64(f.idle)/(1<<20), "MiB-idle")
		b.ReportMetric(float64(f.PeakMemory())/(1<<20), "MiB-peak")
	}
}

// verb is what RBAC calls a request.
func verb(r harness.Request) string {
	switch r.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch, http.MethodDelete:
		return strings.ToLower(r.Method)
	}
	parts := strings.Split(strings.Trim(r.Path, "/"), "/")[2:] // without api/v1, or apis/GROUP
	if r.Is(http.MethodGet, "/apis/") {
		parts = parts[1:]
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	if len(parts) == 1 {
		return "list"
	}
	return "get"
}

// BenchmarkReady starts each function that needs no more than the way to the API server.
func BenchmarkReady(b *testing.B) {
	c := harness.New(b)
	for _, name := range []string{"bind", "build", "command", "deadletter", "logs", "prune", "runtask", "space", "start", "status", "terminate", "tick"} {
		b.Run(name, func(b *testing.B) {
			f := c.Shipped(b, name, "LOG_LEVEL=warn")
			var took time.Duration
			const starts = 3
			for range starts {
				f.Kill()
				f.Start()
				took += f.Ready()
			}
			b.ReportMetric(float64(took.Microseconds())/1000/starts, "ready-ms")
			b.ReportMetric(float64(f.PeakMemory())/(1<<20), "MiB-idle")
		})
	}
}
