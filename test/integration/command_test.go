package integration

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// commanded is a Space with an App "shop", a Job "nightly" that is suspended, the function command, and a sender who may
// command the Space.
type commanded struct {
	*harness.Cluster
	t       *testing.T
	ns      string
	command *harness.Function
}

func newCommanded(t *testing.T) *commanded {
	t.Helper()
	c := harness.New(t)
	ns := c.Namespace(t, "command")
	c.App(t, ns, "shop")
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: ns}}
	job.Spec.Schedule, job.Spec.Suspend = "0 0 * * *", true
	job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Command = "shop", "bin/nightly"
	if _, err := c.Kf.TaskSchedules(ns).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w := &commanded{c, t, ns, c.Function(t, "command")}
	w.command.Token = c.Token(t, ns, "sender", audience)
	c.Allow(t, ns, "sender", "tasks", "create", "patch")
	w.allowed("sender")
	return w
}

const audience = "kf-tasks-command"

// allowed waits until the API server has heard of an account's rights.
func (c *commanded) allowed(account string) {
	c.t.Helper()
	harness.Eventually(c.t, time.Minute, func() error {
		review, err := c.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authz.SubjectAccessReview{Spec: authz.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + c.ns + ":" + account,
			ResourceAttributes: &authz.ResourceAttributes{Namespace: c.ns, Verb: "create", Group: "kf.dev", Resource: "tasks"},
		}}, metav1.CreateOptions{})
		if err != nil || !review.Status.Allowed {
			return fmt.Errorf("%s is not allowed yet: %v", account, err)
		}
		return nil
	})
}

// event is a command of the type; NS in its data stands for the namespace.
func (c *commanded) event(eventType, id, data string) cloudevents.Event {
	c.t.Helper()
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource("/test")
	e.SetID(id)
	e.SetDataContentType(cloudevents.ApplicationJSON)
	e.DataEncoded = []byte(strings.ReplaceAll(data, "NS", c.ns))
	return e
}

func (c *commanded) tasks() []v1alpha1.Task {
	c.t.Helper()
	list, err := c.Kf.Tasks(c.ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return list.Items
}

// TestARunCommandMakesOneTask: delivered at once and again, with the rights of config/rbac/command.yaml.
func TestARunCommandMakesOneTask(t *testing.T) {
	for eventType, c := range map[string]struct{ data, owner, command string }{
		events.TaskRun: {`{"namespace": "NS", "app": "shop", "command": "echo hi", "memory": "64Mi"}`, "App", "echo hi"},
		events.JobRun:  {`{"namespace": "NS", "job": "nightly", "memory": "64Mi"}`, "TaskSchedule", "bin/nightly"},
	} {
		t.Run(eventType, func(t *testing.T) {
			w := newCommanded(t)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { w.command.Deliver(w.event(eventType, "7", c.data)) })
			}
			wg.Wait()
			w.command.Deliver(w.event(eventType, "7", c.data))
			tasks := w.tasks()
			if len(tasks) != 1 {
				t.Fatalf("%d Tasks from one command, want 1", len(tasks))
			}
			if task := tasks[0]; task.Spec.Command != c.command || task.Spec.Memory != "64Mi" || task.Spec.AppRef.Name != "shop" ||
				metav1.GetControllerOf(&task).Kind != c.owner || task.Spec.RequestedBy != "system:serviceaccount:"+w.ns+":sender" {
				t.Errorf("the Task is not as the command asks: %+v %+v", task.ObjectMeta, task.Spec)
			}
			w.command.Deliver(w.event(eventType, "8", c.data))
			if tasks := w.tasks(); len(tasks) != 2 {
				t.Errorf("%d Tasks from two commands, want 2", len(tasks))
			}
		})
	}
}

