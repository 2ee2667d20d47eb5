package integration

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// subject is a function with a piece of work that shows all that it writes.
type subject struct {
	function string // if it is not called as the subject is
	settings []string
	// resync is the PingSource by which it finds work whose event was lost; "" for one that does not look.
	resync string
	// writes is what the work costs when nothing fails, and again what it costs to be asked once more: a request that
	// the API server refuses because it is done.
	writes, again int
	// work is made in a world of its own; the function does not know of it yet, or only that there is the object.
	work func(*harness.World, *harness.Function) work
}

// work is asked for by an event; ended returns nil when it has been done just once.
type work struct {
	event cloudevents.Event
	ended func() error
	// ask asks for it where that is not by an event, and returns the answer's status, 0 for none.
	ask func(*harness.Function) int
}

func (w work) send(f *harness.Function) int {
	if w.ask != nil {
		return w.ask(f)
	}
	status, _ := f.Send(w.event)
	return status
}

// deliver asks until it is done: as often as it takes while something fails, once otherwise.
func (w work) deliver(t testing.TB, f *harness.Function, failing bool) {
	t.Helper()
	switch {
	case w.ask == nil && failing:
		f.Redeliver(w.event)
	case w.ask == nil:
		f.Deliver(w.event)
	case failing:
		harness.Eventually(t, time.Minute, func() error {
			if status := w.ask(f); status != http.StatusOK {
				return fmt.Errorf("answered %d", status)
			}
			return nil
		})
	default:
		if status := w.ask(f); status != http.StatusOK {
			t.Errorf("answered %d, though nothing was made to fail", status)
		}
	}
}

var subjects = map[string]subject{
	"command":            {writes: 1, again: 1, work: aCommand},
	"runtask":            {resync: "every-minute", writes: 3, work: aTaskToRun},
	"runtask of a queue": {function: "runtask", resync: "every-minute", writes: 4, work: aTaskOfAQueue},
	"status":             {resync: "every-minute", writes: 1, work: aRunThatEnded},
	"tick":               {resync: "every-minute", writes: 2, work: aJobThatIsDue},
	"prune":              {resync: "every-hour", writes: 2, work: twoTasksTooMany, settings: []string{"RETAIN=2", "WORKERS=1", "SWEEP_INTERVAL=1ms"}},
	"terminate":          {resync: "every-minute", writes: 2, work: aTaskToStopBeforeItRuns},
	"build":              {resync: "every-minute", writes: 1, work: anAppWithAnImage},
	"build from source": {function: "build", resync: "every-minute", writes: 2, work: anAppWithSource, settings: []string{
		"STEP_IMAGE=registry.example/step@sha256:" + aDigest}},
	"deadletter": {writes: 1, again: 1, work: anEventThatWasGivenUp},
	"logs":       {writes: 2, work: aLogThatIsRead}, // two reviews, which hold for seconds
	"start":      {resync: "resync", writes: 2, work: aCommandThatMayBegin},
	"wait":       {writes: 3, work: anEndThatIsAskedFor}, // three reviews, which hold for seconds
	"space":      {resync: "resync", writes: 6, work: aSpaceToMake},
	"bind":       {resync: "resync", writes: 6, work: aBindingToGive},
	"webhook":    {writes: 1, work: aDelivery, settings: []string{"COMMAND_SINK=" + handedOn.URL}},
}

// eachAtOnce is eachSubject side by side, for tests that mostly wait and ask for no resync, which looks at every world (that of tick, whose
// work it is, finds no Job in the others).
func eachAtOnce(t *testing.T, cell func(*testing.T, string, subject)) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		t.Parallel()
		cell(t, name, s)
	})
}

func eachSubject(t *testing.T, cell func(*testing.T, string, subject)) {
	for _, name := range []string{"command", "runtask", "runtask of a queue", "status", "tick", "prune", "terminate", "build", "build from source", "deadletter", "logs", "start", "space", "bind", "wait", "webhook"} {
		t.Run(name, func(t *testing.T) { cell(t, name, subjects[name]) })
	}
}

// start makes a world with the function's process.
func (s subject) start(t *testing.T, name string, settings ...string) (*harness.World, *harness.Function) {
	t.Helper()
	w := harness.NewWorld(t)
	return w, w.Function(t, cmp.Or(s.function, name), append(settings, s.settings...)...)
}

