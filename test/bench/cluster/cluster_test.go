// Package cluster measures the deployed functions on a full cluster, each beside what Kubernetes, Tekton or Knative does of the same kind, by
// turns in one run:
//
//	. .cluster/env && go test -run - -bench JobSink -benchtime 1x -timeout 30m -v ./test/bench/cluster
package cluster

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// world is a Space of a cluster with everything, with an App in it whose image has a shell.
type world struct {
	testing.TB
	*harness.Cluster
	dynamic dynamic.Interface
	space   string
	client  *http.Client
}

const app = "shop"

func busybox() string { return os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest" }

// little is what a container asks for that does next to nothing: so many are to find room.
var little = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("8Mi")}

func newWorld(b *testing.B) *world {
	b.Helper()
	w := &world{TB: b, Cluster: harness.Deployed(b), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	w.space = w.Namespace(b, "bench")
	var err error
	w.dynamic, err = dynamic.NewForConfig(w.Config)
	w.must(err)
	of := harness.NewApp(w.space, app, busybox())
	of.Spec.Template.Spec.Containers[0].Resources.Requests = little
	_, err = w.Kf.Apps(w.space).Create(b.Context(), of, metav1.CreateOptions{})
	w.must(err)
	harness.Eventually(b, 2*time.Minute, func() error {
		a, err := w.Kf.Apps(w.space).Get(b.Context(), app, metav1.GetOptions{})
		if err == nil && !meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
			err = fmt.Errorf("the App is not ready: %+v", a.Status)
		}
		return err
	})
	return w
}

func (w *world) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

func (w *world) task(name, command string) {
	w.Helper()
	task := harness.NewTask(w.space, app, name)
	task.Spec.Command = command
	_, err := w.Kf.Tasks(w.space).Create(w.Context(), task, metav1.CreateOptions{})
	w.must(err)
}

// ended waits until all Tasks of the Space have.
func (w *world) ended(limit time.Duration) {
	w.Helper()
	harness.Eventually(w, limit, func() error {
		list, err := w.Kf.Tasks(w.space).List(w.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, t := range list.Items {
			if !t.Final() {
				time.Sleep(500 * time.Millisecond)
				return fmt.Errorf("Task %s has not ended: %+v", t.Name, t.Status.Conditions)
			}
		}
		return nil
	})
}

// put makes an object of Knative's, and waits until it is ready.
func (w *world) put(gvr schema.GroupVersionResource, kind, name string, spec map[string]any) *unstructured.Unstructured {
	w.Helper()
	objects := w.dynamic.Resource(gvr).Namespace(w.space)
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": gvr.GroupVersion().String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec}}
	harness.Eventually(w, 2*time.Minute, func() error { // Knative's webhook may be away on a busy machine
		_, err := objects.Create(w.Context(), obj, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	harness.Eventually(w, 3*time.Minute, func() error {
		var err error
		if obj, err = objects.Get(w.Context(), name, metav1.GetOptions{}); err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
		for _, c := range conditions {
			if c := c.(map[string]any); c["type"] == "Ready" && c["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("%s %s is not ready: %v", kind, name, conditions)
	})
	return obj
}

// address is the URL at which this machine reaches a Service of the cluster, whose names it does not know.
func (w *world) address(namespace, name string) string {
	w.Helper()
	s, err := w.Kube.CoreV1().Services(namespace).Get(w.Context(), name, metav1.GetOptions{})
	w.must(err)
	return "http://" + s.Spec.ClusterIP
}

// oidc says whether the cluster's Eventing asks who sends.
func (w *world) oidc() bool {
	w.Helper()
	features, err := w.Kube.CoreV1().ConfigMaps("knative-eventing").Get(w.Context(), "config-features", metav1.GetOptions{})
	w.must(err)
	return features.Data["authentication-oidc"] == "enabled"
}

// arrivals is when a watch first saw what it was to see of each object.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (a *arrivals) of(name string) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.at[name]
	return at, ok
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

// arriving notes of each object that is watched when it first passed.
func (w *world) arriving(watching watch.Interface, passes func(metav1.Object) bool) *arrivals {
	w.Helper()
	a := &arrivals{at: map[string]time.Time{}}
	go func() {
		for e := range watching.ResultChan() {
			obj, ok := e.Object.(metav1.Object)
			if !ok || !passes(obj) {
				continue
			}
			a.mu.Lock()
			if _, known := a.at[obj.GetName()]; !known {
				a.at[obj.GetName()] = time.Now()
			}
			a.mu.Unlock()
		}
	}()
	return a
}

// wait waits until all of these have arrived, and says when each did.
func (a *arrivals) wait(t testing.TB, names []string) []time.Time {
	t.Helper()
	all := make([]time.Time, len(names))
	harness.Eventually(t, 2*time.Minute, func() error {
		for i, name := range names {
			var ok bool
			if all[i], ok = a.of(name); !ok {
				return fmt.Errorf("%s has not come", name)
			}
		}
		return nil
	})
	return all
}

func anything(metav1.Object) bool { return true }

// quantile is the smallest value that at least so many percent do not exceed.
func quantile(d []time.Duration, percent int) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[(len(d)*percent+99)/100-1]
}

// measured are the values of one line of the report, by unit.
type measured map[string]float64

// report makes lines of what rounds by turns have measured together.
func report(b *testing.B, name string, values measured) {
	b.Run(strings.ReplaceAll(name, "/", "-"), func(b *testing.B) {
		for unit, v := range values {
			b.ReportMetric(v, unit)
		}
		b.ReportMetric(0, "ns/op") // it says nothing here
	})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
