package integration

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// up plays Tekton and a node: the Task's run, and its Pod whose containers are up. again makes the Pod anew, as Tekton does.
func up(w *harness.World, app *v1alpha1.App, name string) (pod *corev1.Pod, again func() *corev1.Pod) {
	w.Helper()
	task, err := w.Add(ctx, app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", name })
	w.Must(err)
	w.Must(w.Start(ctx, app, task))
	pods := w.Kube.CoreV1().Pods(w.Namespace)
	made, err := pods.Get(ctx, name+"-pod", metav1.GetOptions{})
	w.Must(err)
	again = func() *corev1.Pod {
		w.Helper()
		now := int64(0)
		w.Must(pods.Delete(ctx, made.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		p, err := pods.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: made.Name, Labels: made.Labels, OwnerReferences: made.OwnerReferences},
			Spec: corev1.PodSpec{NodeName: noNode(w), RestartPolicy: "Never", Containers: []corev1.Container{
				{Name: "step-" + v1alpha1.UserContainer, Image: "none.example/none"},
			}},
		}, metav1.CreateOptions{})
		w.Must(err)
		p, err = pods.Patch(ctx, p.Name, types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status")
		w.Must(err)
		return p
	}
	return again(), again
}

// noNode is a node that there is not, for one world: Kubernetes' garbage collector deletes Pods of a node that it has missed for
// forty seconds.
func noNode(w *harness.World) string { return "nowhere." + w.Namespace }

// TestNobodyButStartLetsACommandBegin: not an administrator, nor Tekton, which finds it refused until start has written down that
// the command begins; and start lets no second Pod begin.
func TestNobodyButStartLetsACommandBegin(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	pod, again := up(w, app, "once")
	pods := w.Kube.CoreV1().Pods(w.Namespace)
	patch := func(p *corev1.Pod, metadata string) error {
		_, err := pods.Patch(ctx, p.Name, types.MergePatchType, fmt.Appendf(nil, `{"metadata":%s}`, metadata), metav1.PatchOptions{})
		return err
	}
	ready := `{"annotations":{"tekton.dev/ready":"READY"}}`
	label := func(p *corev1.Pod) string { return fmt.Sprintf(`{"labels":{%q:%q}}`, v1alpha1.StartLabel, p.UID) }
	refused := func(what string, err error) {
		t.Helper()
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want it forbidden", what, err)
		}
	}
	refused("ready, before it may begin", patch(pod, ready))
	refused("the label, by an administrator", patch(pod, label(pod)))
	refused("the mark of a Task taken off", patch(pod, `{"labels":{"tasks.kf.dev/task":null}}`))
	restored := pod.DeepCopy()
	restored.ObjectMeta = metav1.ObjectMeta{Name: "restored", Labels: pod.Labels, Annotations: map[string]string{"tekton.dev/ready": "READY"}}
	_, err := pods.Create(ctx, restored, metav1.CreateOptions{})
	refused("a Pod that is made as ready", err)

	start := w.Function(t, "start")
	start.Deliver(harness.Updated("Pod", pod))
	task, err := w.Kf.Tasks(w.Namespace).Get(ctx, "once", metav1.GetOptions{})
	w.Must(err)
	if s := task.Status.Starts; len(s) != 1 || s[0].PodUID != pod.UID || s[0].Node != noNode(w) {
		t.Fatalf("starts %+v", s)
	}
	w.Must(patch(pod, ready)) // as Tekton does

	second := again()
	start.Deliver(harness.Ping("resync"))
	refused("ready, of a second Pod", patch(second, ready))
	run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, "once", metav1.GetOptions{})
	w.Must(err)
	task, err = w.Kf.Tasks(w.Namespace).Get(ctx, "once", metav1.GetOptions{})
	w.Must(err)
	if s := task.Status.Starts; !run.IsCancelled() || len(s) != 1 || s[0].Lost != v1alpha1.ReasonNodeLost { // there is no node of its name
		t.Errorf("the run is %q, the starts %+v", run.Spec.Status, s)
	}
}