func (w work) want(t testing.TB) {
	t.Helper()
	if err := w.ended(); err != nil {
		t.Error(err)
	}
}

func TestFaultDuplicatedAndOldEvents(t *testing.T) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		w, f := s.start(t, name)
		if s.resync != "" {
			f.Deliver(harness.Ping(s.resync)) // what other tests left undone is not to be counted
		}
		work := s.work(w, f)
		f.Proxy.Inject(nil)
		work.deliver(t, f, false)
		work.want(t)
		if _, writes := f.Proxy.Counts(); writes != s.writes {
			t.Errorf("it cost %d writes, want %d: %v", writes, s.writes, f.Proxy.Requests())
		}
		f.Proxy.Inject(nil)
		work.deliver(t, f, false) // long after
		work.want(t)
		if _, writes := f.Proxy.Counts(); writes != s.again {
			t.Errorf("an old event cost %d writes, want %d", writes, s.again)
		}
		work = s.work(harness.NewWorld(t), f)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { work.deliver(t, f, false) })
		}
		all.Wait()
		work.want(t)
	})
}

func TestFaultLostEvent(t *testing.T) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		if s.resync == "" {
			return // it has no state to look for: who asked is told, and asks again
		}
		w, f := s.start(t, name)
		work := s.work(w, f)
		if work.ended() == nil {
			t.Fatal("there is nothing to be found")
		}
		f.Deliver(harness.Ping(s.resync))
		work.want(t)
	})
}

// TestFaultErrorsOfTheAPIServer: each request fails the first time. What is refused has no effect; what breaks or takes too long may have.
func TestFaultErrorsOfTheAPIServer(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, name string, s subject) {
		_, f := s.start(t, name)
		for _, fault := range []harness.Fault{
			{Status: http.StatusConflict}, {Status: http.StatusTooManyRequests}, {Status: http.StatusInternalServerError},
			{Status: http.StatusInternalServerError, After: true}, {Status: http.StatusGatewayTimeout, After: true},
		} {
			t.Run(fmt.Sprintf("%d, taking effect %t", fault.Status, fault.After), func(t *testing.T) {
				work := s.work(harness.NewWorld(t), f)
				var mu sync.Mutex
				failed := map[string]int{}
				f.Proxy.Inject(func(r harness.Request) harness.Fault {
					mu.Lock()
					defer mu.Unlock()
					key := r.Method + " " + r.Path
					if failed[key]++; failed[key] > 1 {
						return harness.Fault{}
					}
					return fault
				})
				work.deliver(t, f, true)
				f.Proxy.Inject(nil)
				work.want(t)
				mu.Lock()
				defer mu.Unlock()
				writes := 0
				for key := range failed {
					if !strings.HasPrefix(key, http.MethodGet) {
						writes++
					}
				}
				if writes == 0 {
					t.Errorf("no write was made to fail: %v", failed)
				}
			})
		}
	})
}

// TestFaultARequestThatHangs: the function gives it up and says so to the sender, whose next try succeeds.
func TestFaultARequestThatHangs(t *testing.T) {
	eachAtOnce(t, func(t *testing.T, name string, s subject) {
		_, f := s.start(t, name, "API_TIMEOUT=2s")
		for kind, c := range map[string]struct{ write, after bool }{
			"a read": {}, "a write, before it takes effect": {write: true}, "a write, after it took effect": {write: true, after: true},
		} {
			t.Run(kind, func(t *testing.T) {
				work := s.work(harness.NewWorld(t), f)
				var mu sync.Mutex
				hung := ""
				f.Proxy.Inject(func(r harness.Request) harness.Fault {
					mu.Lock()
					defer mu.Unlock()
					if hung != "" || c.write != (r.Write > 0) {
						return harness.Fault{}
					}
					hung = r.Method + " " + r.Path
					return harness.Fault{Hang: true, After: c.after}
				})
				work.deliver(t, f, true)
				f.Proxy.Inject(nil)
				work.want(t)
				mu.Lock()
				defer mu.Unlock()
				if hung == "" {
					t.Error("nothing was made to hang")
				}
			})
		}
	})
}

