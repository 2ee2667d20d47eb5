package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/tektoncd/pipeline/pkg/apis/pipeline"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestTerminateStopsWhatTektonForgot: a run that is cancelled as soon as it is made can end without its TaskRun, and a Pod that was
// being made just then stays. Tekton is played, for it does so by chance only.
func TestTerminateStopsWhatTektonForgot(t *testing.T) {
	w := harness.NewWorld(t)
	f := w.Function(t, "terminate")
	app := w.App("shop", nil)
	task, err := w.Add(ctx, app, nil)
	w.Must(err)
	w.Must(w.Start(ctx, app, task))
	_, err = w.Tekton.TaskRuns(w.Namespace).Patch(ctx, task.Name+"-user-container", types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, pipeline.PipelineRunLabelKey, task.Name), metav1.PatchOptions{})
	w.Must(err)
	_, err = w.Kube.CoreV1().Pods(w.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: task.Name + "-user-container-pod", Labels: map[string]string{pipeline.PipelineRunLabelKey: task.Name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "step-user-container", Image: "none.example/none"}}},
	}, metav1.CreateOptions{})
	w.Must(err)
	task, err = w.Kf.Tasks(w.Namespace).Patch(ctx, task.Name, types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
	w.Must(err)
	done := make(chan struct{})
	go func() { defer close(done); f.Redeliver(harness.Updated("Task", task)) }()

	ended := func(reason string) []byte {
		return fmt.Appendf(nil, `{"status":{"completionTime":%[1]q,"conditions":[{"type":"Succeeded","status":"False","reason":%[2]q,"lastTransitionTime":%[1]q}]}}`,
			time.Now().UTC().Format(time.RFC3339), reason)
	}
	harness.Eventually(t, time.Minute, func() error {
		run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil || !run.IsCancelled() {
			return fmt.Errorf("the run is not cancelled: %v", err)
		}
		return nil
	})
	_, err = w.Tekton.PipelineRuns(w.Namespace).Patch(ctx, task.Name, types.MergePatchType, ended("Cancelled"), metav1.PatchOptions{}, "status")
	w.Must(err)
	harness.Eventually(t, time.Minute, func() error {
		run, err := w.Tekton.TaskRuns(w.Namespace).Get(ctx, task.Name+"-user-container", metav1.GetOptions{})
		if err != nil || !run.IsCancelled() {
			return fmt.Errorf("its TaskRun goes on: %v", err)
		}
		return nil
	})
	_, err = w.Tekton.TaskRuns(w.Namespace).Patch(ctx, task.Name+"-user-container", types.MergePatchType, ended("TaskRunCancelled"), metav1.PatchOptions{}, "status")
	w.Must(err)
	<-done
	if _, err = w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, task.Name+"-user-container-pod", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Pod is still there: %v", err)
	}
	harness.Eventually(t, time.Minute, func() error {
		now, err := w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
		if err != nil || now.Status.Termination == nil || now.Status.Termination.Log == "" {
			return fmt.Errorf("%+v: %v", now.Status.Termination, err)
		}
		return nil
	})
}
