package cluster

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

var services = schema.GroupVersionResource{Group: "serving.knative.dev", Version: "v1", Resource: "services"}

// BenchmarkZero asks a function and a program that does nothing, each a Knative Service that has no Pod, by turns. The function is logs, from the
// image that is deployed, whose own Service takes a minute to come to zero; both ask for the same room and are on the same base image.
func BenchmarkZero(b *testing.B) {
	w := newWorld(b)
	const starts = 5
	images := map[string]string{"function": w.deployed("logs"), "hello": hello(b)}
	for name, image := range images {
		w.put(services, "Service", name, map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"autoscaling.knative.dev/window": "6s"}},
			"spec": map[string]any{"timeoutSeconds": int64(30), "containers": []any{map[string]any{
				"image": image, "readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/healthz"}},
				"resources": map[string]any{"requests": map[string]any{"cpu": "20m", "memory": "48Mi"}},
			}}},
		}})
	}
	took := map[string][]time.Duration{}
	for round := range starts {
		w.noPods("function", "hello")
		turns := []string{"function", "hello"}
		if round%2 != 0 {
			slices.Reverse(turns)
		}
		for _, name := range turns {
			took[name] = append(took[name], w.firstAnswer(name))
		}
	}
	for _, name := range []string{"hello", "function"} {
		report(b, name, measured{"of-hello": quantile(took[name], 50).Seconds() / quantile(took["hello"], 50).Seconds(),
			"p50-s": quantile(took[name], 50).Seconds(), "least-s": slices.Min(took[name]).Seconds(), "most-s": slices.Max(took[name]).Seconds()})
	}
}

// deployed is the image of a function as it is deployed.
func (w *world) deployed(function string) string {
	w.Helper()
	s, err := w.dynamic.Resource(services).Namespace(harness.SystemNamespace).Get(w.Context(), function, metav1.GetOptions{})
	w.must(err)
	containers, _, _ := unstructured.NestedSlice(s.Object, "spec", "template", "spec", "containers")
	if len(containers) != 1 {
		w.Fatalf("Service %s has %d containers", function, len(containers))
	}
	return containers[0].(map[string]any)["image"].(string)
}

// hello builds the image of the program that does nothing, as the functions' images are built.
func hello(b *testing.B) string {
	b.Helper()
	build := exec.Command("bash", "-c", `. hack/env.sh && KO_DOCKER_REPO=$KO_DOCKER_REPO/hello ko build --bare --sbom=none ./test/bench/cluster/hello`)
	build.Dir = harness.Root()
	var said strings.Builder
	build.Stderr = &said
	out, err := build.Output()
	if err != nil {
		b.Fatalf("build hello: %v\n%s", err, said.String())
	}
	lines := strings.Fields(string(out))
	return lines[len(lines)-1]
}

// noPods waits until Services have come to zero.
func (w *world) noPods(names ...string) {
	w.Helper()
	harness.Eventually(w, 4*time.Minute, func() error {
		list, err := w.Kube.CoreV1().Pods(w.space).List(w.Context(),
			metav1.ListOptions{LabelSelector: "serving.knative.dev/service in (" + strings.Join(names, ",") + ")"})
		if err == nil && len(list.Items) > 0 {
			time.Sleep(500 * time.Millisecond)
			err = fmt.Errorf("there are %d Pods of %s", len(list.Items), strings.Join(names, " and "))
		}
		return err
	})
}

// firstAnswer is how long a Service took to answer, asked from outside.
func (w *world) firstAnswer(name string) time.Duration {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, os.Getenv("CLUSTER_INGRESS")+"/healthz", nil)
	w.must(err)
	r.Host = fmt.Sprintf("%s.%s.%s", name, w.space, os.Getenv("CLUSTER_INGRESS_DOMAIN"))
	began := time.Now()
	answer, err := w.client.Do(r)
	w.must(err)
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		w.Fatalf("%s: %s %q %v", name, answer.Status, body, err)
	}
	return time.Since(began)
}
