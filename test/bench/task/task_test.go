// Package task measures what an App's Task costs over what Tekton costs.
package task

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkTask measures the main path on a full cluster on which the functions are deployed, beside bare PipelineRuns of the
// same Pod in the same run: what an App's Task costs over what Tekton costs.
//
//	. .cluster/env && go test -bench=. -timeout=30m -v ./test/bench/task
func BenchmarkTask(t *testing.B) {
	const rounds = 40
	c := harness.Deployed(t)
	ns := c.Namespace(t, "bench")
	ctx := t.Context()
	image := os.Getenv("KO_DOCKER_REPO") + "/base/busybox:latest"
	if _, err := c.Kf.Apps(ns).Create(ctx, harness.NewApp(ns, "shop", image), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	task := func(name string) {
		task := harness.NewTask(ns, "shop", name)
		task.Spec.Command = "echo line"
		if _, err := c.Kf.Tasks(ns).Create(ctx, task, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	task("warm")
	firstLine(t, c, ns, "warm")
	model, err := c.Tekton.PipelineRuns(ns).Get(ctx, "warm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bare := func(name string) {
		run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}, Spec: *model.Spec.DeepCopy()}
		if _, err := c.Tekton.PipelineRuns(ns).Create(ctx, run, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(name string) {
		harness.Eventually(t, time.Minute, func() error {
			run, err := c.Tekton.PipelineRuns(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil || !run.IsDone() {
				return fmt.Errorf("%s has not ended: %v", name, err)
			}
			if task, err := c.Kf.Tasks(ns).Get(ctx, name, metav1.GetOptions{}); err == nil && !task.Final() {
				return fmt.Errorf("Task %s has not ended", name)
			}
			return nil
		})
	}
	ended("warm")

	var toRun, toLine, bareToLine []time.Duration
	var ours, theirs writes
	for i := range rounds {
		name := fmt.Sprintf("task-%d", i)
		before := countWrites(t, c)
		seen := firstSeen(t, c, ns, name)
		began := time.Now()
		task(name)
		toRun = append(toRun, (<-seen).Sub(began))
		toLine = append(toLine, firstLine(t, c, ns, name).Sub(began))
		ended(name)
		ours.add(countWrites(t, c), before)

		name = fmt.Sprintf("bare-%d", i)
		before = countWrites(t, c)
		began = time.Now()
		bare(name)
		bareToLine = append(bareToLine, firstLine(t, c, ns, name).Sub(began))
		ended(name)
		theirs.add(countWrites(t, c), before)
	}
	var kinds []string
	for k := range ours {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	var out strings.Builder
	total := map[bool]float64{}
	for _, k := range kinds {
		if ours[k] >= rounds/4 || theirs[k] >= rounds/4 { // else it is of something else on the cluster
			fmt.Fprintf(&out, "%s: %.1f for a Task, %.1f for a bare PipelineRun\n", k, float64(ours[k])/rounds, float64(theirs[k])/rounds)
			total[true], total[false] = total[true]+float64(ours[k])/rounds, total[false]+float64(theirs[k])/rounds
		}
	}
	t.Logf("writes to the API server:\n%s", out.String())
	t.Run("Task", func(t *testing.B) {
		t.ReportMetric(float64(quantile(toRun, 50).Milliseconds()), "run-p50-ms")
		t.ReportMetric(float64(quantile(toRun, 99).Milliseconds()), "run-p99-ms")
		line(t, toLine, bareToLine, total[true])
	})
	t.Run("bare PipelineRun", func(t *testing.B) { line(t, bareToLine, bareToLine, total[false]) })
}

// line reports the time to the first line, and how often was written.
func line(t *testing.B, took, bare []time.Duration, writes float64) {
	t.ReportMetric(quantile(took, 50).Seconds(), "line-p50-s")
	t.ReportMetric(quantile(took, 99).Seconds(), "line-p99-s")
	t.ReportMetric(quantile(took, 50).Seconds()/quantile(bare, 50).Seconds(), "of-bare")
	t.ReportMetric(writes, "writes")
}

// quantile is the smallest value that at least so many percent do not exceed.
func quantile(d []time.Duration, percent int) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[(len(d)*percent+99)/100-1]
}

// firstSeen tells when a watch saw the PipelineRun.
func firstSeen(t testing.TB, c *harness.Cluster, ns, name string) <-chan time.Time {
	t.Helper()
	w := harness.Watch(t, c.Tekton.PipelineRuns(ns))
	seen := make(chan time.Time, 1)
	go func() {
		defer w.Stop()
		for e := range w.ResultChan() {
			if run, ok := e.Object.(metav1.Object); ok && e.Type == watch.Added && run.GetName() == name {
				seen <- time.Now()
				return
			}
		}
	}()
	return seen
}

// firstLine is the time that the kubelet gave the first line of a run's Pod.
func firstLine(t testing.TB, c *harness.Cluster, ns, run string) time.Time {
	t.Helper()
	var at time.Time
	harness.Eventually(t, time.Minute, func() error {
		pods, err := c.Kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "tekton.dev/pipelineRun=" + run})
		if err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("%s has %d Pods: %v", run, len(pods.Items), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		log, err := c.Kube.CoreV1().Pods(ns).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "step-" + v1alpha1.UserContainer, Timestamps: true, Follow: true}).Stream(ctx)
		if err != nil {
			return err
		}
		defer log.Close()
		line, err := bufio.NewReader(log).ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s: %w", run, err)
		}
		at, err = time.Parse(time.RFC3339Nano, strings.Fields(line)[0])
		return err
	})
	return at
}

// writes counts what clients wrote to the API server, by verb and resource.
type writes map[string]int

func (w *writes) add(after, before writes) {
	if *w == nil {
		*w = writes{}
	}
	for k, n := range after {
		(*w)[k] += n - before[k]
	}
}

var (
	request = regexp.MustCompile(`(?m)^apiserver_request_total\{(.*)\} (\S+)$`)
	label   = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// countWrites reads the API server's own count; without what goes on with no Task at all (leases, reviews, tokens).
func countWrites(t testing.TB, c *harness.Cluster) writes {
	t.Helper()
	body, err := c.Kube.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := writes{}
	for _, m := range request.FindAllStringSubmatch(string(body), -1) {
		l := map[string]string{}
		for _, kv := range label.FindAllStringSubmatch(m[1], -1) {
			l[kv[1]] = kv[2]
		}
		if !slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE", "APPLY"}, l["verb"]) || !strings.HasPrefix(l["code"], "2") {
			continue
		}
		if !slices.Contains([]string{"tasks", "apps", "pipelineruns", "taskruns", "pods", "events"}, l["resource"]) {
			continue
		}
		name := l["resource"]
		if l["subresource"] != "" {
			name += "/" + l["subresource"]
		}
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		w[name+" "+l["verb"]] += int(n)
	}
	return w
}
