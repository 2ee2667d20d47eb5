package integration

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/tektoncd/pipeline/pkg/apis/pipeline"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// archived is a Space that archives logs, with a registry that can be away.
type archived struct {
	*harness.World
	archive *harness.Function
	space   *v1alpha1.Space
	away    atomic.Bool
	keeps   atomic.Bool // deletes nothing
	log     []byte      // of every Pod, as a kubelet gives it with times
}

func newArchived(t *testing.T) *archived {
	t.Helper()
	a := &archived{World: harness.NewWorld(t)}
	a.As(t, "build") // makes its rights: everybody may read the settings of builds
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if a.keeps.Load() && r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	of := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: a.Namespace}}
	of.Spec.Logs.Archive = &v1alpha1.SpaceLogArchive{Registry: strings.TrimPrefix(server.URL, "http://") + "/kf"}
	var err error
	a.space, err = a.Kf.Spaces().Create(t.Context(), of, metav1.CreateOptions{})
	a.Must(err)
	t.Cleanup(func() { a.Must(a.Kf.Spaces().Delete(ctx, of.Name, metav1.DeleteOptions{})) })
	a.archive = a.Function(t, "archive", "SPOOL="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir())
	a.nodeOf(a.archive)
	return a
}

// nodeOf plays the node that has the logs of Pods.
func (a *archived) nodeOf(f *harness.Function) {
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodGet, "-pod/log") {
			return harness.Fault{Body: a.log}
		}
		return harness.Fault{}
	})
}

// task is one of the App that has run, and that runtask has marked.
func (a *archived) task(app *v1alpha1.App, name string) *v1alpha1.Task {
	a.Helper()
	task, err := a.Add(a.Context(), app, func(t *v1alpha1.Task) {
		t.GenerateName, t.Name = "", name
		t.Labels[v1alpha1.ArchiveLabel] = v1alpha1.ArchiveWanted
	})
	a.Must(err)
	a.Must(a.Start(a.Context(), app, task))
	a.Must(a.End(a.Context(), task))
	return a.now(task)
}

func (a *archived) now(task *v1alpha1.Task) *v1alpha1.Task {
	a.Helper()
	now, err := a.Kf.Tasks(a.Namespace).Get(a.Context(), task.Name, metav1.GetOptions{})
	a.Must(err)
	return now
}

// get asks the function logs.
func (a *archived) get(f *harness.Function, token, path string) (int, string) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodGet, f.URL+"/namespaces/"+a.Namespace+"/tasks/"+path, nil)
	a.Must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	a.Must(err)
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	a.Must(err)
	return answer.StatusCode, string(b)
}

// logged is a log with what is easily got wrong, as a kubelet gives it; shown is it without times, as kf logs shows it.
func logged() (given []byte, shown string) {
	var b bytes.Buffer
	at := time.Now().Add(-time.Minute).UTC()
	for i, line := range []string{"begin", "50%\r100%\r", "nul \x00 byte", "\x1b[31mred", "", strings.Repeat("long ", 20_000), "no newline at the end"} {
		fmt.Fprintf(&b, "%s %s\n", at.Add(time.Duration(i)*time.Millisecond).Format("2006-01-02T15:04:05.000000000Z"), line)
		shown += string(inert.Append(nil, []byte(line))) + "\n"
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), shown
}

