package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestRoutes: a Knative Service is reached by its names from inside and outside, and scales to zero and back. It is
// about the local cluster: one of the user's has its own ingress.
func TestRoutes(t *testing.T) {
	ingress := os.Getenv("CLUSTER_INGRESS")
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours")
	}
	w := newWorld(t)
	d := w.dynamic(t)
	services := schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}
	revisions := services.GroupVersion().WithResource("revisions")
	web := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"autoscaling.knative.dev/window": "6s"}},
			// httpd, as pid 1, does not hear SIGTERM: it is killed after timeoutSeconds
			"spec": map[string]any{"timeoutSeconds": int64(5), "containers": []any{map[string]any{
				"image": os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest", "ports": []any{map[string]any{"containerPort": int64(8080)}},
				"command":   []any{"sh", "-c", "mkdir /tmp/w && echo it answers > /tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w"},
				"resources": map[string]any{"requests": map[string]any{"cpu": "5m", "memory": "8Mi"}},
			}}},
		}},
	}}
	if err := admitted(t, func() error {
		_, err := d.Resource(services).Namespace(w.space).Create(ctx, web, metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ready := func() error {
		got, err := d.Resource(services).Namespace(w.space).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if b, _ := got.MarshalJSON(); !strings.Contains(string(b), `"status":"True","type":"Ready"`) {
			return fmt.Errorf("not ready: %v", got.Object["status"])
		}
		return nil
	}
	harness.Eventually(t, 2*time.Minute, ready)

	outside := func() (time.Duration, error) {
		r, err := http.NewRequest(http.MethodGet, ingress, nil)
		if err != nil {
			return 0, err
		}
		// What curl resolves by itself (RFC 6761) and Go does not: web.SPACE.kf.localhost.
		r.Host = fmt.Sprintf("web.%s.%s", w.space, os.Getenv("CLUSTER_INGRESS_DOMAIN"))
		began := time.Now()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		if b, err := io.ReadAll(answer.Body); err != nil || string(b) != "it answers\n" {
			return 0, fmt.Errorf("%s %q %v", answer.Status, b, err)
		}
		return time.Since(began), nil
	}
	harness.Eventually(t, 3*time.Minute, func() error { _, err := outside(); return err })

	w.task(t, "inside", "shop", fmt.Sprintf("for try in 1 2 3 4 5; do wget -q -O- http://web.%s.svc.cluster.local && break; sleep 1; done", w.space), nil)
	_, reason, message := w.ends(t, "inside")
	if log := w.log(t, "inside"); reason != "Succeeded" || !strings.HasSuffix(log, "it answers\n") { // before that wget may say that it tried in vain
		t.Errorf("by its cluster-local name: %s %s, log %q", reason, message, log)
	}

	list, err := d.Resource(revisions).Namespace(w.space).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d revisions: %v", len(list.Items), err)
	}
	if b, _ := list.Items[0].MarshalJSON(); !strings.Contains(string(b), `/base/busybox@sha256:`) {
		t.Errorf("the tag is not resolved to a digest: %s", b)
	}

	harness.Eventually(t, 3*time.Minute, func() error {
		pods, err := w.Kube.CoreV1().Pods(w.space).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=web"})
		if err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("%d Pods: %v", len(pods.Items), err)
		}
		return nil
	})
	took, err := outside()
	if err != nil {
		t.Fatalf("from zero: %v", err)
	}
	t.Logf("from zero Pods to the answer: %s", took)
}

// TestJobSink: Knative's own way from an event to a Job, which is the peer that ours is measured against.
func TestJobSink(t *testing.T) {
	w := newWorld(t)
	put(t, w.dynamic(t), sinks, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "sinks.knative.dev/v1alpha1", "kind": "JobSink", "metadata": map[string]any{"name": "sink", "namespace": w.space},
		"spec": map[string]any{"job": map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers":    []any{map[string]any{"name": "c", "image": os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest", "command": []any{"true"}}},
		}}}}},
	}})
	token := w.token(t, w.space, "default", w.audience(t, sinks, w.space, "sink"))
	w.task(t, "sender", "shop", fmt.Sprintf(`for i in $(seq 30); do wget -q -O- --header 'Ce-Specversion: 1.0' --header 'Ce-Type: t' --header 'Ce-Source: /s' `+
		`--header 'Ce-Id: 1' --header 'Authorization: Bearer %s' --post-data '{}' http://job-sink.knative-eventing.svc.cluster.local/%s/sink && exit; sleep 1; done; exit 1`, token, w.space), nil)
	if _, reason, message := w.ends(t, "sender"); reason != "Succeeded" {
		t.Fatalf("%s %s: %s", reason, message, w.log(t, "sender"))
	}
	harness.Eventually(t, 3*time.Minute, func() error {
		jobs, err := w.Kube.BatchV1().Jobs(w.space).List(ctx, metav1.ListOptions{})
		if err != nil || len(jobs.Items) != 1 || jobs.Items[0].Status.Succeeded != 1 {
			return fmt.Errorf("%d Jobs: %v", len(jobs.Items), err)
		}
		return nil
	})
}

// TestPodsReachTheAPIServerAndNames: what every function relies on.
func TestPodsReachTheAPIServerAndNames(t *testing.T) {
	w := newWorld(t)
	w.task(t, "names", "shop", "nslookup kubernetes.default.svc.cluster.local && nc -w 5 kubernetes.default.svc.cluster.local 443 </dev/null", nil)
	if _, reason, message := w.ends(t, "names"); reason != "Succeeded" {
		t.Errorf("%s %s: %s", reason, message, w.log(t, "names"))
	}
	if err := w.nodesReady(); err != nil {
		t.Error(err)
	}
}
