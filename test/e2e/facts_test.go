package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// subscribe keeps every fact about the Space that the Broker delivers.
func (w *world) subscribe(t *testing.T) {
	t.Helper()
	d := w.dynamic(t)
	w.keep(t)
	name := "facts-" + w.space
	t.Cleanup(func() { w.unsubscribe(t, name) })
	put(t, d, triggers, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": name, "namespace": harness.SystemNamespace},
		"spec": map[string]any{
			"broker": "default",
			"filters": []any{
				map[string]any{"prefix": map[string]any{"type": "dev.kf."}},
				map[string]any{"prefix": map[string]any{"subject": w.space}},
			},
			"subscriber": w.keeper(),
		},
	}})
}

// keep makes the keeper, a JobSink that puts each event into a Secret beside a Job, which is suspended, so that nothing runs.
func (w *world) keep(t *testing.T) {
	t.Helper()
	put(t, w.dynamic(t), sinks, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "JobSink", "metadata": map[string]any{"name": "kept", "namespace": w.space},
		"spec": map[string]any{"job": map[string]any{"spec": map[string]any{"suspend": true, "template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers":    []any{map[string]any{"name": "c", "image": os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest", "command": []any{"true"}}},
		}}}}},
	}})
	if w.oidc(t) { // by default it would take events of its own namespace only
		w.policy(t, "JobSink", "sinks.knative.dev/v1alpha1", "kept", "system:serviceaccount:"+harness.SystemNamespace+":*", "system:serviceaccount:"+w.space+":*")
	}
}