// TestALogOutlivesItsTask: while the registry is away, prune waits for it and the App says so; when it is back, the log is in the archive, the
// Task is pruned, and the log is read as it was, byte for byte, by who may read it.
func TestALogOutlivesItsTask(t *testing.T) {
	a := newArchived(t)
	given, want := logged()
	a.log = given
	facts := harness.NewFacts(t)
	prune := a.Function(t, "prune", "K_SINK="+facts.URL, "RETAIN=1", "SWEEP_INTERVAL=1ms")
	logs := a.Function(t, "logs", "DOCKER_CONFIG="+t.TempDir())
	a.nodeOf(logs)
	app := a.App("shop", nil)
	task := a.task(app, "shop-old")
	a.away.Store(true)

	fact := events.NewTaskFact(events.TaskSucceeded, "status", task)
	if fact.Extensions()["kfarchive"] != "true" {
		t.Errorf("the fact does not wake archive: %v", fact.Extensions())
	}
	if status, _ := a.archive.Send(*fact); status != http.StatusServiceUnavailable {
		t.Errorf("a registry that is away is answered with %d", status)
	}
	waits := a.now(task)
	if c := meta.FindStatusCondition(waits.Status.Conditions, v1alpha1.ConditionLogArchived); c == nil || c.Reason != v1alpha1.ReasonArchiveWaits ||
		c.Message != "the registry answers 503 (Service Unavailable)" || waits.Status.Log.State != v1alpha1.ArchiveWaiting {
		t.Errorf("the Task does not say what its log waits for: %+v", c)
	}
	a.Must(func() error { // a newer Task: the other is beyond the limit
		newer, err := a.Add(t.Context(), app, nil)
		if err == nil {
			err = a.Start(t.Context(), app, newer)
		}
		return err
	}())
	ping := harness.Ping("every-hour")
	prune.Deliver(ping)
	a.now(task) // it is there
	a.wantEvent("AwaitsArchive", "1 Tasks or more beyond the limit are kept")

	token := a.Token(t, a.Namespace, "reader", "")
	a.Rights(t, "users")
	may := a.Member(t, a.Namespace, "ClusterRole", "view")
	harness.Eventually(t, time.Minute, func() error { // the role is put together from its parts
		_, err := may.Kf.Tasks(a.Namespace).Get(t.Context(), "shop-old", metav1.GetOptions{})
		return err
	})
	_, before := a.get(logs, may.Config.BearerToken, "shop-old")
	if !strings.HasPrefix(before, want) {
		t.Errorf("from the Pod: %.300q", before)
	}

	a.away.Store(false)
	harness.Eventually(t, time.Minute, func() error { // its pause of five seconds ends
		if status, _ := a.archive.Send(ping); status != http.StatusOK {
			return fmt.Errorf("the ping is answered %d", status)
		}
		if now := a.now(task); now.Status.Log.State != v1alpha1.ArchiveComplete {
			return fmt.Errorf("%+v", now.Status.Log)
		}
		return nil
	})
	kept := a.now(task).Status.Log
	if kept.Lines != 7 || kept.Bytes < 100_000 || !strings.Contains(kept.Archive, "/kf/log-"+a.Namespace+"@sha256:") {
		t.Errorf("%+v", kept)
	}
	prune.Deliver(ping)
	if _, err := a.Kf.Tasks(a.Namespace).Get(t.Context(), task.Name, metav1.GetOptions{}); err == nil {
		t.Error("it is not pruned")
	}
	if fact := facts.All(); len(fact) != 1 || !strings.Contains(string(fact[0].Data()), kept.Archive) {
		t.Errorf("the fact does not say where the log is: %v", fact)
	}

	for _, path := range []string{"shop-old", "shop-old?uid=" + string(task.UID), "shop-old?follow"} {
		if status, after := a.get(logs, may.Config.BearerToken, path); status != http.StatusOK || after != before {
			t.Errorf("%s after it was pruned: %d %.300q\nwant %.300q", path, status, after, before)
		}
	}
	if _, tail := a.get(logs, may.Config.BearerToken, "shop-old?tail=1&timestamps"); !strings.Contains(tail, "Z no newline at the end\n[kf] shop-old") || strings.Count(tail, "\n") != 2 {
		t.Errorf("its last line: %q", tail)
	}
	if status, body := a.get(logs, token, "shop-old"); status != http.StatusForbidden {
		t.Errorf("who may not read Pod logs is answered %d %.80q", status, body)
	}
	for how, address := range map[string]string{"by itself": "", "by the function": logs.URL} {
		cmd := may.Command(t, a.Namespace, "logs", "shop-old", "-n", "0")
		cmd.Env = append(os.Environ(), "KF_LOGS_URL="+address, "DOCKER_CONFIG="+t.TempDir())
		out, err := cmd.Output()
		if got := strings.TrimSuffix(string(out), before[len(want):]); err != nil || got != want {
			t.Errorf("kf, %s: %.300q, %v", how, out, err)
		}
		cmd = may.Command(t, a.Namespace, "logs", "shop-none")
		cmd.Env = append(os.Environ(), "KF_LOGS_URL="+address)
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), `there is no Task "shop-none"`) {
			t.Errorf("kf, %s, of a Task that never was: %d %s", how, cmd.ProcessState.ExitCode(), out)
		}
	}
	for path, wants := range map[string]int{"shop-none": 404, "shop-old?uid=00000000-0000-0000-0000-000000000000": 404, "shop-old?uid=../x": 400} {
		if status, body := a.get(logs, may.Config.BearerToken, path); status != wants {
			t.Errorf("%s: %d %.80q", path, status, body)
		}
	}
	a.away.Store(true)
	if status, body := a.get(logs, may.Config.BearerToken, "shop-old"); status != http.StatusServiceUnavailable || !strings.Contains(body, "the archive of logs can't be read now") {
		t.Errorf("while the registry is away: %d %q", status, body)
	}
}