// TestFaultKilledBetweenAnyTwoWrites: before and after each write. What died is found by the resync, or asked for again.
func TestFaultKilledBetweenAnyTwoWrites(t *testing.T) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		_, f := s.start(t, name)
		for write := 1; write <= s.writes; write++ {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("write %d, after it %t", write, after), func(t *testing.T) {
					work := s.work(harness.NewWorld(t), f)
					killed := make(chan struct{})
					var once sync.Once
					f.Proxy.Inject(func(r harness.Request) harness.Fault {
						if r.Write != write {
							return harness.Fault{}
						}
						return harness.Fault{Hang: !after, Then: func() { once.Do(func() { f.Kill(); close(killed) }) }}
					})
					if status := work.send(f); status != 0 {
						t.Fatalf("answered %d: it was to die", status)
					}
					select {
					case <-killed:
					case <-time.After(time.Minute):
						t.Fatal("the moment did not come")
					}
					f.Proxy.Inject(nil)
					f.Start()
					if s.resync != "" {
						f.Deliver(harness.Ping(s.resync))
					} else {
						work.deliver(t, f, false)
					}
					work.want(t)
					work.deliver(t, f, false) // by its sender, who had no answer
					work.want(t)
				})
			}
		}
	})
}

// TestFaultSIGTERM, in the middle of the work: what is under way is finished, its sender hears of it, and the process has not failed.
func TestFaultSIGTERM(t *testing.T) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		w, f := s.start(t, name)
		work := s.work(w, f)
		reached, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		f.Proxy.Inject(func(r harness.Request) harness.Fault {
			if r.Write != 1 {
				return harness.Fault{}
			}
			return harness.Fault{Then: func() { once.Do(func() { close(reached); <-release }) }}
		})
		answered, ended := make(chan int, 1), make(chan struct{})
		go func() { answered <- work.send(f) }()
		select {
		case <-reached:
		case <-time.After(time.Minute):
			t.Fatal("the first write did not come")
		}
		go func() { defer close(ended); f.Terminate(time.Minute) }()
		harness.Eventually(t, time.Minute, func() error { // it has heard the signal: nothing new is taken
			conn, err := net.Dial("tcp", strings.TrimPrefix(f.URL, "http://"))
			if err != nil {
				return nil
			}
			conn.Close()
			return fmt.Errorf("it still takes connections")
		})
		close(release)
		status := <-answered
		<-ended
		if name == "logs" && status == http.StatusServiceUnavailable { // a stream may have no end: who reads is told to ask again
			f.Proxy.Inject(nil)
			f.Start()
			status = work.send(f)
		}
		if status < 200 || status >= 300 {
			t.Errorf("what was under way was answered with %d", status)
		}
		work.want(t)
	})
}

func TestFaultTwoInstancesAtOnce(t *testing.T) {
	eachSubject(t, func(t *testing.T, name string, s subject) {
		w, f := s.start(t, name)
		work := s.work(w, f)
		other := w.Function(t, cmp.Or(s.function, name), s.settings...)
		f.Proxy.Inject(nil)
		var all sync.WaitGroup
		for range 3 {
			for _, instance := range []*harness.Function{f, other} {
				all.Go(func() { work.deliver(t, instance, true) })
			}
		}
		all.Wait()
		work.want(t)
		for _, instance := range []*harness.Function{f, other} {
			if reads, writes := instance.Proxy.Counts(); reads+writes == 0 {
				t.Error("one of the two did nothing")
			}
		}
	})
}

func aCommand(w *harness.World, _ *harness.Function) work {
	w.Cluster.App(w, w.Namespace, "shop")
	w.TakeCommandsFromAnyone(w, w.Namespace) // who may command, and what becomes of the reviews' faults: command_test.go
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/faults/" + w.Namespace)
	e.SetID("1")
	w.Must(e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: w.Namespace, App: "shop", Command: "echo hi"}))
	return work{event: e, ended: func() error {
		if tasks := w.Tasks("shop"); len(tasks) != 1 || tasks[0].Spec.Command != "echo hi" {
			return fmt.Errorf("%d Tasks from one command, want 1", len(tasks))
		}
		return nil
	}}
}

func aTaskToRun(w *harness.World, _ *harness.Function) work {
	w.Cluster.App(w, w.Namespace, "shop")
	return toRun(w)
}

