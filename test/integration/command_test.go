package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// commanded is a Space with an App "shop", a Job "nightly" that is suspended, and the function command.
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
	return &commanded{c, t, ns, c.Function(t, "command")}
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
				metav1.GetControllerOf(&task).Kind != c.owner {
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
	byID.Labels[v1alpha1.VersionLabel] = "7"
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
		if !strings.HasPrefix(by, "event:/") || !strings.HasPrefix("event:"+long, by) {
			t.Errorf("%s: changed by %q, want the event's source", name, by)
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
