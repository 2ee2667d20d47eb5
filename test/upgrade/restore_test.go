package upgrade

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// backup is a namespace's objects, in the order in which Velero restores them: these kinds first, then the others by their names
// (velero.io/docs, "Restore Reference", resource restore order).
type backup []kind

type kind struct {
	of      schema.GroupVersionResource
	objects []unstructured.Unstructured
}

var first = []string{"persistentvolumeclaims", "serviceaccounts", "secrets", "configmaps", "limitranges", "pods", "replicasets.apps", "services"}

// backup reads all that a namespace has.
func (w *world) backup() (all backup) {
	w.Helper()
	lists, err := w.Kube.Discovery().ServerPreferredNamespacedResources()
	w.must(err)
	d := w.dynamic()
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		w.must(err)
		for _, r := range list.APIResources {
			if r.Kind == "Event" || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "create") {
				continue
			}
			of := gv.WithResource(r.Name)
			found, err := d.Resource(of).Namespace(w.ns).List(ctx, metav1.ListOptions{})
			w.must(err)
			all = append(all, kind{of, found.Items})
		}
	}
	rank := func(of schema.GroupVersionResource) string {
		name := of.GroupResource().String()
		if i := slices.Index(first, name); i >= 0 {
			return fmt.Sprintf("0%02d", i)
		}
		return "1" + name
	}
	slices.SortFunc(all, func(a, b kind) int { return strings.Compare(rank(a.of), rank(b.of)) })
	return all
}

func (w *world) dynamic() dynamic.Interface {
	w.Helper()
	d, err := dynamic.NewForConfig(w.Config)
	w.must(err)
	return d
}

// restore makes the objects again as Velero does: without a status, without what the API server gave them, without owners, and leaves alone
// what is there. each is called after each.
func (w *world) restore(all backup, each func(of string, o *unstructured.Unstructured)) (refused []error) {
	w.Helper()
	d := w.dynamic()
	for _, kind := range all {
		for _, o := range kind.objects {
			for _, field := range []string{
				"generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
				"deletionGracePeriodSeconds", "ownerReferences", "managedFields",
			} {
				unstructured.RemoveNestedField(o.Object, "metadata", field)
			}
			unstructured.RemoveNestedField(o.Object, "status")
			labels := o.GetLabels()
			if labels == nil {
				labels = map[string]string{}
			}
			labels["velero.io/backup-name"], labels["velero.io/restore-name"] = "nightly", "nightly-1"
			o.SetLabels(labels)
			made, err := d.Resource(kind.of).Namespace(w.ns).Create(ctx, &o, metav1.CreateOptions{})
			switch {
			case apierrors.IsAlreadyExists(err):
			case err != nil:
				refused = append(refused, err)
			default:
				each(kind.of.Resource, made)
			}
		}
	}
	return refused
}

// gone deletes the namespace, and makes an empty one of its name.
func (w *world) gone() {
	w.Helper()
	w.must(w.Kube.CoreV1().Namespaces().Delete(ctx, w.ns, metav1.DeleteOptions{}))
	harness.Eventually(w, 2*time.Minute, func() error {
		_, err := w.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}}, metav1.CreateOptions{})
		return err
	})
}