// TestARunCommandOutlivesErrorsAndDeath: the Task's name is the lock, whatever happened to the answer.
func TestARunCommandOutlivesErrorsAndDeath(t *testing.T) {
	w := newCommanded(t)
	e := w.event(events.TaskRun, "7", `{"namespace": "NS", "app": "shop"}`)
	for _, status := range []int{409, 429, 500, 503, 504} {
		for _, after := range []bool{false, true} {
			e.SetID(fmt.Sprint(status, after))
			failed := map[string]bool{}
			var mu sync.Mutex
			w.command.Proxy.Inject(func(r harness.Request) harness.Fault { // each kind of request fails the first time
				mu.Lock()
				defer mu.Unlock()
				if failed[r.Method+r.Path] {
					return harness.Fault{}
				}
				failed[r.Method+r.Path] = true
				return harness.Fault{Status: status, After: after}
			})
			before := len(w.tasks())
			w.command.Deliver(e)
			if got := len(w.tasks()) - before; got != 1 {
				t.Errorf("%d, taking effect %t: %d Tasks, want 1", status, after, got)
			}
		}
	}
	e.SetID("death")
	before := len(w.tasks())
	w.command.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Write == 1 {
			return harness.Fault{Then: w.command.Kill}
		}
		return harness.Fault{}
	})
	if status, _ := w.command.Send(e); status != 0 {
		t.Fatalf("the function answered %d: it was to die", status)
	}
	w.command.Proxy.Inject(nil)
	w.command.Start()
	w.command.Deliver(e)
	if got := len(w.tasks()) - before; got != 1 {
		t.Errorf("%d Tasks after a death between the Task and the answer, want 1", got)
	}
}

