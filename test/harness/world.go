package harness

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// World is one namespace of a cluster: Apps with Tasks on a real API server, and their PipelineRuns, TaskRuns and Pods
// with the owner references that the real parts give them. What runs and ends a Task is played here, in the writes that
// it takes, so that thousands of Tasks need no containers.
type World struct {
	testing.TB
	*Cluster
	Namespace string
	Metadata  metadata.Interface

	ids sync.Map // App -> *atomic.Int64
}

// NewWorld makes a namespace that goes with the test.
func NewWorld(t testing.TB) *World {
	t.Helper()
	w := &World{TB: t, Cluster: New(t)}
	w.Namespace = w.Cluster.Namespace(t, "world")
	var err error
	w.Metadata, err = metadata.NewForConfig(w.Config)
	w.Must(err)
	return w
}

// Must ends the test with an error, if there is one.
func (w *World) Must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// App makes an App that Tasks can run on.
func (w *World) App(name string, annotations map[string]string) *v1alpha1.App {
	w.Helper()
	app := w.Cluster.App(w, w.Namespace, name)
	w.ids.Store(name, &atomic.Int64{})
	if len(annotations) == 0 {
		return app
	}
	app.Annotations = annotations
	app, err := w.Kf.Apps(w.Namespace).Update(w.Context(), app, metav1.UpdateOptions{})
	w.Must(err)
	return app
}

// Add creates a Task, as kf run-task does.
func (w *World) Add(ctx context.Context, app *v1alpha1.App, change func(*v1alpha1.Task)) (*v1alpha1.Task, error) {
	task := app.NewTask(v1alpha1.TaskSpec{Command: "bin/rake db:migrate && bin/rake cleanup"})
	task.GenerateName = app.Name + "-"
	if change != nil {
		change(task)
	}
	return w.Kf.Tasks(w.Namespace).Create(ctx, task, metav1.CreateOptions{})
}

// Start plays runtask and Tekton: the run, its TaskRun and Pod, and the Task's ID.
func (w *World) Start(ctx context.Context, app *v1alpha1.App, task *v1alpha1.Task) error {
	counter, _ := w.ids.LoadOrStore(app.Name, &atomic.Int64{})
	id := int(counter.(*atomic.Int64).Add(1))
	run, err := pipelinerun.For(app, task, id, pipelinerun.Options{})
	if err != nil {
		return err
	}
	if run, err = w.Tekton.PipelineRuns(w.Namespace).Create(ctx, run, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := w.StartRun(ctx, app, task, run); err != nil {
		return err
	}
	_, err = w.Kf.Tasks(w.Namespace).Patch(ctx, task.Name, types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q,%q:%q}},"spec":{"displayName":%q}}`, v1alpha1.VersionLabel, strconv.Itoa(id),
			v1alpha1.HandledLabel, task.UID, task.Name), metav1.PatchOptions{})
	return err
}

// StartRun plays Tekton: the run's TaskRun and Pod.
func (w *World) StartRun(ctx context.Context, app *v1alpha1.App, task *v1alpha1.Task, run *tekton.PipelineRun) error {
	step := run.Spec.PipelineSpec.Tasks[0].TaskSpec.TaskSpec
	taskRun, err := w.Tekton.TaskRuns(w.Namespace).Create(ctx, &tekton.TaskRun{
		ObjectMeta: metav1.ObjectMeta{
			Name: run.Name + "-user-container", Labels: run.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))},
		},
		Spec: tekton.TaskRunSpec{TaskSpec: &step},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = w.Kube.CoreV1().Pods(w.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: run.Name + "-pod", Labels: run.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(taskRun, tekton.SchemeGroupVersion.WithKind("TaskRun"))},
		},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
			Name: "step-" + v1alpha1.UserContainer, Image: app.Status.Image, Args: []string{task.Spec.Command}, Env: step.Steps[0].Env,
		}}},
	}, metav1.CreateOptions{})
	return err
}

// End plays Tekton and status: Pod, TaskRun, PipelineRun and Task have ended.
func (w *World) End(ctx context.Context, task *v1alpha1.Task) error {
	return w.EndAt(ctx, task, time.Now())
}

// EndAt is End with a time of the test's.
func (w *World) EndAt(ctx context.Context, task *v1alpha1.Task, at time.Time) error {
	if err := w.EndRun(ctx, task, at); err != nil {
		return err
	}
	return w.final(ctx, task, metav1.ConditionTrue, metav1.NewTime(at))
}

// EndRun plays Tekton: Pod, TaskRun and PipelineRun have ended.
func (w *World) EndRun(ctx context.Context, task *v1alpha1.Task, at time.Time) error {
	now := at.UTC().Format(time.RFC3339)
	for _, patch := range []func() error{
		func() error {
			_, err := w.Kube.CoreV1().Pods(w.Namespace).Patch(ctx, task.Name+"-pod", types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`), metav1.PatchOptions{}, "status")
			return err
		},
		func() error {
			_, err := w.Tekton.TaskRuns(w.Namespace).Patch(ctx, task.Name+"-user-container", types.MergePatchType, fmt.Appendf(nil,
				`{"status":{"podName":"%s-pod","conditions":[{"type":"Succeeded","status":"True","reason":"Succeeded","message":"All Steps have completed executing","lastTransitionTime":%q}]}}`, task.Name, now), metav1.PatchOptions{}, "status")
			return err
		},
		func() error {
			_, err := w.Tekton.PipelineRuns(w.Namespace).Patch(ctx, task.Name, types.MergePatchType, fmt.Appendf(nil,
				`{"status":{"conditions":[{"type":"Succeeded","status":"True","reason":"Succeeded","message":"Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 0","lastTransitionTime":%q}]}}`, now), metav1.PatchOptions{}, "status")
			return err
		},
	} {
		if err := patch(); err != nil {
			return err
		}
	}
	return nil
}