// keeper is the keeper as a destination.
func (w *world) keeper() map[string]any {
	return map[string]any{"ref": map[string]any{"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "JobSink", "name": "kept", "namespace": w.space}}
}

// kept are the events that the keeper got.
func (w *world) kept(t *testing.T) (kept []cloudevents.Event) {
	t.Helper()
	secrets, err := w.Kube.CoreV1().Secrets(w.space).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		raw, is := s.Data["event"]
		if !is {
			continue
		}
		var e cloudevents.Event
		if err := json.Unmarshal(raw, &e); err != nil || e.Validate() != nil {
			t.Errorf("kept is what is no event: %v %s", err, raw)
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// facts are those that were delivered, the IDs by type and what they are about.
func (w *world) facts(t *testing.T) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	for _, e := range w.kept(t) {
		key := e.Type() + " " + strings.TrimPrefix(e.Subject(), w.space+"/")
		got[key] = append(got[key], e.ID())
	}
	return got
}

// TestFactsReachWhoSubscribes: each type of fact, through the real replies, SinkBinding, Broker and Trigger, and each
// fact of a Task under one ID. What retention deletes is really deleted.
func TestFactsReachWhoSubscribes(t *testing.T) {
	w := newWorld(t)
	busybox := os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest"
	w.app(t, "few", busybox, nil)
	w.subscribe(t)
	job := func(name, app string, change ...func(*v1alpha1.TaskScheduleSpec)) {
		t.Helper()
		j := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.space}}
		j.Spec.Schedule, j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = "* * * * *", app, "true"
		for _, c := range change {
			c(&j.Spec)
		}
		if _, err := w.Kf.TaskSchedules(w.space).Create(ctx, j, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	job("fires", "shop")
	job("skips", "nobody")
	job("was-out", "shop")
	job("late", "shop", func(s *v1alpha1.TaskScheduleSpec) {
		s.TaskTemplate.Command, s.ExpectSuccessWithin = "sleep 20", &metav1.Duration{Duration: time.Minute}
	})
	job("gives-up", "shop", func(s *v1alpha1.TaskScheduleSpec) { s.TaskTemplate.Command, s.PauseAfterFailures = "false", 1 })
	past := metav1.NewTime(time.Now().Truncate(time.Minute).Add(-10 * time.Minute))
	for name, change := range map[string]func(*v1alpha1.TaskScheduleStatus){
		"was-out": func(s *v1alpha1.TaskScheduleStatus) { s.DecidedUntil = &past },                             // an outage of ten minutes
		"late":    func(s *v1alpha1.TaskScheduleStatus) { s.Watch.Since, s.Watch.SuccessDueBy = &past, &past }, // before its first Task has ended
	} {
		harness.Eventually(t, 2*time.Minute, func() error {
			j, err := w.Kf.TaskSchedules(w.space).Get(ctx, name, metav1.GetOptions{})
			if err != nil || j.Status.DecidedUntil == nil || j.Spec.ExpectSuccessWithin != nil && j.Status.Watch == nil {
				return fmt.Errorf("Job %s is not known yet: %v", name, err)
			}
			_, err = client.PatchStatus(ctx, w.Kf.TaskSchedules(w.space), j, func(j *v1alpha1.TaskSchedule) { change(&j.Status) })
			return err
		})
	}

	w.task(t, "works", "few", "echo it works", nil)
	w.task(t, "breaks", "few", "exit 3", nil)
	w.task(t, "stopped", "shop", "exec sleep 600", nil)
	w.ends(t, "works")
	w.ends(t, "breaks")
	harness.Eventually(t, 2*time.Minute, func() error {
		task, err := w.Kf.Tasks(w.space).Get(ctx, "stopped", metav1.GetOptions{})
		if err != nil || task.Status.StartTime == nil {
			return fmt.Errorf("it has not started: %v", err)
		}
		return nil
	})
	if out, code := w.kf(t, "terminate-task", "stopped"); code != 0 {
		t.Fatal(out)
	}
	if out, code := w.kf(t, "logs", "works"); code != 0 || !strings.Contains(out, "it works") {
		t.Errorf("logs: %d %s", code, out)
	}

	// Beyond the limit only now, so that the preview comes before the deletion: the Task that is added is its cause.
	if _, err := w.Kf.Apps(w.space).Patch(ctx, "few", types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"tasks.kf.dev/retain":"1"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, code := w.kf(t, "prune", "few", "--dry-run"); code != 0 || strings.Contains(out, "works") == strings.Contains(out, "breaks") {
		t.Errorf("prune --dry-run: %d, want one of the two Tasks:\n%s", code, out)
	}
	if out, code := w.kf(t, "apps"); code != 0 || !strings.Contains(out, "few") || !strings.Contains(out, "shop") {
		t.Errorf("apps: %d\n%s", code, out)
	}
	w.task(t, "newest", "few", "true", nil)
	harness.Eventually(t, 4*time.Minute, func() error {
		tasks, err := w.Kf.Tasks(w.space).List(ctx, metav1.ListOptions{FieldSelector: "spec.appRef.name=few"})
		if err != nil || len(tasks.Items) != 1 || tasks.Items[0].Name != "newest" {
			return fmt.Errorf("%d Tasks of App few are left, want the newest: %v", len(tasks.Items), err)
		}
		return nil
	})

	want := []string{
		events.TaskCreated + " works", events.TaskStarted + " works", events.TaskSucceeded + " works", events.TaskPruned + " works",
		events.TaskFailed + " breaks", events.TaskPruned + " breaks", events.TaskTerminated + " stopped",
		events.JobFired + " fires", events.JobSkipped + " skips", events.JobMissed + " was-out",
		events.JobOverdue + " late", events.JobRecovered + " late", events.JobPaused + " gives-up",
	}
	if os.Getenv("CLUSTER") != "existing" { // whose Services may not be reached from here
		e := cloudevents.NewEvent()
		e.SetType(events.TaskRun)
		e.SetSource("/e2e/" + w.space)
		e.SetID("1")
		if err := e.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: w.space, App: "shop", Command: "true"}); err != nil {
			t.Fatal(err)
		}
		token := w.token(t, w.space, "default", "kf-tasks-command")
		if status := w.post(t, "command.kf-tasks.svc.cluster.local", "/", token, e); status != http.StatusForbidden {
			t.Errorf("a command of who may not is answered %d", status)
		}
		want = append(want, events.CommandRefused+" "+w.space)
	}
	harness.Eventually(t, 4*time.Minute, func() error {
		got := w.facts(t)
		for _, fact := range want {
			if len(got[fact]) == 0 {
				return fmt.Errorf("nobody was told %s; told were %v", fact, slices.Sorted(maps.Keys(got)))
			}
		}
		return nil
	})
	got := w.facts(t)
	for fact, ids := range got {
		if strings.HasPrefix(fact, "dev.kf.task.") && len(ids) != 1 {
			t.Errorf("%s was told under several IDs: %v", fact, ids)
		}
	}
	for eventType := range events.Catalogue { // a type that is new is to be seen here as well
		elsewhere := []string{events.TaskRun, events.TaskTerminate, events.JobRun, events.JobSuspend, events.JobResume, // the commands
			events.CommandAccepted, // is the reply to who sent it: TestCommandFromAnotherSystem
		}
		if os.Getenv("CLUSTER") == "existing" {
			elsewhere = append(elsewhere, events.CommandRefused)
		}
		if !slices.Contains(elsewhere, eventType) && !slices.ContainsFunc(want, func(fact string) bool { return strings.HasPrefix(fact, eventType+" ") }) {
			t.Errorf("nobody waits for %s", eventType)
		}
	}
	task, err := w.Kf.Tasks(w.space).Get(ctx, "stopped", metav1.GetOptions{})
	if err != nil || !meta.IsStatusConditionFalse(task.Status.Conditions, v1alpha1.ConditionSucceeded) {
		t.Errorf("the terminated Task: %v", err)
	}
}

// nodesReady returns nil if there is a node and all are ready.
func (w *world) nodesReady() error {
	nodes, err := w.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		return fmt.Errorf("%d nodes: %v", len(nodes.Items), err)
	}
	for _, n := range nodes.Items {
		if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Errorf("node %s is not ready: %+v", n.Name, n.Status.Conditions)
		}
	}
	return nil
}
