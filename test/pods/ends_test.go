package pods

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// listen listens where Pods of the local cluster reach this test.
func listen(t *testing.T) net.Listener {
	t.Helper()
	host := os.Getenv("CLUSTER_HOST_IP")
	if host == "" {
		t.Skip("CLUSTER_HOST_IP, the address at which Pods reach this machine, is known of a local cluster only")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// add makes a Task, and its PipelineRun.
func (w *writers) add(name string, of v1alpha1.TaskSpec) {
	w.t.Helper()
	task := harness.NewTask(w.ns, of.AppRef.Name, name)
	task.Spec = of
	task, err := w.c.Kf.Tasks(w.ns).Create(ctx, task, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.runtask.Deliver(harness.Added("Task", task))
}

// final waits until a Task has ended, and returns it and what it says of its end.
func (w *writers) final(name string) (*v1alpha1.Task, *metav1.Condition) {
	w.t.Helper()
	var task *v1alpha1.Task
	harness.Eventually(w.t, 4*time.Minute, func() error {
		if task = w.task(name); !task.Final() {
			return fmt.Errorf("%s has not ended: %+v", name, task.Status.Conditions)
		}
		return nil
	})
	return task, meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
}

// TestATaskSaysHowItEndedAndWhatItTook: the shell that tells Tekton what the command took changes nothing of how it ended.
func TestATaskSaysHowItEndedAndWhatItTook(t *testing.T) {
	w := newWriters(t)
	w.pinged("status")
	w.shell(harness.NewApp(w.ns, "shop", registry(t)+"/base/busybox:latest"))
	const work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; cd /sys/fs/cgroup; " +
		"if [ -r memory.peak ] || [ -r memory/memory.max_usage_in_bytes ]; then echo its kernel knows; fi; "
	for name, test := range map[string]struct {
		command string
		retries int32
		reason  string
		code    int32
		says    string
	}{
		"works":      {work + "echo done", 0, v1alpha1.ReasonSucceeded, 0, ""},
		"fails":      {work + "exit 3", 0, v1alpha1.ReasonFailed, 3, "exited with code 3"},
		"is-killed":  {work + "kill -KILL $$", 0, v1alpha1.ReasonFailed, 137, "ended by signal 9"},
		"is-stopped": {work + "kill -TERM $$", 0, v1alpha1.ReasonFailed, 143, "ended by signal 15"},
		"is-retried": {work + "exit 4", 1, v1alpha1.ReasonFailed, 4, "exited with code 4"},
		"fakes":      {work + "echo forged >/tekton/results/kf-usage; exit 5", 0, v1alpha1.ReasonFailed, 5, "exited with code 5"},
	} {
		w.add(name, v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: test.command, Retries: test.retries})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task, end := w.in(t).final(name)
			if s := task.Status; end.Reason != test.reason || s.ExitCode == nil || *s.ExitCode != test.code ||
				!strings.Contains(end.Message, test.says) || len(s.Starts) != 1+int(test.retries) {
				t.Errorf("%s: %s; exit code %v; %d starts", end.Reason, end.Message, s.ExitCode, len(s.Starts))
			}
			took := task.Status.Usage
			if took == nil || took.CPUTime == nil || took.CPUTime.Duration < 10*time.Millisecond {
				t.Fatalf("it took %+v", took)
			}
			if w.in(t).said(name, "its kernel knows") == nil && (took.PeakMemory == nil || took.PeakMemory.Value() < 64<<10) {
				t.Errorf("its memory was %v", took.PeakMemory)
			}
			t.Logf("it took %s and %v", took.CPUTime.Duration, took.PeakMemory)
		})
	}
}

// shell makes an App whose image has a POSIX shell.
func (w *writers) shell(app *v1alpha1.App) *v1alpha1.App {
	w.t.Helper()
	image := *app.Spec.Build.Image
	app, err := w.c.Kf.Apps(w.ns).Create(ctx, app, metav1.CreateOptions{})
	if err == nil {
		app, err = client.PatchStatus(ctx, w.c.Kf.Apps(w.ns), app, func(a *v1alpha1.App) {
			a.Status.Image = image
			a.Status.StartCommands = v1alpha1.StartCommandStatus{Image: image, Shell: v1alpha1.ShellPOSIX, ShellPath: "/bin/sh"}
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return app
}

// TestACallIsSentFromANode: an answer of 2xx is success, another is not, and the log says which it was.
func TestACallIsSentFromANode(t *testing.T) {
	listener := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/refresh" || r.Method != http.MethodPost || r.Header.Get("X-Shop") != "$(x) 1" {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, "refreshed")
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })

	w := newWriters(t)
	w.pinged("status")
	w.runtask = w.c.Function(t, "runtask", "CALL_IMAGE="+registry(t)+"/call:latest")
	if _, err := w.c.Kf.Apps(w.ns).Create(ctx, harness.NewApp(w.ns, "imageless", ""), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	at := "http://" + listener.Addr().String()
	for name, test := range map[string]struct {
		path, reason string
		code         int32
		says         []string
	}{
		"refresh": {"/refresh?token=hidden", v1alpha1.ReasonSucceeded, 0, []string{"POST " + at + "/refresh: 200 OK after ", "refreshed\n"}},
		"missing": {"/missing?token=hidden", v1alpha1.ReasonFailed, 1, []string{"POST " + at + "/missing: 404 Not Found after ", "ERROR: POST " + at + "/missing was answered with 404 Not Found"}},
	} {
		w.add(name, v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "imageless"}, Call: &v1alpha1.Call{
			URL: at + test.path, Method: http.MethodPost, Headers: []v1alpha1.CallHeader{{Name: "X-Shop", Value: "$(x) 1"}}}})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			task, end := w.final(name)
			if end.Reason != test.reason || task.Status.ExitCode == nil || *task.Status.ExitCode != test.code {
				t.Errorf("%s: %s; exit code %v", end.Reason, end.Message, task.Status.ExitCode)
			}
			for _, text := range test.says {
				if err := w.said(name, text); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}
			if w.said(name, "hidden") == nil {
				t.Error("the log has the URL's query")
			}
		})
	}
}