// TestATerminateCommandAsksOnce: by name, and by App and ID; the record of the change names the sender.
func TestATerminateCommandAsksOnce(t *testing.T) {
	w := newCommanded(t)
	w.Task(t, w.ns, "shop", "by-name")
	byID := harness.NewTask(w.ns, "shop", "by-id")
	byID.Labels = v1alpha1.TaskLabels("shop")
	byID.Labels[v1alpha1.VersionLabel], byID.Labels[v1alpha1.HandledLabel] = "7", "its-UID"
	if _, err := w.Kf.Tasks(w.ns).Create(ctx, byID, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Task(t, w.ns, "shop", "bystander")
	long := "/?" + strings.Repeat("é", 100) // longer than the API server takes for who changed something
	for name, data := range map[string]string{
		"by-name": `{"namespace": "NS", "task": "by-name"}`, "by-id": `{"namespace": "NS", "app": "shop", "id": 7}`,
	} {
		e := w.event(events.TaskTerminate, name, data)
		e.SetSource(long)
		w.command.Deliver(e)
		task, err := w.Kf.Tasks(w.ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !task.Spec.Terminated {
			t.Errorf("%s was not asked to stop", name)
		}
		by := task.ManagedFields[len(task.ManagedFields)-1].Manager
		if by != "system:serviceaccount:"+w.ns+":sender" {
			t.Errorf("%s: changed by %q, want who asked for it", name, by)
		}
		_, writes := w.command.Proxy.Counts()
		w.command.Deliver(e)
		if _, again := w.command.Proxy.Counts(); again != writes {
			t.Errorf("%s: the second delivery wrote", name)
		}
	}
	for name, data := range map[string]string{
		"no such Task": `{"namespace": "NS", "task": "none"}`, "no such ID": `{"namespace": "NS", "app": "shop", "id": 99}`,
	} {
		if status, _ := w.command.Send(w.event(events.TaskTerminate, name, data)); status != http.StatusOK {
			t.Errorf("%s: answered %d, want 200: nothing is left to be stopped", name, status)
		}
	}
	if task, err := w.Kf.Tasks(w.ns).Get(ctx, "bystander", metav1.GetOptions{}); err != nil || task.Spec.Terminated {
		t.Errorf("bystander: %v, terminated %t", err, task.Spec.Terminated)
	}
}

// TestCommandsThatCannotBeCarriedOut: 422 for what no retry can mend, 503 for what may yet come.
func TestCommandsThatCannotBeCarriedOut(t *testing.T) {
	w := newCommanded(t)
	for name, c := range map[string]struct {
		eventType, data string
		want            int
	}{
		"no JSON":            {events.TaskRun, `{`, 422},
		"no app":             {events.TaskRun, `{"namespace": "NS"}`, 422},
		"misspelled":         {events.TaskRun, `{"namespace": "NS", "app": "shop", "comand": "x"}`, 422},
		"bad quantity":       {events.TaskRun, `{"namespace": "NS", "app": "shop", "memory": "lots"}`, 422},
		"no job":             {events.JobRun, `{"namespace": "NS"}`, 422},
		"misspelled for job": {events.JobRun, `{"namespace": "NS", "job": "nightly", "comand": "x"}`, 422},
		"bad cpu for job":    {events.JobRun, `{"namespace": "NS", "job": "nightly", "cpu": "many"}`, 422},
		"no task":            {events.TaskTerminate, `{"namespace": "NS", "app": "shop"}`, 422},
		"no name of an App":  {events.TaskTerminate, `{"namespace": "NS", "app": "no name/", "id": 1}`, 422},
		"a fact":             {events.TaskCreated, `{}`, 422},
		"missing App":        {events.TaskRun, `{"namespace": "NS", "app": "yet-to-come"}`, 503},
		"missing Job":        {events.JobRun, `{"namespace": "NS", "job": "yet-to-come"}`, 503},
	} {
		if status, _ := w.command.Send(w.event(c.eventType, name, c.data)); status != c.want {
			t.Errorf("%s: answered %d, want %d", name, status, c.want)
		}
	}
	if tasks := w.tasks(); len(tasks) != 0 {
		t.Errorf("%d Tasks came of it", len(tasks))
	}
}

// TestAForeignTaskIsNotTakenForTheCommands: somebody else's Task has the name that the event's would get.
func TestAForeignTaskIsNotTakenForTheCommands(t *testing.T) {
	w := newCommanded(t)
	e := w.event(events.TaskRun, "7", `{"namespace": "NS", "app": "shop"}`)
	w.command.Deliver(e)
	name := w.tasks()[0].Name
	if err := w.Kf.Tasks(w.ns).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Task(t, w.ns, "shop", name)
	if status, _ := w.command.Send(e); status != 422 {
		t.Errorf("answered %d, want 422", status)
	}
}

// TestWhoMayNotCommand: everybody by default. Whoever is refused hears why, and nothing of what there is; no Task is made
// or asked to stop; and the Space shows it once, however often it was tried.
func TestWhoMayNotCommand(t *testing.T) {
	w := newCommanded(t)
	stranger := w.Cluster.Namespace(t, "stranger")
	w.Task(t, w.ns, "shop", "runs")
	w.Allow(t, stranger, "poster", "tasks", "*") // in its own namespace
	short := int64(600)
	request := &authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{audience}, ExpirationSeconds: &short}}
	gone := w.Cluster.Token(t, w.ns, "gone", audience)
	if err := w.Kube.CoreV1().ServiceAccounts(w.ns).Delete(ctx, "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Cluster.Token(t, w.ns, "reader", audience)
	reader, err := w.Kube.CoreV1().ServiceAccounts(w.ns).CreateToken(ctx, "reader", request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.Allow(t, w.ns, "reader", "tasks", "get", "list")
	valid := w.command.Token
	for name, c := range map[string]struct {
		authorization []string
		want          int
	}{
		"no token":                   {nil, 401},
		"garbage":                    {[]string{"Bearer garbage"}, 401},
		"signature changed":          {[]string{"Bearer " + valid[:len(valid)-6] + "AAAAAA"}, 401},
		"for another audience":       {[]string{"Bearer " + w.Cluster.Token(t, w.ns, "sender", "kf-tasks-status")}, 401},
		"for the API server":         {[]string{"Bearer " + w.Cluster.Token(t, w.ns, "sender", "")}, 401},
		"of an account that is gone": {[]string{"Bearer " + gone}, 401},
		"huge":                       {[]string{"Bearer " + strings.Repeat("x", 20<<10)}, 401},
		"Basic":                      {[]string{"Basic " + valid}, 401},
		"two headers":                {[]string{"Bearer " + valid, "Bearer " + valid}, 401},
		"another tenant's account":   {[]string{"Bearer " + w.Cluster.Token(t, stranger, "poster", audience)}, 403},
		"without the right":          {[]string{"Bearer " + reader.Status.Token}, 403},
	} {
		for eventType, data := range map[string]string{
			events.TaskRun: `{"namespace": "NS", "app": "shop"}`, events.JobRun: `{"namespace": "NS", "job": "nightly"}`,
			events.TaskTerminate: `{"namespace": "NS", "task": "runs"}`,
		} {
			answers := map[string]bool{}
			for i, d := range []string{data, data, strings.NewReplacer("shop", "none", "nightly", "none", "runs", "none").Replace(data), strings.Replace(data, "{", `{"comand": 1, `, 1)} {
				e := w.event(eventType, fmt.Sprint(name, i), d)
				status, said := w.command.Ask(e, c.authorization...)
				if status != c.want {
					t.Errorf("%s, %s: %d %s, want %d", name, eventType, status, said, c.want)
				}
				if strings.Contains(said, valid) || strings.Contains(said, reader.Status.Token) {
					t.Errorf("%s: the answer holds the token", name)
				}
				answers[regexp.MustCompile(`task \w+`).ReplaceAllString(said, "")] = true
			}
			if len(answers) != 1 {
				t.Errorf("%s, %s: what there is can be told from the answers: %v", name, eventType, answers)
			}
		}
	}
	if tasks := w.tasks(); len(tasks) != 1 || tasks[0].Spec.Terminated {
		t.Errorf("%d Tasks, terminated %t", len(tasks), tasks[0].Spec.Terminated)
	}
	list, err := w.Kube.CoreV1().Events(w.ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=CommandRefused"})
	if err != nil || len(list.Items) != 6 { // to create and to patch: nobody, the stranger, the reader
		t.Errorf("%d refusals are shown, want 6: %v", len(list.Items), err)
	}
	if log, err := w.command.Printed(); err != nil || strings.Contains(string(log), valid) || strings.Contains(string(log), gone) {
		t.Errorf("the log holds a token: %v", err)
	}
}

// TestARightCanBeGivenAndTakenAway while the function runs; what it was told holds for seconds.
func TestARightCanBeGivenAndTakenAway(t *testing.T) {
	w := newCommanded(t)
	token := w.Cluster.Token(t, w.ns, "late", audience)
	ask := func(id string) int {
		status, _ := w.command.Ask(w.event(events.TaskRun, id, `{"namespace": "NS", "app": "shop"}`), "Bearer "+token)
		return status
	}
	if status := ask("1"); status != 403 {
		t.Errorf("without the right: %d", status)
	}
	w.Allow(t, w.ns, "late", "tasks", "create")
	harness.Eventually(t, time.Minute, func() error {
		if status := ask("1"); status != 200 {
			return fmt.Errorf("with the right: %d", status)
		}
		return nil
	})
	if err := w.Kube.RbacV1().RoleBindings(w.ns).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		if status := ask("1"); status != 403 {
			return fmt.Errorf("without it again: %d", status)
		}
		return nil
	})
}

// TestReviewsThatFailAreNoYes: with the API server's answers to either review missing, nothing is made, and the sender is
// asked to come again.
func TestReviewsThatFailAreNoYes(t *testing.T) {
	w := newCommanded(t)
	for _, review := range []string{"tokenreviews", "subjectaccessreviews"} {
		for _, fault := range []harness.Fault{{Status: 429}, {Status: 500}, {Status: 503}, {Status: 403}} {
			w.command.Proxy.Inject(func(r harness.Request) harness.Fault {
				if strings.Contains(r.Path, review) {
					return fault
				}
				return harness.Fault{}
			})
			if status, _ := w.command.Send(w.event(events.TaskRun, "1", `{"namespace": "NS", "app": "shop"}`)); status != 503 || len(w.tasks()) != 0 {
				t.Errorf("%s fails with %d: answered %d, %d Tasks", review, fault.Status, status, len(w.tasks()))
			}
		}
	}
}

// TestASpaceMayTakeCommandsFromAnyone: without a token, then; one that is shown must be valid even so.
func TestASpaceMayTakeCommandsFromAnyone(t *testing.T) {
	w := newCommanded(t)
	e := w.event(events.TaskRun, "1", `{"namespace": "NS", "app": "shop"}`)
	if status, _ := w.command.Ask(e); status != 401 {
		t.Errorf("before: %d", status)
	}
	w.TakeCommandsFromAnyone(t, w.ns)
	if status, said := w.command.Ask(e, "Bearer garbage"); status != 401 {
		t.Errorf("garbage: %d %s", status, said)
	}
	for range 2 {
		if status, said := w.command.Ask(e); status != 200 {
			t.Errorf("anyone: %d %s", status, said)
		}
	}
	stranger := w.Cluster.Namespace(t, "stranger")
	if status, said := w.command.Ask(e, "Bearer "+w.Cluster.Token(t, stranger, "x", audience)); status != 200 {
		t.Errorf("anyone by name: %d %s", status, said)
	}
	if tasks := w.tasks(); len(tasks) != 1 || tasks[0].Spec.RequestedBy != "" {
		t.Errorf("%d Tasks, asked for by %q", len(tasks), tasks[0].Spec.RequestedBy)
	}
}

// TestACommandIsWhoseItWas: who sends another's source and id again gets neither his Task nor a word about it, and the
// same account has it answered as done, even one that was made anew.
func TestACommandIsWhoseItWas(t *testing.T) {
	w := newCommanded(t)
	e := w.event(events.TaskRun, "1", `{"namespace": "NS", "app": "shop"}`)
	w.command.Deliver(e)
	other := w.Cluster.Token(t, w.ns, "other", audience)
	w.Allow(t, w.ns, "other", "tasks", "create")
	w.allowed("other")
	if status, said := w.command.Ask(e, "Bearer "+other); status != 403 || strings.Contains(said, "sender") || strings.Contains(said, "shop-") {
		t.Errorf("another: %d %s", status, said)
	}
	if err := w.Kube.CoreV1().ServiceAccounts(w.ns).Delete(ctx, "sender", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.command.Token = w.Cluster.Token(t, w.ns, "sender", audience)
	w.command.Deliver(e)
	if n := len(w.tasks()); n != 1 {
		t.Errorf("%d Tasks", n)
	}
}

// TestNobodySaysThatAnotherAsked: by kubectl a Task names nobody or who makes it, and the name stays.
func TestNobodySaysThatAnotherAsked(t *testing.T) {
	w := newCommanded(t)
	cfg := rest.AnonymousClientConfig(w.Config)
	cfg.BearerToken = w.Cluster.Token(t, w.ns, "tenant", "")
	w.Allow(t, w.ns, "tenant", "tasks", "*")
	w.allowed("tenant")
	kf, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for by, allowed := range map[string]bool{
		"": true, "system:serviceaccount:" + w.ns + ":tenant": true, "system:serviceaccount:" + w.ns + ":sender": false, "admin": false,
	} {
		task := harness.NewTask(w.ns, "shop", "")
		task.GenerateName, task.Spec.RequestedBy = "t-", by
		made, err := kf.Tasks(w.ns).Create(ctx, task, metav1.CreateOptions{})
		if (err == nil) != allowed || err != nil && !apierrors.IsForbidden(err) {
			t.Errorf("by %q: %v", by, err)
		}
		if err != nil {
			continue
		}
		made.Spec.RequestedBy = "admin"
		if _, err := kf.Tasks(w.ns).Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
			t.Errorf("by %q, changed: %v", by, err)
		}
	}
	task := harness.NewTask(w.ns, "shop", "restored") // by an administrator, from a backup
	task.Spec.RequestedBy = "system:serviceaccount:gone:gone"
	if _, err := w.Kf.Tasks(w.ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

// TestACommandsFateIsTold: to who posted it, by the answer, and to whoever listens, by a fact; however often it is delivered, it is one.
func TestACommandsFateIsTold(t *testing.T) {
	w := newCommanded(t)
	facts := harness.NewFacts(t)
	w.command = w.Function(t, "command", "K_SINK="+facts.URL)
	token := w.Token(t, w.ns, "sender", audience)
	w.command.Token = token
	fact := func(e *cloudevents.Event) (f events.CommandFact) {
		t.Helper()
		if e == nil || e.DataAs(&f) != nil {
			t.Fatalf("no fact of a command: %v", e)
		}
		return f
	}
	ids := map[string]bool{}
	for range 2 {
		reply := w.command.Deliver(w.event(events.TaskRun, "told", `{"namespace": "NS", "app": "shop"}`))
		f := fact(reply)
		ids[reply.ID()] = true
		if tasks := w.tasks(); reply.Type() != events.CommandAccepted || len(tasks) != 1 || f.Task != tasks[0].Name || f.Command.ID != "told" || f.Command.Source != "/test" ||
			f.RequestedBy != "system:serviceaccount:"+w.ns+":sender" {
			t.Errorf("%s %+v", reply.Type(), f)
		}
	}
	if len(ids) != 1 || len(facts.All()) != 0 {
		t.Errorf("one command is told as %v, and besides as %v", ids, facts.All())
	}

	w.command.Token = ""
	for id, c := range map[string]struct {
		data, authorization string
		status              int
	}{
		"misspelled": {`{"namespace": "NS", "app": "shop", "comand": "x"}`, token, 422},
		"doubled":    {`{"namespace": "NS", "app": "shop", "app": "shop"}`, token, 422},
		"elsewhere":  {`{"namespace": "default", "app": "shop"}`, token, 403},
	} {
		before := len(facts.All())
		status, said := w.command.Ask(w.event(events.TaskRun, id, c.data), "Bearer "+c.authorization)
		all := facts.All()
		if status != c.status || !strings.Contains(said, fmt.Sprintf(`"status":%d,"detail":`, c.status)) || len(all) != before+1 {
			t.Fatalf("%s: %d %s, %d facts", id, status, said, len(all)-before)
		}
		e := all[before]
		if f := fact(&e); e.Type() != events.CommandRefused || f.Status != c.status || f.Command.ID != id || f.Reason == "" || f.Task != "" {
			t.Errorf("%s: %s %+v", id, e.Type(), f)
		}
	}
	for name, c := range map[string]struct { // anybody can send these without end
		data, authorization string
		status              int
	}{
		"without a token":        {`{"namespace": "NS", "app": "shop"}`, "", 401},
		"without a right":        {`{"namespace": "kube-public", "app": "shop"}`, "Bearer " + token, 403},
		"that name no namespace": {`{"app": "shop"}`, "", 422},
	} {
		before := len(facts.All())
		for i := range 20 {
			if status, said := w.command.Ask(w.event(events.TaskRun, fmt.Sprint(name, i), c.data), c.authorization); status != c.status {
				t.Errorf("%s: %d %s", name, status, said)
			}
		}
		if n := len(facts.All()) - before; n != 1 {
			t.Errorf("20 commands %s are told %d times", name, n)
		}
	}
}
