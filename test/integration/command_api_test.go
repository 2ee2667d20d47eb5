package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// post sends an event once, to a path, in a mode, as an account of the Space; "" shows no token.
func (c *commanded) post(ctx context.Context, path, account string, e cloudevents.Event) (status int, said string) {
	c.t.Helper()
	r, err := cehttp.NewHTTPRequestFromEvent(ctx, c.command.URL+path, e)
	if err != nil {
		c.t.Fatal(err)
	}
	if account != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token(c.t, c.ns, account, audience))
	}
	return c.do(r)
}

func (c *commanded) do(r *http.Request) (status int, said string) {
	c.t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

func (c *commanded) getJob() *v1alpha1.TaskSchedule {
	c.t.Helper()
	job, err := c.Kf.TaskSchedules(c.ns).Get(ctx, "nightly", metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return job
}

// TestARunCommandSaysAllOfItsTask: what it asks for is what the Task has, of an App and of a Job, delivered twice.
func TestARunCommandSaysAllOfItsTask(t *testing.T) {
	w := newCommanded(t)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	times := fmt.Sprintf(`"notBefore": %q, "expires": %q`, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339))
	for eventType, about := range map[string]string{events.TaskRun: `"app": "shop"`, events.JobRun: `"job": "nightly"`} {
		for id, c := range map[string]struct {
			say  string
			want func(v1alpha1.Task) bool
		}{
			"args": {`"args": ["bin/x", "a b", "$(HOME)"]`, func(t v1alpha1.Task) bool {
				return fmt.Sprintf("%q", t.Spec.Args) == `["bin/x" "a b" "$(HOME)"]` && t.Spec.Command == ""
			}},
			"process": {`"process": "worker", "args": ["-v"]`, func(t v1alpha1.Task) bool {
				return t.Spec.Process == "worker" && len(t.Spec.Args) == 1 && t.Spec.Command == ""
			}},
			"labels": {`"labels": {"team": "blue", "example.com/order": "7"}`, func(t v1alpha1.Task) bool {
				return t.Labels["team"] == "blue" && t.Labels["example.com/order"] == "7" && t.Labels[v1alpha1.NameLabel] == "shop"
			}},
			"times": {times, func(t v1alpha1.Task) bool {
				return t.Spec.NotBefore.Time.Equal(at) && t.Spec.Expires.Time.Equal(at.Add(time.Hour))
			}},
			"env": {`"env": [{"name": "MONTH", "value": "$(X)"}], "cpu": "500m", "disk": "1G"`, func(t v1alpha1.Task) bool {
				return t.Spec.Env[0].Value == "$(X)" && t.Spec.CPU == "500m" && t.Spec.Disk == "1Gi"
			}},
		} {
			e := w.event(eventType, eventType+id, fmt.Sprintf(`{"namespace": "NS", %s, %s}`, about, c.say))
			before := len(w.tasks())
			w.command.Deliver(e)
			w.command.Deliver(e)
			made := 0
			for _, task := range w.tasks() {
				if (events.EventRef{Source: e.Source(), ID: e.ID()}).IsFrom(&task) {
					if made++; !c.want(task) {
						t.Errorf("%s %s: %+v %v", eventType, id, task.Spec, task.Labels)
					}
				}
			}
			if made != 1 || len(w.tasks()) != before+1 {
				t.Errorf("%s %s: %d Tasks", eventType, id, made)
			}
		}
	}
}

// TestBadCommandsAreRefusedForGood: with words that say why, and a fact, and nothing comes of them.
func TestBadCommandsAreRefusedForGood(t *testing.T) {
	w := newCommanded(t)
	facts := harness.NewFacts(t)
	token := w.command.Token
	w.command = w.Function(t, "command", "K_SINK="+facts.URL)
	w.command.Token = token
	w.Allow(t, w.ns, "sender", "taskschedules", "patch")
	ahead := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for i, c := range []struct {
		eventType, data, attributes, says string
	}{
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "command": "x", "process": "web"}`, "", "stands alone"},
		{events.JobRun, `{"namespace": "NS", "job": "nightly", "command": "x", "args": ["y"]}`, "", "stands alone"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "args": ["a\u0000b"]}`, "", "NUL"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "args": [` + strings.Repeat(`"x",`, 256) + `"x"]}`, "", "at most 256"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "process": "a b"}`, "", "process"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "labels": {"tasks.kf.dev/handled": "x"}}`, "", "kf.dev"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "labels": {"app.kubernetes.io/version": "1"}}`, "", "kubernetes.io"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "labels": {"x": "a b"}}`, "", "labels"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "labels": {"x": "a", "x": "b"}}`, "", "duplicate"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "Labels": {}}`, "", "Labels"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "notBefore": "soon"}`, "", "soon"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "notBefore": "` + ahead(31*24*time.Hour) + `"}`, "", "30 days"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "expires": "` + ahead(-time.Second) + `"}`, "", "expired"},
		{events.JobRun, `{"namespace": "NS", "job": "nightly", "expires": "` + ahead(-time.Hour) + `"}`, "", "expired"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop", "notBefore": "` + ahead(time.Hour) + `", "expires": "` + ahead(time.Minute) + `"}`, "", "before expires"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop"}`, "subject=default/shop", "subject"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop"}`, "subject=NS/other", "subject"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop"}`, "dataschema=https://example.com/" + events.JobRun + ".json", "dataschema"},
		{events.TaskRun, `{"namespace": "NS", "app": "shop"}`, "correlationid=" + strings.Repeat("x", 300), "correlationid"},
		{events.TaskTerminate, `{"namespace": "NS", "run": {"source": "/test", "id": "1"}}`, "", "an app or a job"},
		{events.TaskTerminate, `{"namespace": "NS", "app": "shop", "id": 1, "run": {"source": "/test", "id": "1"}}`, "", "one of these"},
		{events.TaskTerminate, `{"namespace": "NS", "app": "shop", "run": {"source": "/test", "ID": "1"}}`, "", "ID"},
		{events.JobSuspend, `{"namespace": "NS", "job": "nightly"}`, "", "attribute time"},
		{events.JobResume, `{"namespace": "NS", "job": "nightly"}`, "time=" + ahead(time.Hour), "clock"},
		{events.JobResume, `{"namespace": "NS", "job": "nightly", "suspend": true}`, "time=" + ahead(0), "suspend"},
		{events.JobSuspend, `{"namespace": "NS"}`, "time=" + ahead(0), "needs namespace and job"},
	} {
		e := w.event(c.eventType, fmt.Sprint("bad-", i), c.data)
		switch attribute, value, _ := strings.Cut(strings.ReplaceAll(c.attributes, "NS", w.ns), "="); attribute {
		case "subject":
			e.SetSubject(value)
		case "dataschema":
			e.SetDataSchema(value)
		case "time":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				t.Fatal(err)
			}
			e.SetTime(at)
		case "correlationid":
			e.SetExtension(attribute, value)
		}
		before := len(facts.All())
		status, said := w.command.Ask(e, "Bearer "+token)
		if status != 422 || !strings.Contains(said, c.says) {
			t.Errorf("%s %s %.60s: %d %s, want it refused for %q", c.eventType, c.data, c.attributes, status, said, c.says)
		}
		if all := facts.All(); len(all) != before+1 || all[before].Type() != events.CommandRefused || all[before].Extensions()["causationid"] != e.ID() {
			t.Errorf("%s: told as %v", c.data, all[before:])
		}
	}
	if n := len(w.tasks()); n != 0 || !w.getJob().Spec.Suspend {
		t.Errorf("%d Tasks came of it, or the Job was resumed", n)
	}
}

