// Package web looks at the pages of functions/web in a real Chromium: the function as a process, on a real API server. What is played is
// the function logs (there is no node whose logs it could read), and what runs and ends Tasks.
package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// acting is what acts where it is not held back: markup, an escape sequence, text that is turned around.
const acting = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\x1b]0;title\a\u202egnp.exe\u2066"

// plan is what the script is told.
type plan struct {
	URL, Control, Space string
	Editor, Viewer      string // tokens
	Out, Chromium       string
}

// TestPagesInChromium runs run.mjs, which looks at the pages with and without their script.
func TestPagesInChromium(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium: `make test-web` installs Debian's")
	}
	c := harness.New(t)
	w := &harness.World{TB: t, Cluster: c, Namespace: c.Namespace(t, "shop")}
	w.Rights(t, "users")
	made := furnish(w)
	web := w.Shipped(t, "web", "LOGS_URL="+playLogs(t).URL)
	out := filepath.Join(harness.Root(), "dist", "screenshots")
	w.Must(os.MkdirAll(out, 0o755))
	p := plan{
		URL: strings.Replace(web.URL, "127.0.0.1", "localhost", 1), Control: playCluster(w, made).URL, Space: w.Namespace,
		Editor: member(w, "jane", "edit"), Viewer: member(w, "joe", "view"), Out: out, Chromium: chromium,
	}
	b, err := json.Marshal(p)
	w.Must(err)
	cmd := exec.CommandContext(t.Context(), "node", "run.mjs")
	cmd.Env = append(os.Environ(), "PLAN="+string(b))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // as it goes on: it takes minutes
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	peak := web.PeakMemory()
	t.Logf("the function held %d MiB at most", peak>>20)
	if peak > 200<<20 {
		t.Errorf("%d MiB, and its limit is 256", peak>>20)
	}
}

// member is a token of an account that has a role in the Space.
func member(w *harness.World, account, role string) string {
	token := w.Token(w, w.Namespace, account, "")
	_, err := w.Kube.RbacV1().RoleBindings(w.Namespace).Create(w.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: w.Namespace}},
	}, metav1.CreateOptions{})
	w.Must(err)
	return token
}

// outcome is what is played of a Task.
type outcome struct {
	status          metav1.ConditionStatus
	reason, message string
	code            int32
	took            time.Duration
}

var outcomes = []outcome{
	{"True", "Succeeded", "the command exited with code 0", 0, 42 * time.Second},
	{"True", "Succeeded", "the command exited with code 0", 0, 7 * time.Second},
	{"False", "Failed", "the command exited with code 3", 3, 12 * time.Second},
	{"True", "Succeeded", "the command exited with code 0", 0, 95 * time.Second},
	{"False", "OutOfMemory", "the kernel ended it at its memory limit of 512Mi", 137, 4 * time.Minute},
	{"False", "TaskRunCancelled", "it was terminated by jane", 143, 31 * time.Second},
	{"False", "ImagePullFailed", "the image registry.example/shop:2 can't be pulled: manifest unknown", -1, 0},
}

