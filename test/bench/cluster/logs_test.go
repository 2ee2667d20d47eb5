package cluster

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkLogs reads the log of one ended Task by what `kubectl logs` does, by the function logs as a process of its own, and by the one that is
// deployed, through Serving, by turns. The log is of one file on the node, which rotates it at 10 MiB.
func BenchmarkLogs(b *testing.B) {
	w := newWorld(b)
	const width, reads = 100, 7
	w.task("big", fmt.Sprintf("yes $(printf %%0%dd 7) | head -n %d", width-1, 9<<20/(width+45)))
	w.ended(2 * time.Minute)
	pods, err := w.Kube.CoreV1().Pods(w.space).List(b.Context(), metav1.ListOptions{LabelSelector: v1alpha1.TaskLabel + "=big"})
	w.must(err)
	if len(pods.Items) != 1 {
		b.Fatalf("the Task has %d Pods", len(pods.Items))
	}
	token := w.Member(b, w.space, "ClusterRole", "view").Config.BearerToken
	process := w.Shipped(b, "logs", "LOG_LEVEL=warn").URL
	serving := w.address("knative-serving", "kf-ingress")
	ways := []struct {
		name string
		open func() io.ReadCloser
	}{
		{"kubectl logs", func() io.ReadCloser {
			log, err := w.Kube.CoreV1().Pods(w.space).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "step-" + v1alpha1.UserContainer}).Stream(b.Context())
			w.must(err)
			return log
		}},
		{"logs, a process", func() io.ReadCloser { return w.read(process, "", token) }},
		{"logs, through Serving", func() io.ReadCloser {
			return w.read(serving, "logs."+harness.SystemNamespace+".svc.cluster.local", token)
		}},
	}
	size, took, first := make([]int64, len(ways)), make([][]time.Duration, len(ways)), make([][]time.Duration, len(ways))
	for round := range reads + 1 { // the first warms up, and brings the function up from zero
		for k := range ways {
			i := (k + round) % len(ways)
			began := time.Now()
			log := ways[i].open()
			_, err := io.ReadFull(log, make([]byte, 1))
			w.must(err)
			till := time.Since(began)
			n, err := io.Copy(io.Discard, log)
			w.must(err)
			w.must(log.Close())
			if size[i] = n + 1; round > 0 {
				took[i], first[i] = append(took[i], time.Since(began)), append(first[i], till)
			}
		}
	}
	rate := func(i int) float64 { return float64(size[i]) / quantile(took[i], 50).Seconds() / 1e6 }
	for i, way := range ways {
		if more := size[i] - size[0]; more < 0 || more > 200 {
			b.Errorf("%s gave %d bytes more than kubectl logs: it should be the outcome's line", way.name, more)
		}
		report(b, way.name, measured{"of-kubectl": rate(i) / rate(0), "MB/s": rate(i), "MB": float64(size[i]) / 1e6, "first-byte-ms": ms(quantile(first[i], 50))})
	}
}

// read asks a function for the Task's log.
func (w *world) read(url, host, token string) io.ReadCloser {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url+"/namespaces/"+w.space+"/tasks/big", nil)
	w.must(err)
	r.Host = host
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := w.client.Do(r)
	w.must(err)
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(answer.Body)
		w.Fatalf("logs: %s %s", answer.Status, said)
	}
	return answer.Body
}