// TestAnExpiredCommandThatWasCarriedOutIsNotRefused when it is delivered again.
func TestAnExpiredCommandThatWasCarriedOutIsNotRefused(t *testing.T) {
	w := newCommanded(t)
	var e cloudevents.Event
	harness.Eventually(t, time.Minute, func() error { // on a machine that is busy one may come too late
		at := time.Now().Add(3 * time.Second).UTC()
		e = w.event(events.TaskRun, at.String(), fmt.Sprintf(`{"namespace": "NS", "app": "shop", "expires": %q}`, at.Format(time.RFC3339Nano)))
		if status, _ := w.command.Send(e); status != 200 {
			return fmt.Errorf("what expires at %s is answered %d", at, status)
		}
		return nil
	})
	late := e.Clone()
	late.SetID("late")
	harness.Eventually(t, time.Minute, func() error {
		if status, _ := w.command.Send(late); status != 422 {
			late.SetID(late.ID() + "x") // that one was in time
			return fmt.Errorf("what comes after it has expired is answered %d", status)
		}
		return nil
	})
	before := len(w.tasks())
	w.command.Deliver(e)
	if n := len(w.tasks()); n != before {
		t.Errorf("%d Tasks, want %d", n, before)
	}
}

// modes are the ways in which one event can come.
func modes(t *testing.T, to string, e cloudevents.Event) map[string]*http.Request {
	t.Helper()
	all := map[string]*http.Request{}
	for name, how := range map[string]func(context.Context) context.Context{
		"the SDK's, binary":     binding.WithForceBinary,
		"the SDK's, structured": binding.WithForceStructured,
	} {
		r, err := cehttp.NewHTTPRequestFromEvent(how(ctx), to, e)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = r
	}
	encoded, err := cehttp.NewHTTPRequestFromEvent(binding.WithForceBinary(ctx), to, e)
	if err != nil {
		t.Fatal(err)
	}
	quoted := encoded.Clone(ctx)
	quoted.Body = io.NopCloser(bytes.NewReader(e.Data()))
	for _, name := range []string{"Ce-Id", "Ce-Subject", "Ce-Source"} {
		encoded.Header.Set(name, strings.ReplaceAll(url.QueryEscape(encoded.Header.Get(name)), "+", "%20"))
		quoted.Header.Set(name, `"`+quoted.Header.Get(name)+`"`)
	}
	all["percent-encoded, as the specification has it"], all["in quotes, as it once had it"] = encoded, quoted
	return all
}