// furnish makes an App with 500 Tasks and one with a few of each kind, a Job with a history, a Webhook with deliveries.
func furnish(w *harness.World) map[string]*v1alpha1.Task {
	shop, imports, odd := w.App("shop", nil), w.App("imports", nil), w.App("odd", nil)
	for _, app := range []*v1alpha1.App{shop, imports} {
		_, err := client.PatchStatus(w.Context(), w.Kf.Apps(w.Namespace), app, func(a *v1alpha1.App) {
			a.Status.Tasks.UpdateRequests = 500
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonImageReady, LastTransitionTime: metav1.Now()}}
		})
		w.Must(err)
	}
	made := map[string]*v1alpha1.Task{}
	for i, t := range []struct{ name, title, command string }{
		{"live", "reindex", "bin/reindex --all"}, {"stoppable", "sync", "bin/sync"}, {"waits", "migrate", "bin/migrate --all"}, {"big", "export", "bin/export --verbose"},
		{"failed", "report for November", "bin/report --month 2026-11 --format pdf"}, {"acting", acting, acting}, {"flood", "flood", "yes"},
	} {
		app := shop
		if t.name == "acting" || t.name == "flood" {
			app = odd
		}
		task, err := w.Add(w.Context(), app, func(k *v1alpha1.Task) {
			k.Name, k.GenerateName, k.Spec.DisplayName, k.Spec.Command = "shop-"+t.name, "", t.title, t.command
		})
		w.Must(err)
		o := outcomes[0]
		switch t.name {
		case "live", "flood", "stoppable":
			o = outcome{"Unknown", "Running", "", -1, 0}
		case "waits":
			o = outcome{"Unknown", "Unschedulable", "0/3 nodes are available: 3 Insufficient memory", -1, 0}
		case "failed":
			o = outcomes[2]
		case "acting":
			o = outcome{"False", "Failed", acting, 1, time.Second}
		}
		made[t.name] = stand(w, task, i+1, o)
	}
	w.Parallel(500, 8, func(ctx context.Context, i int) error {
		task, err := w.Add(ctx, imports, func(k *v1alpha1.Task) { k.Spec.DisplayName = fmt.Sprintf("import part %d", i+1) })
		if err == nil {
			stand(w, task, i+1, outcomes[i%len(outcomes)])
		}
		return err
	})
	furnishJob(w, shop)
	hook := &v1alpha1.Webhook{ObjectMeta: metav1.ObjectMeta{Name: "pushes", Namespace: w.Namespace}}
	hook.Spec.Provider, hook.Spec.SecretRefs, hook.Spec.Run.App = v1alpha1.ProviderGitHub, []v1alpha1.SecretKey{{Name: "pushes"}}, "shop"
	hook.Spec.Filter = `body.ref == "refs/heads/main"`
	hook, err := w.Kf.Webhooks(w.Namespace).Create(w.Context(), hook, metav1.CreateOptions{})
	w.Must(err)
	_, err = client.PatchStatus(w.Context(), w.Kf.Webhooks(w.Namespace), hook, func(h *v1alpha1.Webhook) {
		h.Status.Deliveries = []v1alpha1.Delivery{
			{ID: "72d3162e-cc78-11e3-81ab-4c9367dc0958", Time: metav1.Now(), Outcome: v1alpha1.DeliveryStored, Status: 202, Message: "Task shop-live"},
			{ID: "b1a2", Time: metav1.Now(), Outcome: v1alpha1.DeliveryIgnored, Status: 200, Message: "the filter is not true for it"},
			{ID: acting, Time: metav1.Now(), Outcome: v1alpha1.DeliveryRefused, Status: 422, Message: acting},
		}
	})
	w.Must(err)
	_, err = w.Kube.CoreV1().Events(w.Namespace).Create(w.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "e1"}, Type: "Warning", Reason: "EventNotDelivered", Message: acting, LastTimestamp: metav1.Now(), Count: 3,
		InvolvedObject: corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Task", Namespace: w.Namespace, Name: "shop-acting"},
	}, metav1.CreateOptions{})
	w.Must(err)
	return made
}

func furnishJob(w *harness.World, app *v1alpha1.App) {
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: w.Namespace, Labels: v1alpha1.TaskScheduleLabels(false)}}
	job.Spec.Schedule, job.Spec.Schedules, job.Spec.TimeZone = "30 2 * * *", []string{"0 14 * * 1-5"}, "Europe/Berlin"
	job.Spec.TaskTemplate = v1alpha1.TaskSpec{Command: "bin/report --yesterday"}
	job.Spec.TaskTemplate.AppRef.Name = app.Name
	job, err := w.Kf.TaskSchedules(w.Namespace).Create(w.Context(), job, metav1.CreateOptions{})
	w.Must(err)
	_, err = client.PatchStatus(w.Context(), w.Kf.TaskSchedules(w.Namespace), job, func(j *v1alpha1.TaskSchedule) {
		kinds := []v1alpha1.Decision{
			{Outcome: v1alpha1.OutcomeRan, Result: "Succeeded"}, {Outcome: v1alpha1.OutcomeRan, Result: "Failed"},
			{Outcome: v1alpha1.OutcomeSkipped, Message: "the Task before still runs"}, {Outcome: v1alpha1.OutcomeRan, Result: "Succeeded"},
			{Outcome: v1alpha1.OutcomeMissed, Message: "a later instant had passed when the system recovered"},
		}
		at := time.Now().UTC().Truncate(24 * time.Hour).Add(90 * time.Minute)
		for i := range 25 {
			d := kinds[i%len(kinds)]
			d.Instant = metav1.NewTime(at.AddDate(0, 0, -i))
			j.Status.History = append(j.Status.History, d)
		}
		next := metav1.NewTime(at.AddDate(0, 0, 1))
		j.Status.NextScheduleTime = &next
		j.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonScheduled, LastTransitionTime: metav1.Now()}}
	})
	w.Must(err)
}

