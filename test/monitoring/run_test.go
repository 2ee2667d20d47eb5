package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var ctx = context.Background()

// needMore are the panels that stay empty here, each with what it needs.
var needMore = map[string]string{
	"Logs":            "a Task's Pod, and so a node",
	"Builds that end": "a builder, and so a node",
}

// prometheus reads functions, by name, each second, and evaluates the alerts.
type prometheus struct {
	*testing.T
	url string
}

func newPrometheus(t *testing.T, functions map[string]string) *prometheus {
	t.Helper()
	rules, _ := ruleFile(t)
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [" + rules + "]\nscrape_configs:\n- job_name: functions\n  static_configs:\n"
	for name, address := range functions {
		config += fmt.Sprintf("  - {targets: [%q], labels: {function: %q}}\n", address, name)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	cmd := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("make test-monitoring installs it: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p := &prometheus{t, "http://" + address}
	harness.Eventually(t, time.Minute, func() error {
		_, err := p.get("/-/ready", nil)
		return err
	})
	return p
}

func (p *prometheus) get(path string, query url.Values) (*http.Response, error) {
	resp, err := http.Get(p.url + path + "?" + query.Encode())
	if err == nil && resp.StatusCode >= 500 {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return resp, err
}

// ask is what a query of the last minutes gives: how many series.
func (p *prometheus) ask(query string) (int, error) {
	now := time.Now()
	resp, err := p.get("/api/v1/query_range", url.Values{"query": {query}, "step": {"1"},
		"start": {fmt.Sprint(now.Add(-2 * time.Minute).Unix())}, "end": {fmt.Sprint(now.Unix())}})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", query, answer.Error)
	}
	return len(answer.Data.Result), nil
}

// TestEveryQueryRunsOnARealRun: functions do their work and tell of it, a Prometheus reads them, and each query of the dashboard is answered:
// with series, but of those panels that need more than there is here. Each alert is evaluated without a fault, and its names are the exported.
func TestEveryQueryRunsOnARealRun(t *testing.T) {
	r := newRun(t)
	p := newPrometheus(t, r.metrics)
	harness.Eventually(t, 2*time.Minute, func() error { // counters count from when they are first read
		r.round()
		time.Sleep(2 * time.Second)
		for panel, all := range queries(t) {
			for _, q := range all {
				n, err := p.ask(q)
				if err != nil {
					t.Fatalf("panel %q: %v", panel, err)
				}
				if n == 0 && needMore[panel] == "" {
					return fmt.Errorf("panel %q: no series of %s", panel, q)
				}
			}
		}
		return nil
	})
	resp, err := p.get("/api/v1/rules", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&rules); err != nil {
		t.Fatal(err)
	}
	fires := ""
	for _, g := range rules.Data.Groups {
		for _, rule := range g.Rules {
			if rule.Health != "ok" {
				t.Errorf("%s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			if rule.State == "firing" {
				fires += rule.Name + " "
			}
		}
	}
	if !strings.Contains(fires, "KfDeadLetters") { // an event was lost: that one waits for nothing
		t.Errorf("these alerts fire: %s", fires)
	}
	t.Logf("these alerts fire: %s", fires)
}

// run is a Space whose functions tell their metrics.
type run struct {
	*testing.T
	*harness.Cluster
	ns        string
	functions map[string]*harness.Function
	metrics   map[string]string // where each tells them
	rounds    int
}

func newRun(t *testing.T) *run {
	t.Helper()
	r := &run{T: t, Cluster: harness.New(t), functions: map[string]*harness.Function{}, metrics: map[string]string{}}
	r.ns = r.Cluster.Namespace(t, "monitoring")
	app := r.Cluster.App(t, r.ns, "shop")
	app.Annotations = map[string]string{v1alpha1.RetainAnnotation: "1"}
	_, err := r.Kf.Apps(r.ns).Update(ctx, app, metav1.UpdateOptions{})
	r.must(err)
	sink := harness.NewFacts(t)
	for _, name := range []string{"tick", "runtask", "status", "prune", "deadletter", "command", "webhook"} {
		r.metrics[name] = fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
		r.functions[name] = r.Cluster.Function(t, name, "K_SINK="+sink.URL, "COMMAND_SINK="+sink.URL, "SWEEP_INTERVAL=200ms",
			"METRICS_PROTOCOL=prometheus", "METRICS_ENDPOINT="+r.metrics[name])
	}
	return r
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// round has each function do something of what it is there for.
func (r *run) round() {
	r.Helper()
	r.rounds++
	// A Job whose instant of two minutes ago is due.
	at := time.Now().UTC().Truncate(time.Minute).Add(-2 * time.Minute)
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("nightly-%d", r.rounds)}}
	job.Spec.Schedule = fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
	job.Spec.TaskTemplate = v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "shop"}, Command: "true"}
	job, err := r.Kf.TaskSchedules(r.ns).Create(ctx, job, metav1.CreateOptions{})
	r.must(err)
	r.functions["tick"].Deliver(harness.Added("TaskSchedule", job))
	_, err = r.Kf.TaskSchedules(r.ns).Patch(ctx, job.Name, types.MergePatchType,
		fmt.Appendf(nil, `{"status":{"decidedUntil":%q}}`, at.Add(-time.Minute).Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	r.must(err)
	r.functions["tick"].Deliver(harness.Ping("every-minute"))

	// Tasks that start; the first ends, the others do not, and are beyond the App's limit.
	for _, name := range []string{"ends", "stays", "stays-too"} {
		task := r.Task(r, r.ns, "shop", fmt.Sprintf("%s-%d", name, r.rounds))
		r.functions["runtask"].Deliver(harness.Added("Task", task))
	}
	ended, err := r.Tekton.PipelineRuns(r.ns).Patch(ctx, fmt.Sprintf("ends-%d", r.rounds), types.MergePatchType, fmt.Appendf(nil,
		`{"status":{"startTime":%[1]q,"completionTime":%[1]q,"conditions":[{"type":"Succeeded","status":"True","reason":"Succeeded","message":"","lastTransitionTime":%[1]q}]}}`,
		time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
	r.must(err)
	r.functions["status"].Deliver(harness.Updated("PipelineRun", ended))
	r.functions["prune"].Deliver(harness.Ping("every-hour"))

	lost := cloudevents.NewEvent()
	lost.SetType(events.TaskRun)
	lost.SetSource("/billing")
	lost.SetID(fmt.Sprint(r.rounds))
	_ = lost.SetData(cloudevents.ApplicationJSON, map[string]string{"namespace": r.ns, "app": "shop"})
	r.functions["deadletter"].Deliver(lost)
	if status, _ := r.functions["command"].Ask(lost); status != http.StatusUnauthorized {
		r.Errorf("a command without a token is answered %d", status)
	}
	resp, err := http.Post(r.functions["webhook"].URL+"/"+r.ns+"/none", "application/json", strings.NewReader("{}"))
	r.must(err)
	resp.Body.Close()
}
