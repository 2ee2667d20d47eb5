package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestATaskCostsThreeWrites over its life, beside its run: its labels with its ID when it starts, its status when it runs and when it has
// ended. The counter of IDs is written once for many; the label on the Pod, which lets the command begin, is on Tekton's object. The
// API server's audit log counts.
func TestATaskCostsThreeWrites(t *testing.T) {
	for _, c := range []struct {
		name           string
		before, atOnce int // Tasks
		counter        int // writes at most
	}{
		{"the first of an App", 0, 1, 1},
		{"the third of an App", 2, 1, 0},
		{"200 of an App at once", 0, 200, 12}, // 11 for 200 one after another
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBus(t)
			app := b.App("shop", nil)
			for range c.before {
				b.live(app, 1)
			}
			counted := b.Audited(t, b.Namespace)
			began := time.Now()
			names := b.live(app, c.atOnce)
			took := time.Since(began)
			calls := counted()
			t.Logf("%d Tasks in %s\n%s", c.atOnce, took.Round(time.Millisecond), calls.Table(c.atOnce))
			if n := calls.Of("tasks"); n > 3*c.atOnce {
				t.Errorf("%d writes to %d Tasks, want at most 3 to each", n, c.atOnce)
			}
			if n := calls.Of("apps"); n > c.counter {
				t.Errorf("%d writes to the App, want at most %d", n, c.counter)
			}
			if n := calls.Of("pods"); n > c.atOnce {
				t.Errorf("%d writes to %d Pods, want the label on each", n, c.atOnce)
			}
			if n := calls.Of("pipelineruns"); n != c.atOnce {
				t.Errorf("%d writes to PipelineRuns, want the creation of %d", n, c.atOnce)
			}
			for _, name := range names {
				for _, fact := range []string{events.TaskCreated, events.TaskStarted, events.TaskSucceeded} {
					if n := b.facts.IDs(fact, b.Namespace+"/"+name); n != 1 {
						t.Errorf("%s of %s was told under %d ids, want one", fact, name, n)
					}
				}
			}
		})
	}
}

// bus brings events about the objects of a world to the functions whose Triggers take them, as source and Broker do, and plays Tekton.
type bus struct {
	*harness.World
	facts     *harness.Facts
	functions map[string]*harness.Function
	takes     map[string][]map[string]string
	delivered sync.WaitGroup
	slots     chan struct{} // deliveries at once
}

func newBus(t *testing.T) *bus {
	t.Helper()
	b := &bus{World: harness.NewWorld(t), facts: harness.NewFacts(t), functions: map[string]*harness.Function{},
		takes: map[string][]map[string]string{}, slots: make(chan struct{}, 32)}
	for _, name := range []string{"runtask", "status", "start", "prune", "terminate"} { // those that hear of Tasks, runs and Pods
		b.functions[name], b.takes[name] = b.Function(t, name, "K_SINK="+b.facts.URL), admitted(t, name)
	}
	// A node that there is: Kubernetes' garbage collector deletes the Pods of any other. That it says nothing costs them nothing for minutes.
	nodes := b.Kube.CoreV1().Nodes()
	_, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: noNode(b.World)}}, metav1.CreateOptions{})
	b.Must(err)
	t.Cleanup(func() { _ = nodes.Delete(context.Background(), noNode(b.World), metav1.DeleteOptions{}) })
	tasks, runs := harness.Watch(t, b.Kf.Tasks(b.Namespace)), harness.Watch(t, b.Tekton.PipelineRuns(b.Namespace))
	pods := harness.Watch(t, b.Kube.CoreV1().Pods(b.Namespace))
	var watching sync.WaitGroup
	for kind, w := range map[string]watch.Interface{"Task": tasks, "PipelineRun": runs, "Pod": pods} {
		watching.Go(func() {
			for e := range w.ResultChan() {
				b.seen(kind, e)
			}
		})
	}
	t.Cleanup(func() {
		for _, w := range []watch.Interface{tasks, runs, pods} {
			w.Stop()
		}
		watching.Wait()
		b.delivered.Wait()
	})
	return b
}

// seen hands an event on, and has Tekton see it.
func (b *bus) seen(kind string, e watch.Event) {
	object, ok := e.Object.(metav1.Object)
	event, known := map[watch.EventType]func(string, metav1.Object) cloudevents.Event{
		watch.Added: harness.Added, watch.Modified: harness.Updated, watch.Deleted: harness.Deleted}[e.Type]
	if !ok || !known {
		return
	}
	ce := event(kind, object)
	for name, function := range b.functions {
		for _, exact := range b.takes[name] {
			if exact["type"] == ce.Type() && exact["kind"] == kind {
				b.aside(func(context.Context) error { function.Deliver(ce); return nil })
			}
		}
	}
	switch o := e.Object.(type) {
	case *tekton.PipelineRun:
		if e.Type == watch.Added {
			b.aside(func(ctx context.Context) error { return b.starts(ctx, o) })
		}
	case *corev1.Pod:
		if e.Type == watch.Modified && o.Labels[v1alpha1.StartLabel] != "" && o.Status.Phase == corev1.PodRunning {
			b.aside(func(ctx context.Context) error { return b.ends(ctx, o) })
		}
	}
}