// TestARestoredSpaceRunsNothingASecondTime: what had run or was running says that it is a copy; what had not begun, runs once; Jobs owe nothing
// for the time before, and go on. The functions look all the while, between any two objects that come back.
func TestARestoredSpaceRunsNothingASecondTime(t *testing.T) {
	c := harness.New(t)
	w := &world{T: t, Cluster: c, ns: c.Namespace(t, "restore")}
	for _, app := range []string{"shop", "unbuilt"} {
		_, err := w.Kf.Apps(w.ns).Create(ctx, harness.NewApp(w.ns, app, "registry.example/"+app+":1"), metav1.CreateOptions{})
		w.must(err)
	}
	w.settled("shop")
	v := version{c.Function(t, "tick"), c.Function(t, "runtask"), c.Function(t, "status")}
	for _, name := range []string{"ended", "failed", "running"} {
		v.runtask.Deliver(harness.Added("Task", w.create("shop", name)))
	}
	v.runtask.Deliver(harness.Added("Task", w.create("unbuilt", "waiting")))
	w.says(v.status, "ended", "True", "Succeeded")
	w.says(v.status, "failed", "False", "Failed")
	w.says(v.status, "running", "Unknown", "Running")
	clearOfTheMinute()
	for _, name := range []string{"minutely", "nightly"} {
		v.tick.Deliver(harness.Added("TaskSchedule", w.schedule(name, map[string]string{"minutely": "* * * * *", "nightly": daily(minute(2))}[name])))
		w.decidedUntil(name, minute(3))
	}
	v.tick.Deliver(harness.Ping("every-minute"))
	v.look(1) // and those of the Jobs have begun
	if n := len(w.tasksOf("minutely")) + len(w.tasksOf("nightly")); n != 2 {
		t.Fatalf("before the backup the Jobs have %d Tasks, want 2", n)
	}
	w.decidedUntil("nightly", minute(3)) // even if the backup is of a moment when it was due
	runs := w.runs()

	all := w.backup()
	w.gone()
	restored := time.Now()
	refused := w.restore(all, func(of string, o *unstructured.Unstructured) {
		if f, is := map[string]*harness.Function{"tasks": v.runtask, "taskschedules": v.tick, "pipelineruns": v.status}[of]; is {
			f.Deliver(harness.Added(o.GetKind(), o))
		}
		if strings.HasPrefix(of, "task") || of == "apps" || of == "pipelineruns" {
			v.look(1)
		}
	})
	if err := errors.Join(refused...); err != nil {
		t.Errorf("not restored: %v", err)
	}
	w.settled("shop")
	v.look(3)

	for _, name := range []string{"ended", "failed", "running"} {
		task := w.task(name)
		is := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if is == nil || is.Reason != v1alpha1.ReasonRestored || task.Status.CompletionTime == nil {
			t.Errorf("the Task %s that was restored says %+v", name, task.Status)
		}
	}
	if is := len(w.runs()); is != len(runs) {
		t.Errorf("%d PipelineRuns, restored were %d: %v", is, len(runs), w.runs())
	}
	for _, job := range []string{"minutely", "nightly"} {
		j := w.job(job)
		if tasks := w.tasksOf(job); len(tasks) != 1 {
			t.Errorf("the Job %s has %d Tasks, of which 1 was restored", job, len(tasks))
		}
		if j.Status.DecidedUntil == nil || j.Status.DecidedUntil.Time.Before(restored.Add(-time.Minute)) {
			t.Errorf("the Job %s owes what is due since %v", job, j.Status.DecidedUntil)
		}
	}
	w.endsWhatTektonBegins("ended")

	w.settled("unbuilt")
	v.look(2)
	if _, is := w.runs()["waiting"]; !is {
		t.Error("what had not begun does not run")
	}
	next := time.Now().Truncate(time.Minute).Add(time.Minute)
	time.Sleep(time.Until(next) + time.Second)
	for range 2 {
		v.tick.Deliver(harness.Ping("every-minute"))
	}
	made := 0
	for _, task := range w.tasksOf("minutely") {
		if !task.CreationTimestamp.Time.Before(next) {
			made++
		}
	}
	if made != 1 {
		t.Errorf("the Job goes on with %d Tasks at %s, want 1", made, next)
	}
}

// endsWhatTektonBegins: Tekton takes a PipelineRun that comes back without its status for a new one, and makes a Pod. The command does not
// begin in it, and the run is cancelled.
func (w *world) endsWhatTektonBegins(name string) {
	w.Helper()
	start := w.Cluster.Function(w.T, "start")
	run, err := w.Tekton.PipelineRuns(w.ns).Get(ctx, name, metav1.GetOptions{})
	w.must(err)
	labels := map[string]string{v1alpha1.TaskLabel: name}
	step := tekton.TaskSpec{Steps: []tekton.Step{{Name: v1alpha1.UserContainer, Image: "registry.example/shop:1"}}}
	taskRun, err := w.Tekton.TaskRuns(w.ns).Create(ctx, &tekton.TaskRun{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-again", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, tekton.SchemeGroupVersion.WithKind("PipelineRun"))}},
		Spec: tekton.TaskRunSpec{TaskSpec: &step},
	}, metav1.CreateOptions{})
	w.must(err)
	pod, err := w.Kube.CoreV1().Pods(w.ns).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-again", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(taskRun, tekton.SchemeGroupVersion.WithKind("TaskRun"))}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "step-" + v1alpha1.UserContainer, Image: "registry.example/shop:1"}}},
	}, metav1.CreateOptions{})
	w.must(err)
	start.Deliver(harness.Added("Pod", pod))
	if run, err = w.Tekton.PipelineRuns(w.ns).Get(ctx, name, metav1.GetOptions{}); err != nil || !run.IsCancelled() {
		w.Errorf("the run of a restored Task that Tekton began is not cancelled: %v", err)
	}
	pod, err = w.Kube.CoreV1().Pods(w.ns).Get(ctx, pod.Name, metav1.GetOptions{})
	if err == nil && pod.Labels[v1alpha1.StartLabel] != "" {
		w.Error("the command of a restored Task was let begin")
	}
}