// stand plays the function status.
func stand(w *harness.World, task *v1alpha1.Task, id int, o outcome) *v1alpha1.Task {
	task, err := client.PatchStatus(w.Context(), w.Kf.Tasks(w.Namespace), task, func(t *v1alpha1.Task) {
		t.Status.ID = id
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: o.status, Reason: o.reason, Message: o.message, LastTransitionTime: metav1.Now()}}
		begun := metav1.NewTime(time.Now().Add(-o.took))
		if o.reason == "Running" || o.took > 0 {
			t.Status.StartTime = &begun
		}
		if o.status != "Unknown" {
			ended := metav1.Now()
			t.Status.CompletionTime = &ended
		}
		if o.code >= 0 {
			t.Status.ExitCode = &o.code
		}
	})
	if err != nil {
		w.Error(err)
	}
	return task
}

// playCluster lets the script make happen what pages are to show.
func playCluster(w *harness.World, made map[string]*v1alpha1.Task) *httptest.Server {
	do := map[string]func() error{
		"/finish": func() error {
			task, err := w.Kf.Tasks(w.Namespace).Get(w.Context(), made["live"].Name, metav1.GetOptions{})
			if err == nil {
				stand(w, task, 1, outcomes[2])
			}
			return err
		},
		"/revoke": func() error {
			return w.Kube.CoreV1().ServiceAccounts(w.Namespace).Delete(w.Context(), "jane", metav1.DeleteOptions{})
		},
		"/demote": func() error {
			return w.Kube.RbacV1().RoleBindings(w.Namespace).Delete(w.Context(), "jane", metav1.DeleteOptions{})
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			io.WriteString(rw, w.Token(w, w.Namespace, "jane", ""))
			return
		}
		act := do[r.URL.Path]
		if act == nil {
			http.NotFound(rw, r)
		} else if err := act(); err != nil {
			http.Error(rw, err.Error(), 500)
		}
	}))
	w.Cleanup(s.Close)
	return s
}

// bigLog is how many bytes the Task "big" has written, and each that "flood" writes.
const bigLog = 100 << 20

// playLogs answers as the function logs does, whose parameters it has.
func playLogs(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		task := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		tail, limited := -1, r.URL.Query().Has("tail")
		if limited {
			tail, _ = strconv.Atoi(r.URL.Query().Get("tail"))
		}
		switch task {
		case "shop-big":
			writeLines(w, tail, bigLog/128)
		case "shop-flood":
			if r.URL.Query().Get("follow") == "true" {
				tail = -1
			}
			writeLines(w, tail, bigLog/128)
		case "shop-live":
			for i := 1; i <= 5; i++ {
				fmt.Fprintf(w, "reindexed part %d\n", i)
			}
			for i := 6; r.URL.Query().Get("follow") == "true"; i++ {
				fmt.Fprintf(w, "reindexed part %d\n", i)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(300 * time.Millisecond):
				}
			}
		case "shop-failed":
			io.WriteString(w, "connected to the database\nread 18234 orders of November\nno template for the format pdf\n[kf] shop-failed: Failed, exit code 3\n")
		case "shop-acting":
			fmt.Fprintf(w, "%s\n", "<script>alert(1)</script> <img src=x onerror=alert(1)>")
		case "shop-waits":
			io.WriteString(w, "[kf] shop-waits: the Task has not started\n")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// writeLines writes so many lines of 128 bytes, or the last of them.
func writeLines(w io.Writer, tail, n int) {
	from := 1
	if tail >= 0 {
		from = max(1, n-tail+1)
	}
	for i := from; i <= n; i++ {
		line := fmt.Sprintf("row %07d of %d written", i, n)
		if _, err := fmt.Fprintf(w, "%s%s\n", line, strings.Repeat(".", 127-len(line))); err != nil {
			return
		}
	}
}
