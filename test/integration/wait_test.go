package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// waited is a commanded Space with the function wait before the function command.
type waited struct {
	*commanded
	wait  *harness.Function
	token string
}

func newWaited(t *testing.T, env ...string) *waited {
	t.Helper()
	c := newCommanded(t)
	return &waited{c, c.Function(t, "wait", append([]string{"COMMAND_SINK=" + c.command.URL}, env...)...), c.command.Token}
}

// reply is an answer of the function wait.
type reply struct {
	status int
	header http.Header
	body   string
	said   struct {
		Task, Outcome, Reason, Message, RequestedBy, CompletionTime, Duration string
		Ended                                                                 bool
		ExitCode                                                              *int
		Log                                                                   *struct {
			Text  string
			Notes []string
		}
	}
}

// ask sends a request with these headers, in pairs; NS in the path is the namespace.
func (w *waited) ask(ctx context.Context, method, path, body string, headers ...string) (a reply) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, w.wait.URL+strings.ReplaceAll(path, "NS", w.ns), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.body = err.Error()
		return a
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
	}
	a.status, a.header, a.body = resp.StatusCode, resp.Header, string(b)
	_ = json.Unmarshal(b, &a.said) // refusals say other things
	return a
}

// asks starts a request, and returns what its answer comes by.
func (w *waited) asks(method, path, body string, headers ...string) <-chan reply {
	c := make(chan reply, 1)
	go func() { c <- w.ask(ctx, method, path, body, headers...) }()
	return c
}

// made waits for the one Task of the command.
func (w *waited) made(command string) (task *v1alpha1.Task) {
	w.t.Helper()
	harness.Eventually(w.t, time.Minute, func() error {
		for _, t := range w.tasks() {
			if t.Spec.Command == command {
				task = &t
				return nil
			}
		}
		return fmt.Errorf("there is no Task with the command %q", command)
	})
	return task
}