// wantEvent waits for an Event of the namespace.
func (a *archived) wantEvent(reason, note string) {
	a.Helper()
	harness.Eventually(a, time.Minute, func() error {
		list, err := a.Kube.EventsV1().Events(a.Namespace).List(a.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == reason && strings.Contains(e.Note, note) {
				return nil
			}
		}
		return fmt.Errorf("no Event %s", reason)
	})
}

// TestArchiveByItself: what a resync finds, by one list, and what it does to it: nothing twice, nothing of Tasks that do not ask for it.
func TestArchiveByItself(t *testing.T) {
	a := newArchived(t)
	a.log, _ = logged()
	app := a.App("shop", nil)
	one := a.task(app, "shop-1")
	podless := a.task(app, "shop-2")
	a.Must(a.Kube.CoreV1().Pods(a.Namespace).Delete(t.Context(), podless.Name+"-pod", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	_, err := a.Kf.Tasks(a.Namespace).Patch(t.Context(), podless.Name, types.MergePatchType,
		[]byte(`{"status":{"starts":[{"pod":"p","podUID":"u","at":"2026-11-29T10:00:00Z"}]}}`), metav1.PatchOptions{}, "status")
	a.Must(err)
	other, err := a.Add(t.Context(), app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", "shop-3" })
	a.Must(err)
	a.Must(a.Start(t.Context(), app, other))
	a.Must(a.End(t.Context(), other))

	a.archive.Deliver(harness.Ping("every-hour"))

	if log := a.now(one).Status.Log; log == nil || log.State != v1alpha1.ArchiveComplete {
		t.Errorf("%+v", log)
	}
	if log := a.now(podless).Status.Log; log == nil || log.State != v1alpha1.ArchiveIncomplete || !strings.Contains(log.Message, "no Pod any more") {
		t.Errorf("whose Pod was gone: %+v", log)
	}
	if now := a.now(other); now.Status.Log != nil {
		t.Errorf("one that is not marked: %+v", now.Status.Log)
	}
	a.nodeOf(a.archive)
	a.archive.Deliver(harness.Ping("every-hour"))
	a.archive.Deliver(*events.NewTaskFact(events.TaskSucceeded, "status", a.now(one)))
	var made []string
	for _, r := range a.archive.Proxy.Requests() {
		if strings.Contains(r.Path, a.Namespace) {
			made = append(made, r.Method+" "+r.Path[strings.LastIndex(r.Path, "/")+1:])
		}
	}
	slices.Sort(made)
	if made = slices.Compact(made); slices.Contains(made, "PATCH status") || slices.Contains(made, "GET log") {
		t.Errorf("what is done is done again: %v", made)
	}

	// What is too old goes, or the Space says why it does not.
	a.keeps.Store(true)
	_, err = a.Kf.Spaces().Patch(t.Context(), a.space.Name, types.MergePatchType, []byte(`{"spec":{"logs":{"archive":{"keepFor":"1s"}}}}`), metav1.PatchOptions{})
	a.Must(err)
	harness.Eventually(t, time.Minute, func() error { // the Space is remembered for five seconds
		a.archive.Deliver(harness.Ping("every-hour"))
		list, err := a.Kube.EventsV1().Events(metav1.NamespaceDefault).List(t.Context(), metav1.ListOptions{})
		if err != nil || !slices.ContainsFunc(list.Items, func(e eventsv1.Event) bool {
			return e.Reason == "LogsNotDeleted" && e.Regarding.UID == a.space.UID && strings.Contains(e.Note, "the registry does not delete")
		}) {
			return fmt.Errorf("the Space does not say that nothing is deleted: %v", err)
		}
		return nil
	})
	ref, err := name.NewDigest(a.now(one).Status.Log.Archive)
	a.Must(err)
	if _, err := remote.Head(ref); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	a.keeps.Store(false)
	a.archive.Deliver(harness.Ping("every-hour"))
	if _, err := remote.Head(ref); err == nil {
		t.Error("what is too old is kept")
	}
}

// TestAStoppedTasksLogIsArchived, though its Pod is gone before the registry takes it: by terminate, which was the last to read it.
func TestAStoppedTasksLogIsArchived(t *testing.T) {
	a := newArchived(t)
	a.log, _ = logged()
	stop := a.Function(t, "terminate", "SPOOL="+t.TempDir(), "DOCKER_CONFIG="+t.TempDir())
	a.nodeOf(stop)
	app := a.App("shop", nil)
	task, err := a.Add(t.Context(), app, func(t *v1alpha1.Task) {
		t.GenerateName, t.Name, t.Spec.Terminated = "", "shop-1", true
		t.Labels[v1alpha1.ArchiveLabel] = v1alpha1.ArchiveWanted
	})
	a.Must(err)
	a.Must(a.Start(t.Context(), app, task))
	_, err = a.Kube.CoreV1().Pods(a.Namespace).Patch(t.Context(), task.Name+"-pod", types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, pipeline.PipelineRunLabelKey, task.Name), metav1.PatchOptions{})
	a.Must(err)
	_, err = a.Kube.CoreV1().Pods(a.Namespace).Patch(t.Context(), task.Name+"-pod", types.MergePatchType, []byte(`{"status":{"phase":"Running",
		"containerStatuses":[{"name":"step-user-container","image":"x","imageID":"x","ready":true,"restartCount":0,"containerID":"c://1",
		"state":{"terminated":{"exitCode":0,"containerID":"c://1","startedAt":"2026-11-29T10:00:00Z","finishedAt":"2026-11-29T10:00:01Z"}}}]}}`),
		metav1.PatchOptions{}, "status")
	a.Must(err)
	a.away.Store(true)
	done := make(chan struct{})
	go func() { defer close(done); stop.Redeliver(harness.Updated("Task", a.now(task))) }()
	harness.Eventually(t, time.Minute, func() error {
		run, err := a.Tekton.PipelineRuns(a.Namespace).Get(t.Context(), task.Name, metav1.GetOptions{})
		if err != nil || !run.IsCancelled() {
			return fmt.Errorf("the run is not cancelled: %v", err)
		}
		return nil
	})
	end := fmt.Appendf(nil, `{"status":{"completionTime":%[1]q,"conditions":[{"type":"Succeeded","status":"False","reason":"Cancelled","lastTransitionTime":%[1]q}]}}`,
		time.Now().UTC().Format(time.RFC3339))
	_, err = a.Tekton.TaskRuns(a.Namespace).Patch(t.Context(), task.Name+"-user-container", types.MergePatchType, end, metav1.PatchOptions{}, "status")
	a.Must(err)
	_, err = a.Tekton.PipelineRuns(a.Namespace).Patch(t.Context(), task.Name, types.MergePatchType, end, metav1.PatchOptions{}, "status")
	a.Must(err)
	a.Must(a.Final(t.Context(), task, metav1.ConditionFalse)) // plays status
	<-done
	if list, err := a.Kube.CoreV1().Pods(a.Namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) > 0 {
		t.Errorf("its Pod is still there, for the registry's sake: %v", err)
	}
	harness.Eventually(t, time.Minute, func() error {
		if log := a.now(task).Status.Log; log == nil || log.State != v1alpha1.ArchiveWaiting {
			return fmt.Errorf("the Task does not say that it waits: %+v", log)
		}
		return nil
	})
	a.archive.Deliver(*events.NewTaskFact(events.TaskTerminated, "status", a.now(task)))
	if log := a.now(task).Status.Log; log.State != v1alpha1.ArchiveWaiting {
		t.Errorf("archive took it from terminate: %+v", log)
	}
	a.away.Store(false)
	harness.Eventually(t, time.Minute, func() error {
		if log := a.now(task).Status.Log; log.State != v1alpha1.ArchiveComplete || log.Lines != 7 {
			return fmt.Errorf("%+v", log)
		}
		return nil
	})
}
