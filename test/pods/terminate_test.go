// Package pods tests what needs real Pods besides an API server: logs, and the termination of what runs. It takes a
// cluster of stage tekton with the image of test/fixtures/writer in its registry: `make test-pods`.
package pods

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// writers is a Space with an App whose Tasks run test/fixtures/writer.
type writers struct {
	t       *testing.T
	c       *harness.Cluster
	ns      string
	runtask *harness.Function
	start   *harness.Function
}

// in is the same for a test within the test.
func (w *writers) in(t *testing.T) *writers {
	of := *w
	of.t = t
	return &of
}

func newWriters(t *testing.T) *writers {
	t.Helper()
	c := harness.New(t)
	w := &writers{t: t, c: c, ns: c.Namespace(t, "terminate"), runtask: c.Function(t, "runtask")}
	w.app("writer", registry(t)+"/writer:latest")
	w.start = w.pinged("start") // no command begins without it
	w.watched(w.start)
	return w
}

// watched sends a function the events of the Space's Pods until the test ends, in the ApiServerSource's place.
func (w *writers) watched(f *harness.Function) {
	w.t.Helper()
	watching, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for watching.Err() == nil {
			events, err := w.c.Kube.CoreV1().Pods(w.ns).Watch(watching, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
			if err != nil {
				continue
			}
			for e := range events.ResultChan() {
				if p, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted {
					f.Send(harness.Updated("Pod", p))
				}
			}
		}
	}()
	w.t.Cleanup(func() { stop(); <-done })
}

// pinged starts a function that is pinged until the test ends: there is no Broker.
func (w *writers) pinged(name string, env ...string) *harness.Function {
	w.t.Helper()
	f := w.c.Function(w.t, name, env...)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			f.Send(harness.Ping("resync"))
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	w.t.Cleanup(func() { close(stop); <-done })
	return f
}

func registry(t *testing.T) string {
	r := os.Getenv("KO_DOCKER_REPO")
	if r == "" {
		t.Fatal("KO_DOCKER_REPO must name the cluster's registry, with the image of test/fixtures/writer in it")
	}
	return r
}

func (w *writers) app(name, image string) {
	w.t.Helper()
	app, err := w.c.Kf.Apps(w.ns).Create(ctx, harness.NewApp(w.ns, name, image), metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err = client.PatchStatus(ctx, w.c.Kf.Apps(w.ns), app, func(a *v1alpha1.App) {
		a.Status.Image = image
		a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: image, Shell: v1alpha1.ShellNone, Container: []string{"/ko-app/writer"}}
	}); err != nil {
		w.t.Fatal(err)
	}
}

// run makes a Task that runs the writer with these arguments, and its PipelineRun.
func (w *writers) run(name, args string) {
	w.t.Helper()
	w.runtask.Deliver(harness.Added("Task", w.create("writer", name, args)))
}