// TestAnEventIsOneInAllItsModes: the SDK's, and those of senders that encode what they must; whatever its id is.
func TestAnEventIsOneInAllItsModes(t *testing.T) {
	w := newCommanded(t)
	for i, id := range []string{"7", "invoice 42", "Überweisung №7", "a/b?c=d&e", "日本語", "100 %", "x+y", strings.Repeat("é", 500)} {
		e := w.event(events.TaskRun, id, `{"namespace": "NS", "app": "shop", "args": ["é"]}`)
		e.SetSubject(w.ns + "/shop")
		e.SetExtension("correlationid", "Bestellung №7")
		for name, r := range modes(t, w.command.URL, e) {
			r.Header.Set("Authorization", "Bearer "+w.command.Token)
			if status, said := w.do(r); status != 200 {
				t.Errorf("%q, %s: %d %s", id, name, status, said)
			}
		}
		tasks := w.tasks()
		if len(tasks) != i+1 {
			t.Fatalf("%q: %d Tasks, want %d", id, len(tasks), i+1)
		}
		if _, err := w.Kf.Tasks(w.ns).Get(ctx, events.TaskName("shop", "/test", id), metav1.GetOptions{}); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func (c *commanded) switched(eventType, id string, at time.Time) cloudevents.Event {
	e := c.event(eventType, id, `{"namespace": "NS", "job": "nightly"}`)
	e.SetTime(at)
	return e
}

// TestAJobEndsAsTheLastCommandSays: in whatever order they come, however often, and all at once; and by hand in between.
func TestAJobEndsAsTheLastCommandSays(t *testing.T) {
	w := newCommanded(t)
	if status, said := w.command.Ask(w.switched(events.JobResume, "0", time.Now()), "Bearer "+w.command.Token); status != 403 || !strings.Contains(said, "may not patch taskschedule nightly") {
		t.Errorf("who may make Tasks, and not patch Jobs: %d %s", status, said)
	}
	w.Allow(t, w.ns, "sender", "taskschedules", "patch")
	harness.Eventually(t, time.Minute, func() error {
		if status, said := w.command.Ask(w.switched(events.JobResume, "0", time.Now().Add(-time.Hour)), "Bearer "+w.command.Token); status != 200 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	base := time.Now().Add(-time.Minute)
	for round := range 6 {
		base = base.Add(time.Second)
		var all []cloudevents.Event
		for i := range 5 {
			eventType := []string{events.JobSuspend, events.JobResume}[(i+round)%2]
			all = append(all, w.switched(eventType, fmt.Sprint(round, "-", i), base.Add(time.Duration(i)*time.Millisecond)))
		}
		var group sync.WaitGroup
		for _, i := range append(rand.Perm(len(all)), rand.Perm(len(all))...) {
			if round%2 == 0 {
				w.command.Redeliver(all[i])
			} else {
				group.Go(func() { w.command.Redeliver(all[i]) })
			}
		}
		group.Wait()
		if want := all[4].Type() == events.JobSuspend; w.getJob().Spec.Suspend != want {
			t.Errorf("round %d: suspended %t, want %t", round, !want, want)
		}
	}
	last := w.switched(events.JobSuspend, "last", time.Now())
	w.command.Deliver(last)
	if !w.getJob().Spec.Suspend {
		t.Fatal("not suspended")
	}
	if _, err := w.Kf.TaskSchedules(w.ns).Patch(ctx, "nightly", types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	_, writes := w.command.Proxy.Counts()
	reply := w.command.Deliver(last) // once more
	var fact events.CommandFact
	if err := reply.DataAs(&fact); err != nil || fact.Job != "nightly" || fact.Task != "" || fact.Reason == "" || reply.Subject() != w.ns+"/nightly" {
		t.Errorf("%v %+v", err, fact)
	}
	if _, again := w.command.Proxy.Counts(); w.getJob().Spec.Suspend || again != writes {
		t.Errorf("a second delivery has undone what somebody did by hand, or wrote")
	}
	if status, _ := w.command.Send(w.event(events.JobSuspend, "none", `{"namespace": "NS", "job": "none"}`)); status != 503 {
		t.Errorf("of a Job that may come: %d", status)
	}
}

// TestAJobIsSwitchedInSpiteOfErrors: each request fails once, before and after it takes effect.
func TestAJobIsSwitchedInSpiteOfErrors(t *testing.T) {
	w := newCommanded(t)
	w.Allow(t, w.ns, "sender", "taskschedules", "patch")
	harness.Eventually(t, time.Minute, func() error {
		if status, said := w.command.Ask(w.switched(events.JobSuspend, "0", time.Now().Add(-time.Hour)), "Bearer "+w.command.Token); status != 200 {
			return fmt.Errorf("%d %s", status, said)
		}
		return nil
	})
	suspend := false
	for _, status := range []int{409, 429, 500, 503} {
		for _, after := range []bool{false, true} {
			failed := map[string]bool{}
			var mu sync.Mutex
			w.command.Proxy.Inject(func(r harness.Request) harness.Fault {
				mu.Lock()
				defer mu.Unlock()
				if failed[r.Method+r.Path] {
					return harness.Fault{}
				}
				failed[r.Method+r.Path] = true
				return harness.Fault{Status: status, After: after}
			})
			eventType := map[bool]string{true: events.JobSuspend, false: events.JobResume}[suspend]
			w.command.Deliver(w.switched(eventType, fmt.Sprint(status, after), time.Now()))
			if got := w.getJob().Spec.Suspend; got != suspend {
				t.Errorf("%d, taking effect %t: suspended %t", status, after, got)
			}
			suspend = !suspend
		}
	}
}

func (c *commanded) stop(id, about, of string) cloudevents.Event {
	return c.event(events.TaskTerminate, id, fmt.Sprintf(`{"namespace": "NS", %s, "run": {"source": "/test", "id": %q}}`, about, of))
}

// TestATerminationMayComeBeforeItsRun: in either order, at once, and again, it is one Task, which is asked to stop.
func TestATerminationMayComeBeforeItsRun(t *testing.T) {
	w := newCommanded(t)
	for eventType, about := range map[string]string{events.TaskRun: `"app": "shop"`, events.JobRun: `"job": "nightly"`} {
		for order, deliver := range map[string]func(run, stop cloudevents.Event){
			"run first":  func(run, stop cloudevents.Event) { w.command.Deliver(run); w.command.Deliver(stop) },
			"stop first": func(run, stop cloudevents.Event) { w.command.Deliver(stop); w.command.Deliver(run) },
			"at once": func(run, stop cloudevents.Event) {
				var group sync.WaitGroup
				for range 3 {
					group.Go(func() { w.command.Redeliver(run) })
					group.Go(func() { w.command.Redeliver(stop) })
				}
				group.Wait()
			},
		} {
			id := eventType + order
			run := w.event(eventType, id, fmt.Sprintf(`{"namespace": "NS", %s}`, about))
			stop := w.stop(id+" stop", about, id)
			before := len(w.tasks())
			deliver(run, stop)
			for _, e := range []cloudevents.Event{run, stop, run} {
				reply := w.command.Deliver(e)
				var fact events.CommandFact
				if err := reply.DataAs(&fact); err != nil || fact.Task != events.TaskName(map[string]string{events.TaskRun: "shop", events.JobRun: "nightly"}[eventType], "/test", id) {
					t.Errorf("%s: %v %+v", id, err, fact)
				}
			}
			tasks := w.tasks()
			if len(tasks) != before+1 {
				t.Fatalf("%s: %d Tasks, want one more than %d", id, len(tasks), before)
			}
			for _, task := range tasks {
				if !task.Spec.Terminated {
					t.Errorf("%s: %s was not asked to stop", id, task.Name)
				}
			}
		}
	}
	runtask := w.Function(t, "runtask")
	runtask.Deliver(harness.Ping("resync"))
	for _, task := range w.tasks() {
		run, err := w.Tekton.PipelineRuns(w.ns).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil || !run.IsCancelled() {
			t.Errorf("%s may start: %v", task.Name, err)
		}
	}
}

// TestWhoStopsARunThatIsToComeNeedsBothRights, for a Task is made; and whose the run is does not matter then, as it does not matter
// for a Task that is there.
func TestWhoStopsARunThatIsToComeNeedsBothRights(t *testing.T) {
	w := newCommanded(t)
	for account, verbs := range map[string][]string{"patches": {"patch"}, "creates": {"create"}} {
		w.Token(t, w.ns, account, audience)
		w.Allow(t, w.ns, account, "tasks", verbs...)
		harness.Eventually(t, time.Minute, func() error {
			status, said := w.post(ctx, "", account, w.stop(account, `"app": "shop"`, "1"))
			if status != 403 || account == "patches" && !strings.Contains(said, "may not create tasks") {
				return fmt.Errorf("%s: %d %s", account, status, said)
			}
			return nil
		})
	}
	w.Token(t, w.ns, "other", audience)
	w.Allow(t, w.ns, "other", "tasks", "create", "patch")
	w.allowed("other")
	if n := len(w.tasks()); n != 0 {
		t.Fatalf("%d Tasks came of it", n)
	}
	if status, said := w.post(ctx, "", "other", w.stop("stop", `"app": "shop"`, "1")); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	w.command.Deliver(w.event(events.TaskRun, "1", `{"namespace": "NS", "app": "shop"}`))
	if tasks := w.tasks(); len(tasks) != 1 || !tasks[0].Spec.Terminated || !strings.HasSuffix(tasks[0].Spec.RequestedBy, ":other") {
		t.Errorf("%+v", tasks)
	}
	if status, _ := w.command.Send(w.stop("none", `"app": "yet-to-come"`, "1")); status != 503 {
		t.Errorf("of an App that may come: %d, want 503", status)
	}
	w.Task(t, w.ns, "shop", events.TaskName("shop", "/test", "taken"))
	if status, _ := w.command.Send(w.stop("taken", `"app": "shop"`, "taken")); status != 422 {
		t.Errorf("a Task of somebody's that has the name: %d, want 422", status)
	}
}

// TestTheCauseGoesFromTheCommandToTheLastFact: by command, runtask and status.
func TestTheCauseGoesFromTheCommandToTheLastFact(t *testing.T) {
	w := newCommanded(t)
	const trace, state = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1"
	e := w.event(events.TaskRun, "2026 №11", `{"namespace": "NS", "app": "shop"}`)
	for k, v := range map[string]string{"traceparent": trace, "tracestate": state, "correlationid": "order 7", "causationid": "of the command itself"} {
		e.SetExtension(k, v)
	}
	facts, sink := []*cloudevents.Event{w.command.Deliver(e)}, harness.NewFacts(t)
	task := w.tasks()[0]
	facts = append(facts, sink.Delivered(w.Function(t, "runtask", "K_SINK="+sink.URL), harness.Added("Task", &task)))
	run, err := w.Tekton.PipelineRuns(w.ns).Get(ctx, task.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status := w.Function(t, "status", "K_SINK="+sink.URL)
	for _, step := range life(t, w.Cluster, run, 3)[1:] {
		reach(t, w.Cluster, step)
		facts = append(facts, sink.Delivered(status, harness.Updated("PipelineRun", step)))
	}
	for i, want := range []string{events.CommandAccepted, events.TaskCreated, events.TaskStarted, events.TaskFailed} {
		f := facts[i]
		if f == nil || f.Type() != want {
			t.Fatalf("fact %d is %v, want %s", i, f, want)
		}
		if x := f.Extensions(); x["traceparent"] != trace || x["tracestate"] != state || x["correlationid"] != "order 7" || x["causationid"] != e.ID() {
			t.Errorf("%s: %v", want, x)
		}
	}
	var last events.TaskFact
	if err := facts[3].DataAs(&last); err != nil || last.Command == nil || *last.Command != (events.EventRef{Source: "/test", ID: e.ID()}) ||
		last.RequestedBy != "system:serviceaccount:"+w.ns+":sender" || *last.Status.ExitCode != 3 || last.Status.StartTime == nil || last.Status.CompletionTime == nil {
		t.Errorf("%+v %v", last, err)
	}
}

// TestAnyEventRunsAJobOrAnApp at whose path it is posted: once, with the event in its environment, for who may make Tasks there.
func TestAnyEventRunsAJobOrAnApp(t *testing.T) {
	w := newCommanded(t)
	w.Token(t, w.ns, "nobody", audience)
	job := w.getJob()
	job.Spec.TaskTemplate.Env = []v1alpha1.EnvVar{{Name: "CE_SUBJECT", Value: "of the template"}, {Name: "KEPT", Value: "1"}}
	if _, err := w.Kf.TaskSchedules(w.ns).Update(ctx, job, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	e := cloudevents.NewEvent()
	e.SetType("com.example.order.paid")
	e.SetSource("/orders")
	e.SetID("№ 7")
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]any{"total": "$(HOME) ü"}); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"jobs/nightly", "apps/shop"} {
		path := "/namespaces/" + w.ns + "/" + of
		for account, want := range map[string]int{"": 401, "nobody": 403} {
			if status, said := w.post(ctx, path, account, e); status != want {
				t.Errorf("%s by %q: %d %s", of, account, status, said)
			}
		}
		if status, _ := w.post(ctx, strings.Replace(path, w.ns, "default", 1), "sender", e); status != 403 {
			t.Errorf("elsewhere: %d", status)
		}
		before := len(w.tasks())
		for range 2 {
			for name, r := range modes(t, w.command.URL+path, e) {
				r.Header.Set("Authorization", "Bearer "+w.command.Token)
				if status, said := w.do(r); status != 200 {
					t.Errorf("%s, %s: %d %s", of, name, status, said)
				}
			}
		}
		if n := len(w.tasks()) - before; n != 1 {
			t.Fatalf("%s: %d Tasks", of, n)
		}
	}
	for _, task := range w.tasks() {
		got := map[string]string{}
		for _, v := range task.Spec.Env {
			got[v.Name] = v.Value
		}
		if got["CE_ID"] != "№ 7" || got["CE_TYPE"] != e.Type() || got["CE_SOURCE"] != "/orders" || got["CE_SUBJECT"] != "" || got["CE_DATA"] != string(e.Data()) {
			t.Errorf("%s: %v", task.Name, got)
		}
		if ofJob := task.Labels[v1alpha1.TaskScheduleLabel] != ""; ofJob != (got["KEPT"] == "1") || ofJob != (task.Spec.Command == "bin/nightly") {
			t.Errorf("%s: %v %+v", task.Name, got, task.Spec)
		}
	}
	for path, want := range map[string]int{
		"/namespaces/" + w.ns + "/jobs/none": 503, "/namespaces/" + w.ns + "/pods/nightly": 422, "/namespaces/" + w.ns + "/jobs/Nightly": 422,
		"/": 422, "/elsewhere": 422,
	} {
		if status, said := w.post(ctx, path, "sender", e); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, said, want)
		}
	}
}

// TestAnEventForTwoOfOneNameIsNotLost: the second is told that its Task has no name, instead of that it ran, and stopping one does not stop
// the other.
func TestAnEventForTwoOfOneNameIsNotLost(t *testing.T) {
	w := newCommanded(t)
	w.App(t, w.ns, "nightly") // as the Job
	e := w.event("com.example.order.paid", "1", `{}`)
	if status, said := w.post(ctx, "/namespaces/"+w.ns+"/jobs/nightly", "sender", e); status != 200 {
		t.Fatalf("%d %s", status, said)
	}
	if status, said := w.post(ctx, "/namespaces/"+w.ns+"/apps/nightly", "sender", e); status != 422 || !strings.Contains(said, "another App or Job") {
		t.Errorf("%d %s", status, said)
	}
	if status, said := w.command.Send(w.stop("stop", `"app": "nightly"`, "1")); status != 422 {
		t.Errorf("%d %s", status, said)
	}
	if tasks := w.tasks(); len(tasks) != 1 || tasks[0].Spec.Terminated || tasks[0].Labels[v1alpha1.TaskScheduleLabel] != "nightly" {
		t.Errorf("%+v", tasks)
	}
}

// TestLargeEventsStillRun: what is no text, or too long for a variable, is left out, and the Task hears of that; the API server takes
// what is let in.
func TestLargeEventsStillRun(t *testing.T) {
	w := newCommanded(t)
	path := "/namespaces/" + w.ns + "/jobs/nightly"
	for i, c := range []struct {
		kind, data string
		in         bool
	}{
		{"text/plain", strings.Repeat("é", events.MaxDataEnv/2), true},
		{"text/plain", strings.Repeat("x", events.MaxDataEnv+1), false},
		{"application/octet-stream", "\x00\xff", false},
	} {
		e := cloudevents.NewEvent()
		e.SetType("t")
		e.SetSource("/s")
		e.SetID(fmt.Sprint(i))
		e.SetDataContentType(c.kind)
		e.DataEncoded = []byte(c.data)
		if status, said := w.post(ctx, path, "sender", e); status != 200 {
			t.Fatalf("%s: %d %s", c.kind, status, said)
		}
		task, err := w.Kf.Tasks(w.ns).Get(ctx, events.TaskName("nightly", "/s", e.ID()), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, v := range task.Spec.Env {
			got[v.Name] = v.Value
		}
		if (got["CE_DATA"] == c.data) != c.in || (got["CE_DATA_OMITTED"] == "") != c.in {
			t.Errorf("%s: %d bytes, left out for %q", c.kind, len(got["CE_DATA"]), got["CE_DATA_OMITTED"])
		}
	}
}

// TestATriggerWithoutAFilterMakesNoLoop: a Job gets every fact there is, those about its own Tasks and about the commands among them, and
// runs once for each of somebody else's.
func TestATriggerWithoutAFilterMakesNoLoop(t *testing.T) {
	w := newCommanded(t)
	facts := harness.NewFacts(t)
	token := w.command.Token
	w.command = w.Function(t, "command", "K_SINK="+facts.URL)
	w.command.Token = token
	created := harness.NewFacts(t)
	runtask, path := w.Function(t, "runtask", "K_SINK="+created.URL), "/namespaces/"+w.ns+"/jobs/nightly"
	w.Task(t, w.ns, "shop", "cause")
	queue := []cloudevents.Event{}
	known := map[string]bool{}
	look := func() { // runtask, and the Broker: each fact goes to the Job
		t.Helper()
		for _, task := range w.tasks() {
			if known[task.Name] {
				continue
			}
			known[task.Name] = true
			if fact := created.Delivered(runtask, harness.Added("Task", &task)); fact != nil {
				queue = append(queue, *fact)
			}
			ended := task.DeepCopy()
			queue = append(queue, *events.NewTaskFact(events.TaskFailed, "status", ended), harness.Updated("Task", ended))
		}
	}
	look()
	for n := 0; len(queue) > 0; n++ {
		if n > 100 {
			t.Fatalf("it goes on for ever: %d Tasks", len(w.tasks()))
		}
		e := queue[0]
		queue = queue[1:]
		told := len(facts.All())
		r, err := cehttp.NewHTTPRequestFromEvent(ctx, w.command.URL+path, e)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := cehttp.NewEventFromHTTPResponse(answer); err == nil && reply.Validate() == nil {
			queue = append(queue, *reply)
		}
		answer.Body.Close()
		queue = append(queue, facts.All()[told:]...)
		look()
	}
	if n := len(w.tasks()); n != 3 { // its cause, and one for each of the two facts about it
		b, _ := json.Marshal(w.tasks())
		t.Errorf("%d Tasks: %s", n, b)
	}
}