// end writes a Task's end, as the function status does.
func (w *waited) end(task *v1alpha1.Task, status metav1.ConditionStatus, reason string, code int32) {
	w.t.Helper()
	_, err := client.PatchStatus(ctx, w.Kf.Tasks(w.ns), task, func(t *v1alpha1.Task) {
		begun, ended := metav1.NewTime(time.Now().Add(-5*time.Second)), metav1.Now()
		t.Status.StartTime, t.Status.CompletionTime, t.Status.ExitCode = &begun, &ended, &code
		t.Status.Duration = &metav1.Duration{Duration: 5 * time.Second}
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: reason, LastTransitionTime: ended,
			Message: "the command exited with code " + fmt.Sprint(code)}}
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

const appTasks, jobRuns = "/namespaces/NS/apps/shop/tasks", "/namespaces/NS/jobs/nightly/runs"

// TestOneRequestRunsAndWaits: an App and a Job, ended well and badly; the answer comes when the Task has ended, with all about its end.
func TestOneRequestRunsAndWaits(t *testing.T) {
	w := newWaited(t)
	for path, c := range map[string]struct {
		status  metav1.ConditionStatus
		reason  string
		outcome string
		code    int32
	}{
		appTasks: {metav1.ConditionFalse, "Failed", "Failed", 3},
		jobRuns:  {metav1.ConditionTrue, "Succeeded", "Succeeded", 0},
	} {
		command := "run " + c.outcome
		answer := w.asks(http.MethodPost, path, `{"command": "`+command+`", "memory": "64Mi"}`)
		task := w.made(command)
		select {
		case a := <-answer:
			t.Fatalf("answered before the end: %d %s", a.status, a.body)
		case <-time.After(300 * time.Millisecond):
		}
		w.end(task, c.status, c.reason, c.code)
		a := <-answer
		if a.status != 200 || !a.said.Ended || a.said.Task != task.Name || a.said.Outcome != c.outcome || a.said.Reason != c.reason ||
			a.said.ExitCode == nil || *a.said.ExitCode != int(c.code) || a.said.Duration != "5s" || a.said.CompletionTime == "" ||
			a.said.RequestedBy != "system:serviceaccount:"+w.ns+":sender" || task.Spec.Memory != "64Mi" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a.said.Log == nil || !strings.Contains(strings.Join(a.said.Log.Notes, " "), "may not read the Pod logs") {
			t.Errorf("%s: whoever may not read logs is told %s", path, a.body)
		}
		if at := a.header.Get("Location"); at != "/namespaces/"+w.ns+"/tasks/"+task.Name || a.header.Get("Idempotency-Key") == "" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
}

// TestAWaitThatEndsFirstGoesOnElsewhere: 202 with the place, at once or after a while; there, the same for who looks and who waits.
func TestAWaitThatEndsFirstGoesOnElsewhere(t *testing.T) {
	w := newWaited(t)
	began := time.Now()
	a := w.ask(ctx, http.MethodPost, appTasks, `{"command": "async"}`, "Prefer", "respond-async")
	place := a.header.Get("Location")
	if a.status != 202 || a.said.Ended || place == "" || a.header.Get("Preference-Applied") != "respond-async" {
		t.Fatalf("%d %s %v", a.status, a.body, a.header)
	}
	a = w.ask(ctx, http.MethodGet, place, "", "Prefer", "wait=1")
	if took := time.Since(began); a.status != 202 || took < time.Second || a.header.Get("Location") != place || a.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("after %s: %d %s %v", took, a.status, a.body, a.header)
	}
	if a = w.ask(ctx, http.MethodGet, place, ""); a.status != 202 {
		t.Errorf("who looks is answered %d %s", a.status, a.body)
	}
	waits := w.asks(http.MethodGet, place, "", "Prefer", "wait=60")
	w.end(w.made("async"), metav1.ConditionTrue, "Succeeded", 0)
	if a = <-waits; a.status != 200 || a.said.Outcome != "Succeeded" {
		t.Errorf("who goes on waiting is answered %d %s", a.status, a.body)
	}
	if a = w.ask(ctx, http.MethodGet, place, ""); a.status != 200 || !a.said.Ended {
		t.Errorf("who looks again is answered %d %s", a.status, a.body)
	}
}

// TestADoubledRequestIsOneTask: with one key, whether the first still waits, has gone away, or was answered.
func TestADoubledRequestIsOneTask(t *testing.T) {
	w := newWaited(t)
	gone, leave := context.WithCancel(ctx)
	left := make(chan reply, 1)
	go func() {
		left <- w.ask(gone, http.MethodPost, appTasks, `{"command": "once"}`, "Idempotency-Key", "november")
	}()
	task := w.made("once")
	leave()
	if a := <-left; a.status != 0 {
		t.Errorf("who has gone was answered %d", a.status)
	}
	var waits []<-chan reply
	for range 3 {
		waits = append(waits, w.asks(http.MethodPost, appTasks, `{"command": "once"}`, "Idempotency-Key", `"november"`))
	}
	w.end(task, metav1.ConditionTrue, "Succeeded", 0)
	waits = append(waits, w.asks(http.MethodPost, appTasks, `{"command": "once"}`, "Idempotency-Key", "november"))
	for _, c := range waits {
		if a := <-c; a.status != 200 || a.said.Task != task.Name || a.header.Get("Idempotency-Key") != "november" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if tasks := w.tasks(); len(tasks) != 1 {
		t.Errorf("%d Tasks of one key", len(tasks))
	}
}

// TestWhoMayWait: nobody by default. What command refuses is refused in its words; who has not asked for a Task and may not get it is told
// the same of one that is there and of one that is not; and a log is for who may read Pod logs.
func TestWhoMayWait(t *testing.T) {
	w := newWaited(t)
	stranger := w.Token(t, w.Cluster.Namespace(t, "stranger"), "poster", audience)
	w.Task(t, w.ns, "shop", "runs")
	for name, c := range map[string]struct {
		method, path, body, token string
		want                      int
		says                      string
	}{
		"no token":                 {http.MethodPost, appTasks, `{}`, "", 401, "bearer token"},
		"a bad token":              {http.MethodPost, appTasks, `{}`, "Bearer x", 401, "not valid"},
		"for the API server":       {http.MethodPost, appTasks, `{}`, "Bearer " + w.Token(t, w.ns, "sender", ""), 401, "kf-tasks-command"},
		"without the right":        {http.MethodPost, appTasks, `{}`, "Bearer " + stranger, 403, "may not create tasks"},
		"another's Task":           {http.MethodGet, "/namespaces/NS/tasks/runs", "", "Bearer " + stranger, 403, "may not get task"},
		"no Task":                  {http.MethodGet, "/namespaces/NS/tasks/none", "", "Bearer " + stranger, 403, "may not get task"},
		"a Task of somebody":       {http.MethodGet, "/namespaces/NS/tasks/runs", "", "Bearer " + w.token, 403, "may not get task"},
		"no App yet":               {http.MethodPost, strings.Replace(appTasks, "shop", "none", 1), `{}`, "Bearer " + w.token, 503, "there is no App"},
		"a misspelled field":       {http.MethodPost, appTasks, `{"comand": "x"}`, "Bearer " + w.token, 422, "comand"},
		"another Space":            {http.MethodPost, appTasks, `{"namespace": "kf-tasks"}`, "Bearer " + w.token, 400, "leave namespace out"},
		"no JSON":                  {http.MethodPost, appTasks, `command=x`, "Bearer " + w.token, 400, "no object in JSON"},
		"a wait of no length":      {http.MethodGet, "/namespaces/NS/tasks/runs?", "", "Bearer " + w.token, 403, ""},
		"a body that is too large": {http.MethodPost, appTasks, `{"command": "` + strings.Repeat("x", 4<<20) + `"}`, "Bearer " + w.token, 413, "larger"},
		"another address":          {http.MethodPost, "/namespaces/NS/tasks/runs", `{}`, "Bearer " + w.token, 404, "/namespaces/NS/apps/APP/tasks"},
	} {
		a := w.ask(ctx, c.method, c.path, c.body, "Authorization", c.token)
		if kind := a.header.Get("Content-Type"); a.status != c.want || kind != "application/problem+json" || !strings.Contains(strings.ReplaceAll(a.body, w.ns, "NS"), c.says) {
			t.Errorf("%s: %d %s %s, want %d %q", name, a.status, kind, a.body, c.want, c.says)
		}
		if c.want == 401 && a.header.Get("WWW-Authenticate") == "" || c.want == 503 && a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %v", name, a.header)
		}
		if strings.Contains(a.body, w.token) {
			t.Errorf("%s: the answer holds the token", name)
		}
	}
	for _, name := range []string{"runs", "none"} { // else whoever has a token has each namespace's Tasks listed, as often as they like
		if a := w.ask(ctx, http.MethodGet, "/namespaces/NS/tasks/"+name, "", "Authorization", "Bearer "+stranger, "Prefer", "wait=300"); a.status != 403 || w.watching() != 0 {
			t.Errorf("%s, with a wait: %d %s, and %d watches", name, a.status, a.body, w.watching())
		}
	}
	if tasks := w.tasks(); len(tasks) != 1 {
		t.Errorf("%d Tasks came of it", len(tasks))
	}
	w.Allow(t, w.ns, "watcher", "tasks", "get")
	w.token = w.Token(t, w.ns, "watcher", audience)
	harness.Eventually(t, time.Minute, func() error { // the right takes effect a moment after it is given
		if a := w.ask(ctx, http.MethodGet, "/namespaces/NS/tasks/runs", ""); a.status != 202 {
			return fmt.Errorf("with the right to get it: %d %s", a.status, a.body)
		}
		return nil
	})
	if a := w.ask(ctx, http.MethodGet, "/namespaces/NS/tasks/none", ""); a.status != 404 {
		t.Errorf("one that is not there, to who may get it: %d %s", a.status, a.body)
	}
}

// TestALogIsReadWithTheCallersToken: there is no node here, so it is the API server's own words that are shown, for who may read logs;
// a token that is for commands alone is none for it.
func TestALogIsReadWithTheCallersToken(t *testing.T) {
	w := newWaited(t)
	if _, err := w.Kube.RbacV1().Roles(w.ns).Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "logs"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kube.RbacV1().RoleBindings(w.ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "logs"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "logs"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: w.ns, Name: "sender"}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	a := w.ask(ctx, http.MethodPost, appTasks, `{"command": "said"}`, "Prefer", "respond-async")
	task := w.made("said")
	w.pod(task)
	w.end(task, metav1.ConditionTrue, "Succeeded", 0)
	harness.Eventually(t, time.Minute, func() error {
		b := w.ask(ctx, http.MethodGet, a.header.Get("Location"), "")
		if b.status != 200 || b.said.Log == nil || !strings.Contains(strings.Join(b.said.Log.Notes, " "), "with its audience") {
			return fmt.Errorf("a token for commands alone: %d %s", b.status, b.body)
		}
		return nil
	})
	w.token = w.both("sender")
	if b := w.ask(ctx, http.MethodGet, a.header.Get("Location"), ""); b.status != 200 || strings.Contains(b.body, "audience") || len(b.said.Log.Notes) != 1 {
		t.Errorf("a token for both: %d %s", b.status, b.body)
	}
}

// TestAWaitOutlivesTheAPIServer: with its answers missing, the wait goes on; the watch begins anew, and nobody is forgotten.
func TestAWaitOutlivesTheAPIServer(t *testing.T) {
	w := newWaited(t)
	var waits []<-chan reply
	for i := range 5 {
		waits = append(waits, w.asks(http.MethodPost, appTasks, fmt.Sprintf(`{"command": "c%d"}`, i)))
	}
	for i := range 5 {
		w.waitsFor(w.made(fmt.Sprint("c", i)))
	}
	w.watches(1)
	w.wait.Proxy.Inject(func(r harness.Request) harness.Fault {
		if strings.Contains(r.Path, "/tasks") {
			return harness.Fault{Status: 500}
		}
		return harness.Fault{}
	})
	for i := range 5 {
		w.end(w.made(fmt.Sprint("c", i)), metav1.ConditionTrue, "Succeeded", 0)
	}
	time.Sleep(500 * time.Millisecond)
	w.wait.Proxy.Inject(nil)
	for _, c := range waits {
		if a := <-c; a.status != 200 || !a.said.Ended {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestAFunctionThatStopsTellsWhoWaits where to go on.
func TestAFunctionThatStopsTellsWhoWaits(t *testing.T) {
	w := newWaited(t)
	answer := w.asks(http.MethodPost, appTasks, `{"command": "long"}`)
	w.made("long")
	w.watches(1)
	w.wait.Terminate(20 * time.Second)
	if a := <-answer; a.status != 202 || a.header.Get("Location") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestManyWaitByOneWatch, and what is more than may is told so before anything is done.
func TestManyWaitByOneWatch(t *testing.T) {
	const many = 200
	w := newWaited(t, fmt.Sprint("MAX_WAITS=", many))
	first := w.ask(ctx, http.MethodPost, appTasks, `{"command": "many"}`, "Prefer", "respond-async")
	var all sync.WaitGroup
	statuses := make(chan int, many)
	for range many {
		all.Go(func() {
			for { // the last place may be taken by who asks below whether there is one
				a := w.ask(ctx, http.MethodGet, first.header.Get("Location"), "", "Prefer", "wait=300")
				if a.status != http.StatusServiceUnavailable {
					statuses <- a.status
					return
				}
			}
		})
	}
	harness.Eventually(t, time.Minute, func() error {
		if a := w.ask(ctx, http.MethodPost, appTasks, `{"command": "too many"}`, "Prefer", "wait=1"); a.status != 503 || !strings.Contains(a.body, "nothing was done") {
			return fmt.Errorf("%d %s", a.status, a.body)
		}
		return nil
	})
	if got := w.watching(); got > 2 { // of the first who asked in vain whether there is room, perhaps
		t.Errorf("%d watches", got)
	}
	if a := w.ask(ctx, http.MethodGet, first.header.Get("Location"), ""); a.status != 202 {
		t.Errorf("who does not wait is answered %d", a.status)
	}
	began := time.Now()
	w.end(w.made("many"), metav1.ConditionTrue, "Succeeded", 0)
	all.Wait()
	close(statuses)
	for status := range statuses {
		if status != 200 {
			t.Fatalf("answered %d", status)
		}
	}
	t.Logf("%d who waited were answered %s after the end; the function had %d MiB resident at most", many, time.Since(began), w.wait.PeakMemory()>>20)
}

// pod makes a Pod of a Task that has ended, on a node that there is not.
func (w *waited) pod(task *v1alpha1.Task) {
	w.t.Helper()
	pods := w.Kube.CoreV1().Pods(w.ns)
	p, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: task.Name + "-pod", Labels: map[string]string{v1alpha1.TaskLabel: task.Name}},
		Spec: corev1.PodSpec{NodeName: "nowhere." + w.ns, RestartPolicy: "Never", Containers: []corev1.Container{
			{Name: "step-" + v1alpha1.UserContainer, Image: "none.example/none"},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := pods.Patch(ctx, p.Name, types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`), metav1.PatchOptions{}, "status"); err != nil {
		w.t.Fatal(err)
	}
}

// both is an account's token for commands and for the API server, as docs/wait.md says how to get one.
func (w *waited) both(account string) string {
	w.t.Helper()
	b, err := w.Kube.Discovery().RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	var server struct{ Issuer string }
	if err := json.Unmarshal(b, &server); err != nil {
		w.t.Fatal(err)
	}
	r, err := w.Kube.CoreV1().ServiceAccounts(w.ns).CreateToken(ctx, account,
		&authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{audience, server.Issuer}}}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Status.Token
}

// watches waits until the function has so many watches of Tasks.
func (w *waited) watches(want int) {
	w.t.Helper()
	harness.Eventually(w.t, time.Minute, func() error {
		if got := w.watching(); got != want {
			return fmt.Errorf("%d watches, want %d: %v", got, want, w.wait.Proxy.Requests())
		}
		return nil
	})
}

// waitsFor waits until somebody waits for the Task: its first read has been answered when it is read again. One whose first read fails
// is told where to look, and waits for nothing.
func (w *waited) waitsFor(task *v1alpha1.Task) {
	w.t.Helper()
	harness.Eventually(w.t, time.Minute, func() error {
		reads := 0
		for _, r := range w.wait.Proxy.Requests() {
			if r.Is(http.MethodGet, "/"+w.ns+"/tasks/"+task.Name) {
				reads++
			}
		}
		if reads < 2 {
			return fmt.Errorf("%s was read %d times", task.Name, reads)
		}
		return nil
	})
}

// watching is how many watches of Tasks the function has begun.
func (w *waited) watching() (n int) {
	for _, r := range w.wait.Proxy.Requests() {
		if r.Is(http.MethodGet, "/"+w.ns+"/tasks") && r.Query.Get("watch") != "" {
			n++
		}
	}
	return n
}

// BenchmarkWaiters: ten thousand who wait for a hundred Tasks at one process, as it is shipped: what they cost, and how late they hear.
func BenchmarkWaiters(b *testing.B) {
	const many, tasks = 10000, 100
	c := harness.New(b)
	ns := c.Namespace(b, "waiters")
	c.App(b, ns, "shop")
	token := c.Token(b, ns, "watcher", audience)
	c.Allow(b, ns, "watcher", "tasks", "get")
	f := c.Shipped(b, "wait", fmt.Sprint("MAX_WAITS=", many), "LOG_LEVEL=error")
	for b.Loop() {
		before := f.PeakMemory()
		var made []*v1alpha1.Task
		for i := range tasks {
			made = append(made, c.Task(b, ns, "shop", fmt.Sprintf("t%d-%d", b.N, i)))
		}
		var all sync.WaitGroup
		var waiting, heard atomic.Int64
		pace := time.NewTicker(5 * time.Millisecond) // each costs the API server a look
		for i := range many {
			<-pace.C
			all.Go(func() {
				conn, err := net.Dial("tcp", strings.TrimPrefix(f.URL, "http://"))
				if err != nil {
					b.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprintf(conn, "GET /namespaces/%s/tasks/%s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nPrefer: wait=500\r\n\r\n", ns, made[i%tasks].Name, token)
				waiting.Add(1)
				head := make([]byte, 12)
				if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 200" {
					b.Errorf("%s %v", head, err)
				}
				heard.Add(1)
			})
		}
		pace.Stop()
		time.Sleep(5 * time.Second) // until all have been looked at once, of which nothing is heard
		if n := waiting.Load(); n != many || heard.Load() != 0 {
			b.Fatalf("%d wait, %d were answered", n, heard.Load())
		}
		began := time.Now()
		for _, t := range made {
			if _, err := client.PatchStatus(ctx, c.Kf.Tasks(ns), t, func(t *v1alpha1.Task) {
				now := metav1.Now()
				t.Status.CompletionTime = &now
				t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: "True", Reason: "Succeeded", LastTransitionTime: now}}
			}); err != nil {
				b.Fatal(err)
			}
		}
		all.Wait()
		b.ReportMetric(time.Since(began).Seconds(), "s-until-all-heard")
		b.ReportMetric(float64(f.PeakMemory()-before)/many/1024, "KiB/waiter")
	}
}