// TestANodesShutdownIsNoFailureOfTheCommand: the kubelet makes the Pod Failed, and nobody deletes it.
func TestANodesShutdownIsNoFailureOfTheCommand(t *testing.T) {
	w := harness.NewWorld(t)
	pod, _ := up(w, w.App("shop", nil), "shutdown")
	start := w.Function(t, "start")
	start.Deliver(harness.Updated("Pod", pod))
	pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	w.Must(err)
	pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Terminated"
	pod.Status.Message = "Pod was terminated in response to imminent node shutdown."
	pod.Status.Conditions = append(pod.Status.Conditions,
		corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "TerminationByKubelet"})
	pod, err = w.Kube.CoreV1().Pods(w.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	w.Must(err)
	start.Deliver(harness.Updated("Pod", pod))
	task, err := w.Kf.Tasks(w.Namespace).Get(ctx, "shutdown", metav1.GetOptions{})
	w.Must(err)
	if s := task.Status.Starts; len(s) != 1 || s[0].Lost != v1alpha1.ReasonEvicted {
		t.Errorf("starts %+v, want that it was lost with its node", s)
	}
}

// TestStartRemovesWhatAnEndedTaskHasLeft: it could still start.
func TestStartRemovesWhatAnEndedTaskHasLeft(t *testing.T) {
	w := harness.NewWorld(t)
	pod, _ := up(w, w.App("shop", nil), "over")
	w.Must(func() error {
		_, err := w.Kf.Tasks(w.Namespace).Patch(ctx, "over", types.MergePatchType, fmt.Appendf(nil,
			`{"status":{"completionTime":%q,"conditions":[{"type":"Succeeded","status":"False","reason":"Failed","message":"","lastTransitionTime":%[1]q}]}}`,
			time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
		return err
	}())
	w.Function(t, "start").Deliver(harness.Ping("resync"))
	switch got, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, pod.Name, metav1.GetOptions{}); {
	case apierrors.IsNotFound(err):
	case err != nil:
		t.Error(err)
	case got.DeletionTimestamp == nil:
		t.Error("the Pod is still there")
	}
}

// TestWhatKubectlMadeGoesWithItsApp: a Task and a Job without an owner get the App as theirs; labels of others stay, and are
// not fought over; IDs of an App that begins anew come after those that there are.
func TestWhatKubectlMadeGoesWithItsApp(t *testing.T) {
	w := harness.NewWorld(t)
	app := w.App("shop", nil)
	theirs := map[string]string{v1alpha1.VersionLabel: "1.16.0", v1alpha1.ManagedByLabel: "Helm"}
	task := harness.NewTask(w.Namespace, "shop", "by-kubectl")
	task.Labels = theirs
	task, err := w.Kf.Tasks(w.Namespace).Create(ctx, task, metav1.CreateOptions{})
	w.Must(err)
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "by-kubectl", Namespace: w.Namespace, Labels: theirs}}
	job.Spec.TaskTemplate.AppRef.Name = "shop"
	job, err = w.Kf.TaskSchedules(w.Namespace).Create(ctx, job, metav1.CreateOptions{})
	w.Must(err)
	before := harness.NewTask(w.Namespace, "shop", "restored")
	before.Labels = map[string]string{v1alpha1.HandledLabel: "another", v1alpha1.VersionLabel: "41"}
	before, err = w.Kf.Tasks(w.Namespace).Create(ctx, before, metav1.CreateOptions{})
	w.Must(err)

	runtask := w.Function(t, "runtask")
	runtask.Deliver(harness.Added("Task", task))
	runtask.Deliver(harness.Added("Task", before))
	w.Function(t, "tick", "K_SINK="+harness.NewFacts(t).URL).Deliver(harness.Added("TaskSchedule", job))

	task, err = w.Kf.Tasks(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
	w.Must(err)
	job, err = w.Kf.TaskSchedules(w.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	w.Must(err)
	for kind, o := range map[string]metav1.Object{"Task": task, "Job": job} {
		if !metav1.IsControlledBy(o, app) {
			t.Errorf("the %s's owners are %v", kind, o.GetOwnerReferences())
		}
		for k, v := range theirs {
			if o.GetLabels()[k] != v {
				t.Errorf("the %s's label %s is %s", kind, k, o.GetLabels()[k])
			}
		}
	}
	run, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, task.Name, metav1.GetOptions{})
	w.Must(err)
	if id := run.Labels[v1alpha1.VersionLabel]; id != "42" {
		t.Errorf("its ID is %s, and 41 is taken", id)
	}
	if _, err := w.Tekton.PipelineRuns(w.Namespace).Get(ctx, before.Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a copy of a Task is run: %v", err)
	}
	w.Function(t, "status").Deliver(harness.Ping("resync"))
	before, err = w.Kf.Tasks(w.Namespace).Get(ctx, before.Name, metav1.GetOptions{})
	w.Must(err)
	if before.Outcome() != v1alpha1.TaskForgotten {
		t.Errorf("of a copy is told %+v", before.Status)
	}
}