// aTaskOfAQueue is the only one of an App of which one may run at a time.
func aTaskOfAQueue(w *harness.World, _ *harness.Function) work {
	limited(w, "shop", 1)
	return toRun(w)
}

func toRun(w *harness.World) work {
	task := w.Task(w, w.Namespace, "shop", "migrate")
	return work{event: harness.Added("Task", task), ended: func() error {
		runs, err := w.Tekton.PipelineRuns(w.Namespace).List(ctx, metav1.ListOptions{})
		w.Must(err)
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, "migrate", metav1.GetOptions{})
		w.Must(err)
		if len(runs.Items) != 1 || !metav1.IsControlledBy(&runs.Items[0], task) {
			return fmt.Errorf("%d PipelineRuns, want one of the Task", len(runs.Items))
		}
		if id := task.Labels[v1alpha1.VersionLabel]; id == "" || id != runs.Items[0].Labels[v1alpha1.VersionLabel] {
			return fmt.Errorf("the Task has ID %q, its PipelineRun %q", id, runs.Items[0].Labels[v1alpha1.VersionLabel])
		}
		return nil
	}}
}

func aRunThatEnded(w *harness.World, _ *harness.Function) work {
	app := w.App("shop", nil)
	task, err := w.Add(ctx, app, nil)
	w.Must(err)
	w.Must(w.Start(ctx, app, task))
	now := time.Now().UTC().Format(time.RFC3339)
	run, err := w.Tekton.PipelineRuns(w.Namespace).Patch(ctx, task.Name, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"startTime":%q,"completionTime":%q,"conditions":[{"type":"Succeeded","status":"True","reason":"Succeeded","lastTransitionTime":%q}]}}`,
		now, now, now), metav1.PatchOptions{}, "status")
	w.Must(err)
	return work{event: harness.Updated("PipelineRun", run), ended: func() error {
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		w.Must(err)
		if got := reason(task); got != "True Succeeded" || !task.Final() {
			return fmt.Errorf("the Task is %q, want it to have succeeded", got)
		}
		return nil
	}}
}

func aJobThatIsDue(w *harness.World, f *harness.Function) work {
	w.Cluster.App(w, w.Namespace, "shop")
	instant := minute(3)
	j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "daily", Namespace: w.Namespace}}
	j.Spec.Schedule = daily(instant)
	j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = "shop", "true"
	j, err := w.Kf.TaskSchedules(w.Namespace).Create(ctx, j, metav1.CreateOptions{})
	w.Must(err)
	f.Deliver(harness.Added("TaskSchedule", j))
	j, err = w.Kf.TaskSchedules(w.Namespace).Get(ctx, j.Name, metav1.GetOptions{})
	w.Must(err)
	_, err = client.PatchStatus(ctx, w.Kf.TaskSchedules(w.Namespace), j, func(s *v1alpha1.TaskSchedule) {
		s.Status.DecidedUntil = &metav1.Time{Time: instant.Add(-time.Minute)}
	})
	w.Must(err)
	return work{event: harness.Ping("every-minute"), ended: func() error {
		j, err := w.Kf.TaskSchedules(w.Namespace).Get(ctx, j.Name, metav1.GetOptions{})
		w.Must(err)
		tasks := w.Tasks("shop")
		if len(tasks) != 1 || tasks[0].Name != fmt.Sprintf("daily-%d", instant.Unix()) {
			return fmt.Errorf("%d Tasks, want that of %s", len(tasks), instant)
		}
		if h := j.Status.History; len(h) != 1 || h[0].Outcome != v1alpha1.OutcomeRan || !j.Status.DecidedUntil.Time.Equal(instant) {
			return fmt.Errorf("history %+v, decided until %s", h, j.Status.DecidedUntil)
		}
		return nil
	}}
}

func twoTasksTooMany(w *harness.World, _ *harness.Function) work {
	app := w.App("shop", nil)
	var tasks []*v1alpha1.Task
	for i := range 4 {
		task, err := w.Add(ctx, app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", fmt.Sprint("shop-", i) })
		w.Must(err)
		w.Must(w.Start(ctx, app, task))
		w.Must(w.End(ctx, task))
		tasks = append(tasks, task)
	}
	return work{event: harness.Added("Task", tasks[3]), ended: func() error {
		var left []string
		for _, task := range w.Tasks("shop") {
			left = append(left, task.Name)
		}
		slices.Sort(left)
		if !slices.Equal(left, []string{"shop-2", "shop-3"}) {
			return fmt.Errorf("%v are left, want the newest two", left)
		}
		return nil
	}}
}

func aTaskToStopBeforeItRuns(w *harness.World, _ *harness.Function) work {
	w.Cluster.App(w, w.Namespace, "shop")
	task := harness.NewTask(w.Namespace, "shop", "unborn")
	task.Spec.Terminated = true
	task, err := w.Kf.Tasks(w.Namespace).Create(ctx, task, metav1.CreateOptions{})
	w.Must(err)
	return work{event: harness.Updated("Task", task), ended: func() error {
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, "unborn", metav1.GetOptions{})
		w.Must(err)
		run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, "unborn", metav1.GetOptions{})
		if err != nil || !run.IsCancelled() || !metav1.IsControlledBy(run, task) {
			return fmt.Errorf("no cancelled PipelineRun keeps the name: %v", err)
		}
		if s := task.Status.Termination; s == nil || s.Log != v1alpha1.LogNone {
			return fmt.Errorf("termination is %+v, want it to say that there was no log", s)
		}
		return nil
	}}
}

// imageWithAShell puts an image into a registry of its own and returns its reference.
func imageWithAShell(w *harness.World) string {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	w.Cleanup(server.Close)
	var content bytes.Buffer
	files := tar.NewWriter(&content)
	w.Must(files.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755, Typeflag: tar.TypeReg}))
	w.Must(files.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	w.Must(err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	w.Must(err)
	image, err = mutate.Config(image, v1.Config{Entrypoint: []string{"/server"}})
	w.Must(err)
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/shop:1")
	w.Must(err)
	w.Must(remote.Write(ref, image))
	return ref.Name()
}

func anAppWithAnImage(w *harness.World, _ *harness.Function) work {
	image := imageWithAShell(w)
	app, err := w.Kf.Apps(w.Namespace).Create(ctx, harness.NewApp(w.Namespace, "shop", image), metav1.CreateOptions{})
	w.Must(err)
	return work{event: harness.Added("App", app), ended: func() error {
		app, err := w.Kf.Apps(w.Namespace).Get(ctx, "shop", metav1.GetOptions{})
		w.Must(err)
		s := app.Status
		if s.Image != image || s.StartCommands.Shell != v1alpha1.ShellPOSIX || !slices.Equal(s.StartCommands.Container, []string{"/server"}) || s.StartCommands.Error != "" {
			return fmt.Errorf("status %+v, want the image %s with its entrypoint and shell", s, image)
		}
		return nil
	}}
}

func anEventThatWasGivenUp(w *harness.World, _ *harness.Function) work {
	w.Cluster.App(w, w.Namespace, "shop")
	e := cloudevents.NewEvent()
	e.SetType(events.TaskRun)
	e.SetSource("/faults/" + w.Namespace)
	e.SetID("1")
	e.SetExtension("knativeerrordest", "http://command")
	e.SetExtension("knativeerrorcode", 422)
	w.Must(e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: w.Namespace, App: "shop"}))
	return work{event: e, ended: func() error {
		said, err := w.Kube.CoreV1().Events(w.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=EventNotDelivered"})
		w.Must(err)
		if len(said.Items) != 1 || said.Items[0].InvolvedObject.Name != "shop" || !strings.Contains(said.Items[0].Message, "http://command answered 422") {
			return fmt.Errorf("the App's Events are %+v, want one", said.Items)
		}
		return nil
	}}
}

func aLogThatIsRead(w *harness.World, _ *harness.Function) work { return looks(w) }

// anEndThatIsAskedFor is a Task that has ended, and who may look at it, with a token for commands.
func anEndThatIsAskedFor(w *harness.World, _ *harness.Function) work { return looks(w, audience) }

// looks is an account that looks at a Task of its namespace that has ended, by GET, with a token for these.
func looks(w *harness.World, audiences ...string) work {
	app := w.App("shop", nil)
	task, err := w.Add(ctx, app, nil)
	w.Must(err)
	w.Must(w.Final(ctx, task, metav1.ConditionTrue))
	_, err = w.Kube.CoreV1().ServiceAccounts(w.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}, metav1.CreateOptions{})
	w.Must(err)
	_, err = w.Kube.RbacV1().Roles(w.Namespace).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		{APIGroups: []string{"kf.dev"}, Resources: []string{"tasks"}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
	w.Must(err)
	_, err = w.Kube.RbacV1().RoleBindings(w.Namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "reader", Namespace: w.Namespace}}}, metav1.CreateOptions{})
	w.Must(err)
	token, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).CreateToken(ctx, "reader", &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}, metav1.CreateOptions{})
	w.Must(err)
	var mu sync.Mutex
	var last string
	return work{
		ask: func(f *harness.Function) int {
			limited, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			r, err := http.NewRequestWithContext(limited, http.MethodGet, f.URL+"/namespaces/"+w.Namespace+"/tasks/"+task.Name, nil)
			w.Must(err)
			r.Header.Set("Authorization", "Bearer "+token.Status.Token)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return 0
			}
			defer answer.Body.Close()
			b, err := io.ReadAll(answer.Body)
			if err != nil {
				return 0
			}
			mu.Lock()
			defer mu.Unlock()
			last = string(b)
			return answer.StatusCode
		},
		ended: func() error {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(strings.ToLower(last), "succeeded") || strings.Contains(last, "the stream ends here") {
				return fmt.Errorf("the answer was %q, want the Task's outcome", last)
			}
			return nil
		},
	}
}

func aCommandThatMayBegin(w *harness.World, _ *harness.Function) work {
	pod, _ := up(w, w.App("shop", nil), "once")
	return work{event: harness.Updated("Pod", pod), ended: func() error {
		task, err := w.Kf.Tasks(w.Namespace).Get(ctx, "once", metav1.GetOptions{})
		w.Must(err)
		pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		w.Must(err)
		if s := task.Status.Starts; len(s) != 1 || s[0].PodUID != pod.UID || pod.Labels[v1alpha1.StartLabel] != string(pod.UID) {
			return fmt.Errorf("the starts are %+v, the Pod's label %q, want it to begin once", s, pod.Labels[v1alpha1.StartLabel])
		}
		return nil
	}}
}

// commands takes what webhook hands on, and keeps the ids, of which there is one for each delivery.
type commands struct {
	*httptest.Server
	ids sync.Map // by namespace: *sync.Map of ids
}

var handedOn = func() *commands {
	c := &commands{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		target, err := events.TargetOf(*e)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ids, _ := c.ids.LoadOrStore(target.Namespace, &sync.Map{})
		ids.(*sync.Map).Store(e.Source()+" "+e.ID(), true)
	}))
	return c
}()

// of is how many commands are of a namespace.
func (c *commands) of(namespace string) (n int) {
	if ids, ok := c.ids.Load(namespace); ok {
		ids.(*sync.Map).Range(func(_, _ any) bool { n++; return true })
	}
	return n
}

func aDelivery(w *harness.World, _ *harness.Function) work {
	h := &hooked{Cluster: w.Cluster, t: w, ns: w.Namespace}
	w.Cluster.App(w, w.Namespace, "shop")
	h.secret("hook", hookSecret)
	h.grant("hook")
	h.hook("push", nil)
	return work{
		ask: func(f *harness.Function) int {
			limited, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			to := *h
			to.webhook = f
			answer, err := http.DefaultClient.Do(to.delivery("push", "1", "{}").WithContext(limited))
			if err != nil {
				return 0
			}
			defer answer.Body.Close()
			if answer.StatusCode == http.StatusAccepted {
				return http.StatusOK
			}
			return answer.StatusCode
		},
		ended: func() error {
			hook, err := w.Kf.Webhooks(w.Namespace).Get(ctx, "push", metav1.GetOptions{})
			w.Must(err)
			stored := 0
			for _, d := range hook.Status.Deliveries {
				if d.Outcome == v1alpha1.DeliveryStored {
					stored++
				}
			}
			if n := handedOn.of(w.Namespace); n != 1 || len(hook.Status.Accepted) != 1 || stored == 0 {
				return fmt.Errorf("%d commands from one delivery, its Webhook says %+v", n, hook.Status)
			}
			return nil
		},
	}
}