func (w *writers) create(app, name, args string) *v1alpha1.Task {
	w.t.Helper()
	task := harness.NewTask(w.ns, app, name)
	task.Spec.Command = args
	task, err := w.c.Kf.Tasks(w.ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

func (w *writers) task(name string) *v1alpha1.Task {
	w.t.Helper()
	task, err := w.c.Kf.Tasks(w.ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

// terminated sets spec.terminated as `kf terminate-task` does, and returns the Task as the event of it carries it.
func (w *writers) terminated(name string) *v1alpha1.Task {
	w.t.Helper()
	task, err := w.c.Kf.Tasks(w.ns).Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		w.t.Fatal(err)
	}
	return task
}

func (w *writers) pods(task string) []corev1.Pod {
	w.t.Helper()
	list, err := w.c.Kube.CoreV1().Pods(w.ns).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=" + task})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// wrote waits until the Task's Pod has written a line that holds text.
func (w *writers) wrote(task, text string) {
	w.t.Helper()
	harness.Eventually(w.t, 3*time.Minute, func() error { return w.said(task, text) })
}

// said is nil if a Task has written a text.
func (w *writers) said(task, text string) error {
	pods := w.pods(task)
	if len(pods) == 0 {
		return fmt.Errorf("no Pod yet")
	}
	b, err := w.c.Kube.CoreV1().Pods(w.ns).GetLogs(pods[0].Name, &corev1.PodLogOptions{Container: "step-user-container"}).DoRaw(ctx)
	if err != nil || !strings.Contains(string(b), text) {
		return fmt.Errorf("%d bytes without it: %v: %.300s", len(b), err, b)
	}
	return nil
}

// record is a line of the logging stream.
type record struct {
	Time        time.Time
	Message     string
	Space       string
	App         string
	Task        string
	ID          int
	Container   string
	Stream      string
	Seq         int64
	MaybeDouble bool
}

// delivered returns what functions have put on their standard output for a Task.
func (w *writers) delivered(task string, fs ...*harness.Function) (rs []record) {
	w.t.Helper()
	for _, f := range fs {
		out, err := f.Printed()
		if err != nil {
			w.t.Fatal(err)
		}
		for line := range bytes.Lines(out) {
			var r record
			if bytes.Contains(line, []byte(`"logger":"task"`)) && json.Unmarshal(line, &r) == nil && r.Space == w.ns && r.Task == task {
				rs = append(rs, r)
			}
		}
	}
	return rs
}

// wantWhole fails unless the records are the writer's lines 1 to n, and, of one that could finish, its last words, which
// say how many there were. Every stderr-th line went to stderr (none if 0), and the order of two streams is the runtime's;
// within each it must be the writer's. Of lines that come twice one must
// be marked. It returns how many lines and doubles there were.
func wantWhole(t *testing.T, rs []record, stderr int, finished bool) (lines, doubles int) {
	t.Helper()
	seen, marked := map[int]bool{}, map[int]bool{}
	latest := map[bool]int{}
	words := -1
	for i, r := range rs {
		if r.Space == "" || r.App != "writer" || r.ID == 0 || r.Container != "step-user-container" || r.Stream == "" || r.Time.IsZero() {
			t.Fatalf("a field is missing: %+v", r)
		}
		if _, err := fmt.Sscanf(r.Message, "last words after %d lines", &words); err == nil {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(r.Message, "line %d", &n); err != nil {
			t.Fatalf("record %d of %d is %q", i, len(rs), r.Message)
		}
		stream := stderr > 0 && n%stderr == 0
		switch {
		case seen[n] && (r.MaybeDouble || marked[n]):
			doubles++
		case seen[n]:
			t.Fatalf("record %d is line %d again, not marked", i, n)
		case n < latest[stream]:
			t.Fatalf("record %d is line %d, after %d", i, n, latest[stream])
		}
		marked[n] = marked[n] || r.MaybeDouble
		seen[n], latest[stream], lines = true, n, max(lines, n)
	}
	if len(seen) != lines {
		t.Fatalf("%d lines of %d", len(seen), lines)
	}
	if finished && words != lines {
		t.Fatalf("%d lines; by the last words (-1: there are none) they are %d", lines, words)
	}
	t.Logf("%d lines, %d marked doubles", lines, doubles)
	return lines, doubles
}

func (w *writers) wantLog(name string, log v1alpha1.LogDelivery) *v1alpha1.Task {
	w.t.Helper()
	task := w.task(name)
	s := task.Status.Termination
	if s == nil || s.Log != log {
		w.t.Fatalf("termination is %+v, want %s", s, log)
	}
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionLogDelivered); c == nil || (c.Status == metav1.ConditionFalse) != (log == v1alpha1.LogIncomplete) {
		w.t.Errorf("condition is %+v", c)
	}
	return task
}

func (w *writers) wantGone(name string) {
	w.t.Helper()
	if pods := w.pods(name); len(pods) != 0 {
		w.t.Errorf("%d Pods are left", len(pods))
	}
	run, err := w.c.Tekton.PipelineRuns(w.ns).Get(ctx, name, metav1.GetOptions{})
	if err != nil || !run.IsCancelled() || !run.IsDone() {
		w.t.Errorf("the PipelineRun is not cancelled: %v", err)
	}
}

func TestTerminateHandsOnWhatIsWrittenAfterTheSignal(t *testing.T) {
	w := newWriters(t)
	f := w.c.Function(t, "terminate")
	w.run("polite", "-lines 5001 -stay 10m -term 5s -stderr 7")
	w.wrote("polite", "line 0005001")
	began := time.Now()
	f.Deliver(harness.Updated("Task", w.terminated("polite")))
	t.Logf("stopped in %s", time.Since(began))
	lines, doubles := wantWhole(t, w.delivered("polite", f), 7, true)
	if lines <= 5001 || doubles > 0 {
		t.Errorf("%d lines, %d doubles: none that was written after the signal, or some twice", lines, doubles)
	}
	task := w.wantLog("polite", v1alpha1.LogComplete)
	if s := task.Status.Termination; s.RequestedBy != "somebody" || s.CancelledAt == nil || s.Lines != int64(lines)+1 || s.Deliverer != "" {
		t.Errorf("termination is %+v", s)
	}
	w.wantGone("polite")
	if reads, writes := func() (int, int) {
		f.Proxy.Inject(nil)
		f.Deliver(harness.Updated("Task", task))
		return f.Proxy.Counts()
	}(); reads+writes != 0 {
		t.Errorf("%d reads and %d writes for the event of a Task that is done with", reads, writes)
	}
}

// gracePeriod is Kubernetes's default, from the signal to the kill.
const gracePeriod = 30 * time.Second

func TestTerminateOutwaitsATaskThatIgnoresTheSignal(t *testing.T) {
	w := newWriters(t)
	f := w.c.Function(t, "terminate")
	w.run("deaf", "-lines 100 -stay 10m -ignore")
	w.wrote("deaf", "line 0000")
	f.Deliver(harness.Updated("Task", w.terminated("deaf")))
	rs := w.delivered("deaf", f)
	wantWhole(t, rs, 0, false)
	cancelled := w.wantLog("deaf", v1alpha1.LogComplete).Status.Termination.CancelledAt
	if heard := rs[len(rs)-1].Time.Sub(cancelled.Time); heard < gracePeriod*2/3 { // it writes until the node kills it
		t.Errorf("the last line was written %s after the cancel, of a grace period of %s", heard, gracePeriod)
	}
	w.wantGone("deaf")
}

func TestTerminateInEachPhase(t *testing.T) {
	w := newWriters(t)
	f := w.c.Function(t, "terminate")
	stop := func(name string) { f.Deliver(harness.Updated("Task", w.terminated(name))) }

	t.Run("before the PipelineRun", func(t *testing.T) {
		task := w.create("writer", "unborn", "")
		stop("unborn")
		w.runtask.Deliver(harness.Added("Task", task)) // comes late
		w.wantLog("unborn", v1alpha1.LogNone)
		harness.Eventually(t, 3*time.Minute, func() error {
			if run, err := w.c.Tekton.PipelineRuns(w.ns).Get(ctx, "unborn", metav1.GetOptions{}); err != nil || !run.IsDone() {
				return fmt.Errorf("not done: %v", err)
			}
			return nil
		})
		w.wantGone("unborn")
	})
	t.Run("at once after the PipelineRun", func(t *testing.T) {
		w.run("newborn", "-stay 10m")
		stop("newborn")
		task := w.task("newborn")
		t.Logf("%+v", task.Status.Termination)
		if task.Status.Termination == nil || task.Status.Termination.Log == v1alpha1.LogDelivering || task.Status.Termination.Log == v1alpha1.LogIncomplete {
			t.Errorf("termination is %+v", task.Status.Termination)
		}
		w.wantGone("newborn")
	})
	t.Run("while the image is pulled", func(t *testing.T) {
		w.app("imageless", registry(t)+"/not-there:latest")
		w.runtask.Deliver(harness.Added("Task", w.create("imageless", "pulling", "-lines 1")))
		harness.Eventually(t, 3*time.Minute, func() error {
			if len(w.pods("pulling")) == 0 {
				return fmt.Errorf("no Pod yet")
			}
			return nil
		})
		stop("pulling")
		w.wantLog("pulling", v1alpha1.LogNone)
		w.wantGone("pulling")
	})
	t.Run("silent", func(t *testing.T) {
		w.run("silent", "-before 10m")
		harness.Eventually(t, 3*time.Minute, func() error {
			for _, p := range w.pods("silent") {
				if p.Status.Phase == corev1.PodRunning {
					return nil
				}
			}
			return fmt.Errorf("not running yet")
		})
		stop("silent")
		w.wantLog("silent", v1alpha1.LogComplete)
		w.wantGone("silent")
	})
	t.Run("ended by itself", func(t *testing.T) {
		w.run("done", "-lines 3")
		harness.Eventually(t, 3*time.Minute, func() error {
			if run, err := w.c.Tekton.PipelineRuns(w.ns).Get(ctx, "done", metav1.GetOptions{}); err != nil || !run.IsDone() {
				return fmt.Errorf("not done: %v", err)
			}
			return nil
		})
		stop("done")
		task := w.wantLog("done", v1alpha1.LogNone)
		if !strings.Contains(task.Status.Termination.Message, "ended by itself") || len(w.pods("done")) != 1 {
			t.Errorf("%+v, %d Pods", task.Status.Termination, len(w.pods("done")))
		}
		stop("done") // again
	})
	t.Run("gone", func(t *testing.T) {
		w.run("gone", "-stay 10m")
		task := w.terminated("gone")
		if err := w.c.Kf.Tasks(w.ns).Delete(ctx, "gone", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		f.Deliver(harness.Updated("Task", task))
	})
	t.Run("its event lost", func(t *testing.T) {
		w.run("lost", "-lines 10 -stay 10m")
		w.wrote("lost", "line 0000010")
		w.terminated("lost")
		f.Deliver(harness.Ping("resync"))
		w.wantLog("lost", v1alpha1.LogComplete)
		wantWhole(t, w.delivered("lost", f), 0, true)
	})
}
