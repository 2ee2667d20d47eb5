package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// started makes an App, a Task and, through runtask, its PipelineRun.
func started(t *testing.T, c *harness.Cluster) (ns string, run *tekton.PipelineRun) {
	t.Helper()
	return startedBy(t, c, c.Function(t, "runtask"))
}

func startedBy(t *testing.T, c *harness.Cluster, runtask *harness.Function) (ns string, run *tekton.PipelineRun) {
	t.Helper()
	ns = c.Namespace(t, "status")
	c.App(t, ns, "shop")
	task := c.Task(t, ns, "shop", "migrate")
	runtask.Deliver(harness.Added("Task", task))
	run, err := c.Tekton.PipelineRuns(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns, run
}

// begins plays start: the command of a run's Task begins.
func begins(t *testing.T, c *harness.Cluster, run *tekton.PipelineRun) {
	t.Helper()
	_, err := c.Kf.Tasks(run.Namespace).Patch(ctx, run.Name, types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"starts":[{"pod":"p","podUID":"u","node":"n","at":%q}]}}`, time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
}

// life is what Tekton writes into a PipelineRun's status, step by step; with it goes the TaskRun that has the exit code.
func life(t *testing.T, c *harness.Cluster, run *tekton.PipelineRun, exit int32) []*tekton.PipelineRun {
	t.Helper()
	begins(t, c, run)
	start := metav1.NewTime(time.Now().Truncate(time.Second))
	end := metav1.NewTime(start.Add(3 * time.Second))
	only := tekton.Step{Name: v1alpha1.UserContainer, Image: "i", Command: []string{"c"}}
	owner := *metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))
	tr := &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{Name: run.Name + "-user-container", Namespace: run.Namespace, OwnerReferences: []metav1.OwnerReference{owner}},
		Spec: tekton.TaskRunSpec{TaskSpec: &tekton.TaskSpec{Steps: []tekton.Step{only}}}}
	tr, err := c.Tekton.TaskRuns(run.Namespace).Create(ctx, tr, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: "x", ContainerID: "containerd://1", StartedAt: start, FinishedAt: end}}}}
	writeStatus(t, func(b []byte) error {
		_, err := c.Tekton.TaskRuns(tr.Namespace).Patch(ctx, tr.Name, types.MergePatchType, b, metav1.PatchOptions{}, "status")
		return err
	}, tr.Status)

	step := func(status corev1.ConditionStatus, reason string, done bool) *tekton.PipelineRun {
		r := run.DeepCopy()
		r.Status.StartTime = &start
		r.Status.ChildReferences = []tekton.ChildStatusReference{{Name: tr.Name, PipelineTaskName: v1alpha1.UserContainer}}
		if done {
			r.Status.CompletionTime = &end
		}
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: "as Tekton says it"})
		return r
	}
	last := step(corev1.ConditionTrue, "Succeeded", true)
	if exit != 0 {
		last = step(corev1.ConditionFalse, "Failed", true)
	}
	return []*tekton.PipelineRun{step(corev1.ConditionUnknown, "Started", false), step(corev1.ConditionUnknown, "Running", false), last}
}

func writeStatus(t *testing.T, write func([]byte) error, status any) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(b); err != nil {
		t.Fatal(err)
	}
}

// reach plays Tekton: the PipelineRun has come to a step of its life.
func reach(t *testing.T, c *harness.Cluster, step *tekton.PipelineRun) {
	t.Helper()
	writeStatus(t, func(b []byte) error {
		_, err := c.Tekton.PipelineRuns(step.Namespace).Patch(ctx, step.Name, types.MergePatchType, b, metav1.PatchOptions{}, "status")
		return err
	}, step.Status)
}

func getTask(t *testing.T, c *harness.Cluster, ns string) *v1alpha1.Task {
	t.Helper()
	task, err := c.Kf.Tasks(ns).Get(ctx, "migrate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func reason(task *v1alpha1.Task) string {
	if c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func TestTaskFollowsItsPipelineRun(t *testing.T) {
	c := harness.New(t)
	ns, run := started(t, c)
	facts := harness.NewFacts(t)
	f := c.Function(t, "status", "K_SINK="+facts.URL)
	told := 0
	for i, want := range []struct{ reason, fact string }{
		{"", ""}, {"Unknown Running", events.TaskStarted}, {"False Failed", events.TaskFailed},
	} {
		r := life2(t, c, run, 3)[i]
		reach(t, c, r)
		f.Deliver(harness.Updated("PipelineRun", r))
		if got := reason(getTask(t, c, ns)); got != want.reason {
			t.Errorf("step %d: %q, want %q", i, got, want.reason)
		}
		fact := ""
		if all := facts.All(); len(all) > told {
			fact, told = all[told].Type(), len(all)
		}
		if fact != want.fact {
			t.Errorf("step %d: fact %q, want %q", i, fact, want.fact)
		}
	}
	s := getTask(t, c, ns).Status
	if s.ExitCode == nil || *s.ExitCode != 3 || s.ID != 1 || s.Duration == nil || s.Duration.Duration != 3*time.Second {
		t.Errorf("status %+v, want exit code 3, ID 1, duration 3s", s)
	}
}

var lives = map[string][]*tekton.PipelineRun{}

// life2 is life, made once for each run.
func life2(t *testing.T, c *harness.Cluster, run *tekton.PipelineRun, exit int32) []*tekton.PipelineRun {
	if l := lives[string(run.UID)]; l != nil {
		return l
	}
	lives[string(run.UID)] = life(t, c, run, exit)
	return lives[string(run.UID)]
}

func TestAnyOrderAndNumberOfEventsEndsInTheSameState(t *testing.T) {
	c := harness.New(t)
	var want *v1alpha1.TaskStatus
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {2, 2, 2, 0, 0, 1, 1}, {1, 0, 2, 1}, {0, 0, 0, 1, 1, 1, 2, 2, 2}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			ns, run := started(t, c)
			f := c.Function(t, "status")
			steps := life(t, c, run, 0)
			reached := -1
			for _, i := range order { // an event comes late, or again; never before its time
				if i > reached {
					reach(t, c, steps[i])
					reached = i
				}
				f.Deliver(harness.Updated("PipelineRun", steps[i]))
			}
			got := getTask(t, c, ns).Status
			for i := range got.Conditions {
				got.Conditions[i].LastTransitionTime = metav1.Time{}
			}
			got.StartTime, got.CompletionTime, got.Starts = nil, nil, nil // of this run of the test
			if want == nil {
				want = &got
			}
			if !equality.Semantic.DeepEqual(*want, got) {
				t.Errorf("status\n%+v\nafter events in order %v; in the natural order it was\n%+v", got, order, *want)
			}
		})
	}
}

func TestEndIsFoundByThePingWhenItsEventWasLost(t *testing.T) {
	c := harness.New(t)
	ns, run := started(t, c)
	steps := life(t, c, run, 0)
	reach(t, c, steps[2])
	f := c.Function(t, "status")
	f.Deliver(harness.Ping("resync"))
	if got := reason(getTask(t, c, ns)); got != "True Succeeded" {
		t.Errorf("%q, want True Succeeded", got)
	}

	var mu sync.Mutex
	var more []string
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(r.Path, "/namespaces/"+ns+"/") { // other tests' Tasks are not meant
			more = append(more, r.Method+" "+r.Path)
		}
		return harness.Fault{}
	})
	f.Deliver(harness.Ping("resync"))
	if len(more) > 0 {
		t.Errorf("a Task that has ended cost requests at the next ping: %v", more)
	}
}

func TestDeletedPipelineRunEndsItsTask(t *testing.T) {
	c := harness.New(t)
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("event lost %t", lost), func(t *testing.T) {
			ns, run := started(t, c)
			if err := c.Tekton.PipelineRuns(ns).Delete(ctx, run.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			f := c.Function(t, "status")
			if lost {
				f.Deliver(harness.Ping("resync"))
			} else {
				f.Deliver(harness.Deleted("PipelineRun", run))
			}
			if got := reason(getTask(t, c, ns)); got != "False PipelineRunDeleted" {
				t.Errorf("%q, want False PipelineRunDeleted", got)
			}
		})
	}
}

// TestEveryFactIsToldWhateverStatusDiesAfter: it dies after any of its calls, and the Broker refuses what it tells first; a consumer that
// counts ids sees that the Task started and how it ended, each once, and in this order.
func TestEveryFactIsToldWhateverStatusDiesAfter(t *testing.T) {
	c := harness.New(t)
	facts := harness.NewFacts(t)
	f, runtask := c.Function(t, "status", "K_SINK="+facts.URL), c.Function(t, "runtask")
	for call := 1; ; call++ {
		ns, run := startedBy(t, c, runtask)
		steps := life(t, c, run, 0)
		var calls atomic.Int32
		f.Proxy.Inject(func(r harness.Request) harness.Fault {
			if int(calls.Add(1)) == call {
				return harness.Fault{Then: f.Kill}
			}
			return harness.Fault{}
		})
		died := false
		for _, step := range steps[1:] {
			reach(t, c, step)
			facts.Refuse(true)
			if status, _ := f.Send(harness.Updated("PipelineRun", step)); status == 0 {
				died = true
				f.Start()
			} else if status != http.StatusServiceUnavailable {
				t.Errorf("call %d: the Broker refused what was to be told, and the event was answered with %d", call, status)
			}
			facts.Refuse(false)
			if status, _ := f.Send(harness.Updated("PipelineRun", step)); status == 0 {
				died = true
				f.Start()
				f.Deliver(harness.Updated("PipelineRun", step))
			}
		}
		var kinds []string
		seen := map[string]bool{}
		for _, e := range facts.All() {
			if e.Subject() == ns+"/"+run.Name && !seen[e.ID()] {
				seen[e.ID()] = true
				kinds = append(kinds, e.Type())
			}
		}
		if want := []string{events.TaskStarted, events.TaskSucceeded}; !slices.Equal(kinds, want) {
			t.Errorf("it died after call %d, and told %v, want %v", call, kinds, want)
		}
		if got := reason(getTask(t, c, ns)); got != "True Succeeded" {
			t.Errorf("it died after call %d: %q", call, got)
		}
		if !died {
			if call < 8 {
				t.Errorf("%d calls are too few to show anything", call)
			}
			return
		}
	}
}
