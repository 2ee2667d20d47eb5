package tick

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// BenchmarkAtRest: what a tick over 100,000 Jobs that are at rest costs tick itself, by history. They are listed from a stand-in of the
// API server, by TLS and HTTP/2 as from a real one, which has no more to do with it: so no cluster is needed, nor an hour to fill it.
//
//	go test -run - -bench AtRest -benchtime 3x -v ./test/bench/tick
func BenchmarkAtRest(t *testing.B) {
	jobs := harness.Number(t, "JOBS", 100000)
	for _, part := range []struct{ jobs, records int }{{jobs / 100, 5}, {jobs / 10, 5}, {jobs, 0}, {jobs, 5}, {jobs, 50}} {
		t.Run(fmt.Sprintf("%d Jobs, %d records each", part.jobs, part.records), func(t *testing.B) {
			kubeconfig, size := serveJobs(t, part.jobs, part.records)
			f := harness.Shipped(t, kubeconfig, "tick", "LOG_LEVEL=warn")
			var cpu time.Duration
			for t.Loop() {
				before := f.CPU()
				if status, _ := f.Send(harness.Ping("every-minute")); status >= 300 || status == 0 {
					t.Fatalf("the tick was answered with %d", status)
				}
				cpu += f.CPU() - before
			}
			t.ReportMetric(cpu.Seconds()/float64(t.N), "cpu-s/tick")
			t.ReportMetric(float64(f.PeakMemory())/(1<<20), "MiB")
			t.ReportMetric(float64(size), "B/Job")
		})
	}
}

// serveJobs serves lists of so many Jobs at rest, each with so many records.
func serveJobs(t testing.TB, jobs, records int) (kubeconfig string, size int) {
	t.Helper()
	object := atRest(t, records)
	const perPage = 500
	items := bytes.TrimSuffix(bytes.Repeat(append(object, ','), perPage), []byte(","))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("continue")) // none is the first
		more := ""
		if (page+1)*perPage < jobs {
			more = fmt.Sprint(page + 1)
		}
		w.Header().Set("Content-Type", "application/json")
		items := items
		if r.URL.Query().Get("fieldSelector") != "" { // those that are due now
			items, more = nil, ""
		}
		fmt.Fprintf(w, `{"apiVersion":"kf.dev/v1alpha1","items":[%s],"kind":"TaskScheduleList","metadata":{"continue":%q,"resourceVersion":"1"}}`, items, more)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
  users: [{name: u, user: {token: none}}], clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]}`, server.URL)
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig, len(object)
}

// atRest is a Job as the API server writes it, that is due in twelve hours.
func atRest(t testing.TB, records int) []byte {
	t.Helper()
	now := time.Now().UTC()
	j := &v1alpha1.TaskSchedule{TypeMeta: metav1.TypeMeta{APIVersion: "kf.dev/v1alpha1", Kind: "TaskSchedule"},
		ObjectMeta: metav1.ObjectMeta{Name: "nightly-report", Namespace: "team-billing", UID: "8c9fd4a6-4c7e-4a11-9d5c-0d1c0a1f6b1e",
			Generation: 1, ResourceVersion: "123456", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)), Labels: v1alpha1.TaskScheduleLabels(false)}}
	j.Spec.Schedule, j.Spec.ConcurrencyPolicy, j.Spec.TimeZone = daily(now.Add(12*time.Hour)), v1alpha1.ConcurrencyAlways, "Etc/UTC"
	j.Spec.TaskTemplate.AppRef.Name, j.Spec.TaskTemplate.Command = "app", "bin/report --daily"
	yes := true
	plan, need := job.Sync(j, job.Facts{App: &yes}, now)
	if need != job.NeedNothing {
		t.Fatal(need)
	}
	j.Status = *plan.Status
	for k := range records {
		instant := metav1.NewTime(now.Add(-time.Duration(k) * 24 * time.Hour).Truncate(time.Minute))
		j.Status.History = append(j.Status.History, v1alpha1.Decision{
			Instant: instant, Outcome: v1alpha1.OutcomeRan, Task: j.TaskName(instant.Time), Result: v1alpha1.ReasonSucceeded})
	}
	at := metav1.NewTime(now)
	fields := func(text string) *metav1.FieldsV1 { return metav1.NewFieldsV1(text) }
	j.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kf", Operation: "Update", APIVersion: "kf.dev/v1alpha1", Time: &at, FieldsType: "FieldsV1", FieldsV1: fields(
			`{"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/component":{},"f:app.kubernetes.io/managed-by":{}}},"f:spec":{".":{},"f:concurrencyPolicy":{},"f:schedule":{},"f:suspend":{},"f:taskTemplate":{".":{},"f:appRef":{},"f:command":{}},"f:timeZone":{}}}`)},
		{Manager: "tick", Operation: "Update", APIVersion: "kf.dev/v1alpha1", Time: &at, FieldsType: "FieldsV1", Subresource: "status", FieldsV1: fields(
			`{"f:status":{".":{},"f:conditions":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"f:lastTransitionTime":{},"f:message":{},"f:reason":{},"f:status":{},"f:type":{}}},"f:decidedUntil":{},"f:jobUID":{},"f:nextScheduleTime":{},"f:observedGeneration":{},"f:scheduleHash":{},"f:specChangedAt":{}}}`)},
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