func (b *bus) aside(do func(context.Context) error) {
	b.slots <- struct{}{}
	b.delivered.Go(func() {
		defer func() { <-b.slots }()
		if err := do(context.Background()); err != nil {
			b.Error(err)
		}
	})
}

// runSays plays what Tekton writes of a run.
func (b *bus) runSays(ctx context.Context, run *tekton.PipelineRun, status corev1.ConditionStatus, reason string) error {
	now := metav1.Now()
	if run.Status.StartTime == nil {
		run.Status.StartTime = &now
	}
	if status != corev1.ConditionUnknown {
		run.Status.CompletionTime = &now
	}
	if reason != "Started" {
		run.Status.ChildReferences = []tekton.ChildStatusReference{{Name: run.Name + "-user-container", PipelineTaskName: v1alpha1.UserContainer}}
	}
	run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: "as Tekton says it"})
	says := mustMarshal(map[string]any{"status": run.Status})
	_, err := b.Tekton.PipelineRuns(b.Namespace).Patch(ctx, run.Name, types.MergePatchType, says, metav1.PatchOptions{}, "status")
	return err
}

func (b *bus) taskRunSays(ctx context.Context, name string, status corev1.ConditionStatus, reason string, state corev1.ContainerState) error {
	s := tekton.TaskRunStatus{}
	s.PodName = name + "-pod"
	s.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason})
	s.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: state}}
	says := mustMarshal(map[string]any{"status": s})
	_, err := b.Tekton.TaskRuns(b.Namespace).Patch(ctx, name+"-user-container", types.MergePatchType, says, metav1.PatchOptions{}, "status")
	return err
}

func (b *bus) podSays(ctx context.Context, name, phase string) error {
	_, err := b.Kube.CoreV1().Pods(b.Namespace).Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"status":{"phase":%q}}`, phase),
		metav1.PatchOptions{}, "status")
	return err
}

// starts plays Tekton and a node, until the containers of the run's Pod are up.
func (b *bus) starts(ctx context.Context, run *tekton.PipelineRun) error {
	if err := b.runSays(ctx, run, corev1.ConditionUnknown, "Started"); err != nil {
		return err
	}
	step := run.Spec.PipelineSpec.Tasks[0].TaskSpec.TaskSpec
	tr, err := b.Tekton.TaskRuns(b.Namespace).Create(ctx, &tekton.TaskRun{ObjectMeta: metav1.ObjectMeta{
		Name: run.Name + "-user-container", Labels: run.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))},
	}, Spec: tekton.TaskRunSpec{TaskSpec: &step}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := b.runSays(ctx, run, corev1.ConditionUnknown, "Running"); err != nil {
		return err
	}
	pod, err := b.Kube.CoreV1().Pods(b.Namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: run.Name + "-pod", Labels: run.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(tr, tekton.SchemeGroupVersion.WithKind("TaskRun"))},
	}, Spec: corev1.PodSpec{NodeName: noNode(b.World), RestartPolicy: "Never", Containers: []corev1.Container{
		{Name: "step-" + v1alpha1.UserContainer, Image: "none.example/none"},
	}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := b.taskRunSays(ctx, run.Name, corev1.ConditionUnknown, "Pending", corev1.ContainerState{}); err != nil {
		return err
	}
	return b.podSays(ctx, pod.Name, "Running")
}

// ends plays them from the moment that the command may begin, to its end.
func (b *bus) ends(ctx context.Context, pod *corev1.Pod) error {
	name := pod.Labels[v1alpha1.TaskLabel]
	began, now := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}, metav1.Now()
	if err := b.taskRunSays(ctx, name, corev1.ConditionUnknown, "Running", began); err != nil {
		return err
	}
	run, err := b.Tekton.PipelineRuns(b.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil || run.IsDone() {
		return err // an event that came twice
	}
	if err := b.podSays(ctx, pod.Name, "Succeeded"); err != nil {
		return err
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", ContainerID: "containerd://1", StartedAt: now, FinishedAt: now}}
	if err := b.taskRunSays(ctx, name, corev1.ConditionTrue, "Succeeded", ended); err != nil {
		return err
	}
	return b.runSays(ctx, run, corev1.ConditionTrue, "Succeeded")
}

// live runs Tasks from their creation to their end, all at once, and waits for what is left to be done about them.
func (b *bus) live(app *v1alpha1.App, n int) (names []string) {
	b.Helper()
	var mu sync.Mutex
	b.Parallel(n, 32, func(ctx context.Context, _ int) error {
		task, err := b.Add(ctx, app, nil)
		if err == nil {
			mu.Lock()
			names = append(names, task.Name)
			mu.Unlock()
		}
		return err
	})
	harness.Eventually(b.TB, 8*time.Minute, func() error {
		for _, task := range b.Tasks(app.Name) {
			if !task.Final() || task.Labels[v1alpha1.HandledLabel] == "" {
				return fmt.Errorf("Task %s has not ended: %+v", task.Name, task.Status)
			}
		}
		return nil
	})
	return names
}

func mustMarshal(object any) []byte {
	b, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return b
}