// Final writes the status of an ended Task.
func (w *World) Final(ctx context.Context, task *v1alpha1.Task, succeeded metav1.ConditionStatus) error {
	return w.final(ctx, task, succeeded, metav1.Now())
}

func (w *World) final(ctx context.Context, task *v1alpha1.Task, succeeded metav1.ConditionStatus, now metav1.Time) error {
	task, err := w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, err = client.PatchStatus(ctx, w.Kf.Tasks(w.Namespace), task, func(t *v1alpha1.Task) {
		t.Status.StartTime, t.Status.CompletionTime, t.Status.Duration = &now, &now, &metav1.Duration{Duration: time.Second}
		t.Status.ID, _ = strconv.Atoi(t.Labels[v1alpha1.VersionLabel])
		for _, kind := range []string{v1alpha1.ConditionSucceeded, v1alpha1.ConditionPipelineRunReady, v1alpha1.ConditionAppReady} {
			meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{Type: kind, Status: succeeded, Reason: "Succeeded",
				Message: "Tasks Completed: 1 (Failed: 0, Cancelled 0), Skipped: 0", LastTransitionTime: now})
		}
	})
	return err
}

// Parallel calls do for 0 to n-1, so many at once, and fails the test with the first error.
func (w *World) Parallel(n, atOnce int, do func(ctx context.Context, i int) error) {
	w.Helper()
	ctx, cancel := context.WithCancelCause(w.Context())
	defer cancel(nil)
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	group.Wait()
	w.Must(context.Cause(ctx))
}

// Tasks are the Tasks of an App as they stand.
func (w *World) Tasks(app string) []v1alpha1.Task {
	w.Helper()
	list, err := w.Kf.Tasks(w.Namespace).List(w.Context(), metav1.ListOptions{FieldSelector: "spec.appRef.name=" + app})
	w.Must(err)
	return list.Items
}

// Dependents counts the PipelineRuns, TaskRuns and Pods of the namespace.
func (w *World) Dependents() (n [3]int) {
	w.Helper()
	for i, gvr := range []schema.GroupVersionResource{
		tekton.SchemeGroupVersion.WithResource("pipelineruns"), tekton.SchemeGroupVersion.WithResource("taskruns"), corev1.SchemeGroupVersion.WithResource("pods"),
	} {
		list, err := w.Metadata.Resource(gvr).Namespace(w.Namespace).List(w.Context(), metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel})
		w.Must(err)
		n[i] = len(list.Items)
	}
	return n
}
