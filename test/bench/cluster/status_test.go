package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkStatus has fifty Tasks run at once, lets them end one after another, and says how long after a PipelineRun's end a watch sees the
// Task's. A Task's command is one request that this program answers when it is the Task's turn to end, so that none ends before all run.
func BenchmarkStatus(b *testing.B) {
	w := newWorld(b)
	w.makeRoom()
	const tasks = 50
	running, let := make(chan struct{}, tasks), make(chan struct{})
	at := w.serve(func(answer http.ResponseWriter, r *http.Request) {
		running <- struct{}{}
		select {
		case <-let:
		case <-r.Context().Done():
		}
	})
	ended := w.arriving(harness.Watch(w, w.Tekton.PipelineRuns(w.space)), func(o metav1.Object) bool { run, ok := o.(*tekton.PipelineRun); return ok && run.IsDone() })
	final := w.arriving(harness.Watch(w, w.Kf.Tasks(w.space)), func(o metav1.Object) bool { task, ok := o.(*v1alpha1.Task); return ok && task.Final() })
	began := time.Now()
	names := make([]string, tasks)
	for i := range names {
		names[i] = fmt.Sprintf("task-%d", i)
		w.task(names[i], "wget -q -O /dev/null "+at)
	}
	for i := range tasks {
		select {
		case <-running:
		case <-time.After(8 * time.Minute): // two cores start a Pod in three to ten seconds
			b.Fatalf("%d of %d Tasks run", i, tasks)
		}
	}
	all := time.Since(began)
	if n := ended.count(); n > 0 {
		b.Fatalf("%d Tasks have ended before all ran", n)
	}
	for range tasks {
		let <- struct{}{}
		time.Sleep(500 * time.Millisecond)
	}
	runs, ends := ended.wait(b, names), final.wait(b, names)
	late := make([]time.Duration, tasks)
	for i := range late {
		late[i] = max(0, ends[i].Sub(runs[i])) // the watches are two
	}
	report(b, fmt.Sprintf("%d Tasks that run", tasks), measured{
		"p50-ms": ms(quantile(late, 50)), "p99-ms": ms(quantile(late, 99)), "most-ms": ms(quantile(late, 100)), "all-run-after-s": all.Seconds()})
}

// makeRoom has Tekton's own containers ask for a tenth of what they do until the benchmark ends: 50m each, as a cluster is set up, leaves room
// for twenty Pods on two cores.
func (w *world) makeRoom() {
	w.Helper()
	settings, key := w.Kube.CoreV1().ConfigMaps("tekton-pipelines"), "default-container-resource-requirements"
	set := func(ctx context.Context, requirements string) error {
		data, err := json.Marshal(map[string]any{"data": map[string]string{key: requirements}})
		if err == nil {
			_, err = settings.Patch(ctx, "config-defaults", types.MergePatchType, data, metav1.PatchOptions{})
		}
		return err
	}
	was, err := settings.Get(w.Context(), "config-defaults", metav1.GetOptions{})
	w.must(err)
	if was.Data[key] == "" {
		return // they ask for nothing
	}
	w.Cleanup(func() { w.must(set(context.Background(), was.Data[key])) })
	w.must(set(w.Context(), strings.ReplaceAll(was.Data[key], "cpu: 50m", "cpu: 5m")))
}

// serve answers Pods of the cluster until the benchmark ends.
func (w *world) serve(answer http.HandlerFunc) (url string) {
	w.Helper()
	host := os.Getenv("CLUSTER_HOST_IP")
	if host == "" {
		w.Skip("CLUSTER_HOST_IP, the address at which Pods reach this machine, is known of a local cluster only")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	w.must(err)
	server := &http.Server{Handler: answer, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until Close
	w.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}
