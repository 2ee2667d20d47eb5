package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// factsOfTheSpace makes a Broker of the Space's own, which gets the facts about it by a Trigger of ours, as docs/events.md shows.
func (w *world) factsOfTheSpace(t *testing.T) {
	t.Helper()
	d := w.dynamic(t)
	put(t, d, brokers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": map[string]any{"name": "own", "namespace": w.space},
	}})
	if w.oidc(t) { // by default it would take events of its own namespace only
		w.policy(t, "Broker", "eventing.knative.dev/v1", "own", "system:serviceaccount:"+harness.SystemNamespace+":*", "system:serviceaccount:"+w.space+":*")
	}
	name := "to-" + w.space
	t.Cleanup(func() { w.unsubscribe(t, name) })
	put(t, d, triggers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": name, "namespace": harness.SystemNamespace},
		"spec": map[string]any{
			"broker": "default",
			"filters": []any{
				map[string]any{"prefix": map[string]any{"type": "dev.kf."}},
				map[string]any{"prefix": map[string]any{"subject": w.space + "/"}},
			},
			"subscriber": map[string]any{"ref": map[string]any{"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "own", "namespace": w.space}},
		},
	}})
}

// TestATriggerRunsAJobWhenATaskFails: in a Space, by the Space's own Trigger, and by nothing else; and not for the failure of that Job, which
// would go on for ever.
func TestATriggerRunsAJobWhenATaskFails(t *testing.T) {
	w := newWorld(t)
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "cleanup", Namespace: w.space}}
	job.Spec.Schedule, job.Spec.Suspend = v1alpha1.NeverSchedule, true // as kf create-job makes it
	job.Spec.TaskTemplate.AppRef.Name = "shop"
	job.Spec.TaskTemplate.Command = `echo "$CE_TYPE of $CE_SUBJECT"; echo "$CE_DATA"; exit 4`
	if _, err := w.Kf.TaskSchedules(w.space).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if w.oidc(t) {
		if _, err := w.Kube.RbacV1().RoleBindings(w.space).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reactions"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-commander"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "failures-oidc-eventing.knative.dev-trigger", Namespace: w.space}}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	} else {
		w.TakeCommandsFromAnyone(t, w.space)
	}
	w.factsOfTheSpace(t)
	w.keep(t)
	put(t, w.dynamic(t), triggers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": "failures", "namespace": w.space},
		"spec": map[string]any{
			"broker":  "own",
			"filters": []any{map[string]any{"exact": map[string]any{"type": events.TaskFailed}}},
			"subscriber": map[string]any{
				"uri":      "http://command.kf-tasks.svc.cluster.local/namespaces/" + w.space + "/jobs/cleanup",
				"audience": events.CommandAudience,
			},
			"delivery": map[string]any{"retry": int64(10), "backoffPolicy": "exponential", "backoffDelay": "PT0.2S", "deadLetterSink": w.keeper()},
		},
	}})

	w.task(t, "works", "shop", "true", nil)
	w.task(t, "fails", "shop", "exit 3", nil)
	if task, reason, message := w.ends(t, "fails"); reason != "Failed" || *task.Status.ExitCode != 3 {
		t.Fatalf("%s %s", reason, message)
	}
	ofJob := metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=cleanup"}
	var reaction v1alpha1.Task
	harness.Eventually(t, 2*time.Minute, func() error {
		list, err := w.Kf.Tasks(w.space).List(ctx, ofJob)
		if err != nil || len(list.Items) == 0 {
			return fmt.Errorf("the Job has not run: %v", err)
		}
		reaction = list.Items[0]
		return nil
	})
	if _, reason, message := w.ends(t, reaction.Name); reason != "Failed" {
		t.Errorf("%s %s", reason, message)
	}
	if log := w.log(t, reaction.Name); !strings.HasPrefix(log, events.TaskFailed+" of "+w.space+"/fails\n") || !strings.Contains(log, `"exitCode":3`) {
		t.Errorf("it printed %q", log)
	}

	harness.Eventually(t, 2*time.Minute, func() error { // its own failure comes back, and is refused
		for _, e := range w.kept(t) {
			if e.Type() == events.TaskFailed && e.Subject() == w.space+"/"+reaction.Name && fmt.Sprint(e.Extensions()["knativeerrorcode"]) == "422" {
				return nil
			}
		}
		return fmt.Errorf("the failure of the Job's own Task is not among %v", w.kept(t))
	})
	list, err := w.Kf.Tasks(w.space).List(ctx, ofJob)
	if err != nil || len(list.Items) != 1 {
		t.Errorf("the Job has run %d times: %v", len(list.Items), err)
	}
}
