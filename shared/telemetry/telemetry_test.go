package telemetry

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// spans is a collector that takes OTLP over HTTP, as OpenTelemetry's own does.
func spans(t *testing.T) (address string, received func() []*trace.Span) {
	var mu sync.Mutex
	var all []*trace.Span
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, rs := range in.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				all = append(all, ss.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1/traces", func() []*trace.Span { mu.Lock(); defer mu.Unlock(); return slices.Clone(all) }
}

// TestOneTraceFromACommandToTheEnd: a command that belongs to no trace begins one, and the hints about its Task and its PipelineRun are
// found there by what those say of themselves.
func TestOneTraceFromACommandToTheEnd(t *testing.T) {
	address, received := spans(t)
	stop, err := Start(t.Context(), "test", Settings{MetricsProtocol: "none", TracingProtocol: "http/protobuf", TracingEndpoint: address, TracingRate: 1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	process := func(e cloudevents.Event, err error) cloudevents.Event {
		_, end := Process(t.Context(), &e, now)
		end("done", err, now.Add(time.Second))
		return e
	}
	command := cloudevents.NewEvent()
	command.SetType("dev.kf.task.run.v1")
	command.SetSource("/me")
	command.SetID("1")
	command = process(command, nil)
	of, _ := command.Extensions()[traceParent].(string)
	if of == "" {
		t.Fatal("a command begins no trace")
	}
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "migrate", Annotations: map[string]string{v1alpha1.TraceParentAnnotation: of}}}
	task.Status.StartTime, task.Status.CompletionTime = &metav1.Time{Time: now}, &metav1.Time{Time: now.Add(time.Minute)}
	run := map[string]any{"metadata": map[string]any{"annotations": map[string]any{TektonSpanContext: `{"traceparent": "` + of + `"}`}}}
	for _, object := range []any{task, run} {
		hint := cloudevents.NewEvent()
		hint.SetType("dev.knative.apiserver.resource.update")
		hint.SetSource("/api")
		hint.SetID("2")
		_ = hint.SetData(cloudevents.ApplicationJSON, object)
		process(hint, errors.New("not yet"))
	}
	Ran(t.Context(), task)
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	traces, names := map[string]bool{}, []string{}
	for _, s := range received() {
		traces[string(s.TraceId)] = true
		names = append(names, s.Name)
	}
	slices.Sort(names)
	want := []string{"process dev.kf.task.run.v1", "process dev.knative.apiserver.resource.update", "process dev.knative.apiserver.resource.update", "task /migrate"}
	if len(traces) != 1 || !slices.Equal(names, want) {
		t.Errorf("%d traces of %v, want one of %v", len(traces), names, want)
	}
}

// TestOffItChangesNothing: an event that belongs to no trace stays as it is.
func TestOffItChangesNothing(t *testing.T) {
	stop, err := Start(t.Context(), "test", Settings{MetricsProtocol: "none", TracingProtocol: "none"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(t.Context()) }()
	e := cloudevents.NewEvent()
	e.SetType("dev.kf.task.run.v1")
	_, end := Process(t.Context(), &e, time.Now())
	end("done", nil, time.Now())
	task := &v1alpha1.Task{}
	Mark(t.Context(), task)
	if e.Extensions()[traceParent] != nil || task.Annotations != nil {
		t.Errorf("%v %v", e.Extensions(), task.Annotations)
	}
}

func TestWrongSettingsAreSaid(t *testing.T) {
	for want, s := range map[string]Settings{
		"METRICS_PROTOCOL": {MetricsProtocol: "statsd", TracingProtocol: "none"},
		"TRACING_PROTOCOL": {MetricsProtocol: "none", TracingProtocol: "http/protobuf"},
	} {
		if _, err := Start(t.Context(), "test", s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to name %s", err, want)
		}
	}
}

// TestTheDocsHaveEveryMetric, each with what it is called in Prometheus.
func TestTheDocsHaveEveryMetric(t *testing.T) {
	docs, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(source)) {
		for _, kind := range []string{"counter(\"", "gauge(\"", "histogram(\""} {
			if _, rest, is := strings.Cut(line, "= "+kind); is {
				name, _, _ := strings.Cut(rest, `"`)
				found++
				if !strings.Contains(string(docs), "`"+name+"`") {
					t.Errorf("docs/operate.md lacks %s", name)
				}
			}
		}
	}
	if found != 13 {
		t.Errorf("%d metrics found, want 13: mend this test", found)
	}
}
