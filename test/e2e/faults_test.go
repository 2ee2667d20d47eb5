package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var (
	brokers       = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "brokers"}
	triggers      = schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "triggers"}
	channels      = schema.GroupVersionResource{Group: "messaging.knative.dev", Version: "v1", Resource: "inmemorychannels"}
	subscriptions = schema.GroupVersionResource{Group: "messaging.knative.dev", Version: "v1", Resource: "subscriptions"}
	// of a Broker by config/options/jetstream
	durableChannels = schema.GroupVersionResource{Group: "messaging.knative.dev", Version: "v1alpha1", Resource: "natsjetstreamchannels"}

	sources = schema.GroupVersionResource{Group: "sources.knative.dev", Version: "v1", Resource: "apiserversources"}
)

// durable says whether the Broker keeps its events on NATS JetStream.
func durable(t *testing.T, d dynamic.Interface) bool {
	t.Helper()
	broker, err := d.Resource(brokers).Namespace(harness.SystemNamespace).Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := unstructured.NestedString(broker.Object, "spec", "config", "name")
	return name == "jetstream-channel"
}

func (w *world) dynamic(t *testing.T) dynamic.Interface {
	t.Helper()
	d, err := dynamic.NewForConfig(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// admitted makes a write that Knative's webhook has a say in, again while that is away: on a busy machine it may miss its probe.
func admitted(t *testing.T, write func() error) error {
	t.Helper()
	var refused error
	harness.Eventually(t, 2*time.Minute, func() error {
		err := write()
		if apierrors.IsInternalError(err) { // the API server's word for a webhook that it can't reach
			return err
		}
		refused = err
		return nil
	})
	return refused
}

// put creates an object of Knative's, waits until it is ready, and removes it after the test.
func put(t *testing.T, d dynamic.Interface, gvr schema.GroupVersionResource, obj *unstructured.Unstructured) {
	t.Helper()
	if err := admitted(t, func() error {
		_, err := d.Resource(gvr).Namespace(obj.GetNamespace()).Create(ctx, obj, metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		got, err := d.Resource(gvr).Namespace(obj.GetNamespace()).Get(ctx, obj.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(got.Object, "status", "conditions")
		for _, c := range conditions {
			if c := c.(map[string]any); c["type"] == "Ready" && c["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("%s %s is not ready: %v", gvr.Resource, obj.GetName(), conditions)
	})
}

// unsubscribe deletes a Trigger and waits until the channel knows: deleted together, some stay in it (docs/events.md), and on a busy
// machine one that is deleted alone, for good.
func (w *world) unsubscribe(t *testing.T, name string) {
	t.Helper()
	d := w.dynamic(t)
	if err := admitted(t, func() error {
		return d.Resource(triggers).Namespace(harness.SystemNamespace).Delete(ctx, name, metav1.DeleteOptions{})
	}); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, 3*time.Minute, func() error { return w.forgotten(t, name) })
}

// forgotten says whether the channel has forgotten a Trigger that was deleted. It takes out what the controller, which is done with
// it, has left there; nobody else may.
func (w *world) forgotten(t *testing.T, name string) error {
	d, gvr := w.dynamic(t), channels
	if durable(t, d) {
		gvr = durableChannels
	}
	channel, err := d.Resource(gvr).Namespace(harness.SystemNamespace).Get(ctx, "default-kne-trigger", metav1.GetOptions{})
	if err != nil {
		return err
	}
	subscribers, _, err := unstructured.NestedSlice(channel.Object, "spec", "subscribers")
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(subscribers), func(s any) bool {
		uri, _, _ := unstructured.NestedString(s.(map[string]any), "subscriberUri")
		return strings.Contains(uri, "/"+name+"/")
	})
	if len(others) == len(subscribers) {
		return nil
	}
	left, err := d.Resource(subscriptions).Namespace(harness.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "eventing.knative.dev/trigger=" + name})
	if err == nil && len(left.Items) == 0 {
		t.Logf("the channel kept %s, whose Subscription has gone", name)
		config := rest.CopyConfig(w.Config)
		config.Impersonate.UserName = "system:serviceaccount:knative-eventing:eventing-controller"
		as := (&world{Cluster: &harness.Cluster{Config: config}}).dynamic(t)
		if err = unstructured.SetNestedSlice(channel.Object, others, "spec", "subscribers"); err == nil {
			_, err = as.Resource(gvr).Namespace(harness.SystemNamespace).Update(ctx, channel, metav1.UpdateOptions{})
		}
	}
	return fmt.Errorf("the channel still has %s: %v", name, err)
}

func fresh(obj *unstructured.Unstructured, name string) *unstructured.Unstructured {
	spec, _, _ := unstructured.NestedMap(obj.Object, "spec")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": obj.GetAPIVersion(), "kind": obj.GetKind(), "spec": spec,
		"metadata": map[string]any{"name": name, "namespace": obj.GetNamespace(), "labels": toAny(obj.GetLabels())},
	}}
}

func toAny(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// endState runs Tasks that succeed and fail, and checks that each ran once and says how it ended.
func (w *world) endState(t *testing.T, tasks int) {
	t.Helper()
	for i := range tasks {
		w.task(t, fmt.Sprintf("task-%d", i), "shop", fmt.Sprintf("exit %d", i%2), nil)
	}
	ids := map[int]string{}
	for i := range tasks {
		name := fmt.Sprintf("task-%d", i)
		task, reason, message := w.ends(t, name)
		if want := []string{"Succeeded", "Failed"}[i%2]; reason != want || task.Status.ExitCode == nil || *task.Status.ExitCode != int32(i%2) {
			t.Errorf("%s: %s %s, exit code %v", name, reason, message, task.Status.ExitCode)
		}
		if other, taken := ids[task.Status.ID]; taken || task.Status.ID == 0 {
			t.Errorf("%s and %s have the ID %d", name, other, task.Status.ID)
		}
		ids[task.Status.ID] = name
	}
	for kind, count := range map[string]func() (int, error){
		"PipelineRuns": func() (int, error) {
			l, err := w.Tekton.PipelineRuns(w.space).List(ctx, metav1.ListOptions{})
			return len(l.Items), err
		},
		"Pods": func() (int, error) {
			l, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{})
			return len(l.Items), err
		},
	} {
		if n, err := count(); err != nil || n != tasks {
			t.Errorf("%d %s for %d Tasks: %v", n, kind, tasks, err)
		}
	}
}

// TestEveryEventThreeTimes: two more Triggers for each function make the real Broker deliver everything thrice.
func TestEveryEventThreeTimes(t *testing.T) {
	w := newWorld(t)
	d := w.dynamic(t)
	list, err := d.Resource(triggers).Namespace(harness.SystemNamespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) < 4 {
		t.Fatalf("%d Triggers: %v", len(list.Items), err)
	}
	for i := range list.Items {
		for _, suffix := range []string{"again", "and-again"} {
			name := list.Items[i].GetName() + "-" + suffix
			t.Cleanup(func() { w.unsubscribe(t, name) })
			put(t, d, triggers, fresh(&list.Items[i], name))
		}
	}
	w.endState(t, 8)
}

// TestNoEventAtAll: without the source of the lifecycle events everything is found by the ping.
func TestNoEventAtAll(t *testing.T) {
	w := newWorld(t)
	d := w.dynamic(t)
	source, err := d.Resource(sources).Namespace(harness.SystemNamespace).Get(ctx, "lifecycle", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := admitted(t, func() error {
		return d.Resource(sources).Namespace(harness.SystemNamespace).Delete(ctx, "lifecycle", metav1.DeleteOptions{})
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { put(t, d, sources, fresh(source, "lifecycle")) })
	harness.Eventually(t, 2*time.Minute, func() error {
		l, err := w.Kube.CoreV1().Pods(harness.SystemNamespace).List(ctx, metav1.ListOptions{LabelSelector: "sources.knative.dev/apiServerSource=lifecycle"})
		if err != nil || len(l.Items) > 0 {
			return fmt.Errorf("%d adapters still run: %v", len(l.Items), err)
		}
		return nil
	})
	w.endState(t, 6)
	w.task(t, "to-stop", "shop", "sleep 600", nil)
	harness.Eventually(t, 3*time.Minute, func() error {
		if pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=to-stop", FieldSelector: "status.phase=Running"}); err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("not running: %v", err)
		}
		return nil
	})
	if out, code := w.kf(t, "terminate-task", "to-stop"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if _, reason, message := w.ends(t, "to-stop"); !strings.Contains(reason, "Cancel") && !strings.Contains(reason, "Terminated") {
		t.Errorf("terminated Task: %s %s", reason, message)
	}
}

// TestCommandFromAnotherSystem: a Pod posts commands to a Broker, and one that can never be handled is not lost. With OIDC on it
// is the Space's own Broker, whose Trigger may command the Space; without, the Space takes commands of anyone.
func TestCommandFromAnotherSystem(t *testing.T) {
	w := newWorld(t)
	broker := "kf-tasks/default"
	if w.oidc(t) {
		broker = w.ownBroker(t)
		put(t, w.dynamic(t), triggers, &unstructured.Unstructured{Object: map[string]any{ // replies to what it sends come back to the Broker
			"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": "accepted", "namespace": w.space},
			"spec": map[string]any{"broker": "own", "filter": map[string]any{"attributes": map[string]any{"type": events.CommandAccepted}}, "subscriber": w.keeper()},
		}})
	} else if _, err := w.Kube.CoreV1().Namespaces().Patch(ctx, w.space, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"kf.dev/commands-from":"anyone"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	namespace, name, _ := strings.Cut(broker, "/")
	token := w.token(t, w.space, "default", w.audience(t, brokers, namespace, name))
	post := func(id, data string) string {
		// Debian's static busybox may crash when it looks up a name: so it may try again.
		return fmt.Sprintf(`for try in 1 2 3 4 5; do wget -q -O- --header 'Ce-Specversion: 1.0' --header 'Ce-Type: %s' --header 'Ce-Source: /e2e/%s' --header 'Ce-Id: %s' `+
			`--header 'Authorization: Bearer %s' --header 'Content-Type: application/json' --post-data '%s' http://broker-ingress.knative-eventing.svc.cluster.local/%s && break; sleep 1; done`,
			events.TaskRun, w.space, id, token, data, broker)
	}
	good := post("1", fmt.Sprintf(`{"namespace":"%s","app":"shop","command":"echo from afar","name":"afar"}`, w.space))
	bad := post("2", fmt.Sprintf(`{"namespace":"%s","app":"shop","comand":"echo misspelled"}`, w.space))
	w.task(t, "sender", "shop", strings.Join([]string{good, good, bad}, " && "), nil)
	if _, reason, message := w.ends(t, "sender"); reason != "Succeeded" {
		t.Fatalf("%s %s", reason, message)
	}
	var made []v1alpha1.Task
	harness.Eventually(t, 2*time.Minute, func() error {
		list, err := w.Kf.Tasks(w.space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		made = nil
		for _, task := range list.Items {
			if task.Name != "sender" {
				made = append(made, task)
			}
		}
		if len(made) == 0 || !made[0].Final() {
			return fmt.Errorf("made: %d", len(made))
		}
		return nil
	})
	if len(made) != 1 || made[0].Spec.DisplayName != "afar" || w.log(t, made[0].Name) != "from afar\n" {
		t.Errorf("%d Tasks from one event sent twice and a bad one, the first %q", len(made), made[0].Spec.DisplayName)
	}
	if durable(t, w.dynamic(t)) {
		return // its channel gives what is refused for good to nobody (docs/operate.md): the fact of the refusal is all that is told
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		if w.oidc(t) { // what the Space's own Trigger could not deliver is the Space's own
			var lost, accepted []cloudevents.Event
			for _, e := range w.kept(t) {
				if e.Type() == events.CommandAccepted {
					accepted = append(accepted, e)
				} else {
					lost = append(lost, e)
				}
			}
			if len(lost) != 1 || lost[0].ID() != "2" || fmt.Sprint(lost[0].Extensions()["knativeerrorcode"]) != "422" {
				return fmt.Errorf("lost events kept: %v", lost)
			}
			if len(accepted) == 0 || accepted[0].Subject() != w.space+"/"+made[0].Name {
				return fmt.Errorf("told to have been accepted: %v", accepted)
			}
			return nil
		}
		list, err := w.Kube.CoreV1().Events(w.space).List(ctx, metav1.ListOptions{FieldSelector: "reason=EventNotDelivered"})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if len(list.Items) != 1 || list.Items[0].InvolvedObject.Name != "shop" || list.Items[0].Type != corev1.EventTypeWarning {
			return fmt.Errorf("lost events shown: %d", len(list.Items))
		}
		return nil
	})
}
