package monitoring

import (
	"cmp"
	"encoding/hex"
	"flag"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

var update = flag.Bool("update", false, "draw docs/img/trace.svg again, of this run")

// span is one of a function's.
type span struct {
	*trace.Span
	function string
}

// spans is a collector that takes OTLP over HTTP, as OpenTelemetry's own does.
type spans struct {
	mu  sync.Mutex
	all []span
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var in collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range in.ResourceSpans {
		function := ""
		for _, a := range rs.Resource.GetAttributes() {
			if a.Key == "service.name" {
				function = a.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, one := range ss.Spans {
				s.all = append(s.all, span{one, function})
			}
		}
	}
}

// TestTheStepsOfATaskAreOneTrace: a command, its Task, its run and its end are seen in one trace, by what three functions, each a process of
// its own, tell a collector. With -update it is the picture of docs/operate.md.
func TestTheStepsOfATaskAreOneTrace(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "trace")
	c.App(t, ns, "shop")
	c.TakeCommandsFromAnyone(t, ns)
	got := &spans{}
	server := httptest.NewServer(got)
	defer server.Close()
	sink := harness.NewFacts(t)
	f := map[string]*harness.Function{}
	for _, name := range []string{"command", "runtask", "status"} {
		f[name] = c.Function(t, name, "K_SINK="+sink.URL, "TRACING_PROTOCOL=http/protobuf", "TRACING_ENDPOINT="+server.URL+"/v1/traces", "TRACING_SAMPLING_RATE=1",
			"OTEL_BSP_SCHEDULE_DELAY=100")
	}
	command := cloudevents.NewEvent()
	command.SetType(events.TaskRun)
	command.SetSource("/billing")
	command.SetID("2026-11")
	_ = command.SetData(cloudevents.ApplicationJSON, map[string]string{"namespace": ns, "app": "shop", "command": "bin/invoice"})
	f["command"].Deliver(command)
	list, err := c.Kf.Tasks(ns).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d Tasks of the command: %v", len(list.Items), err)
	}
	task := &list.Items[0]
	f["runtask"].Deliver(harness.Added("Task", task))
	for _, is := range []string{`"status":"Unknown","reason":"Running"`, `"status":"True","reason":"Succeeded"`} {
		at := time.Now().UTC()
		r, err := c.Tekton.PipelineRuns(ns).Patch(ctx, task.Name, types.MergePatchType, fmt.Appendf(nil,
			`{"status":{"startTime":%q,"conditions":[{"type":"Succeeded",%s,"message":"","lastTransitionTime":%q}]}}`,
			task.CreationTimestamp.UTC().Format(time.RFC3339), is, at.Format(time.RFC3339)), metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // it runs: a Task's times are whole seconds
		if strings.Contains(is, "True") {
			r, err = c.Tekton.PipelineRuns(ns).Patch(ctx, task.Name, types.MergePatchType, fmt.Appendf(nil,
				`{"status":{"completionTime":%q}}`, time.Now().UTC().Format(time.RFC3339)), metav1.PatchOptions{}, "status")
			if err != nil {
				t.Fatal(err)
			}
		}
		f["status"].Deliver(harness.Updated("PipelineRun", r))
	}
	want := []string{"command process dev.kf.task.run.v1", "runtask process dev.knative.apiserver.resource.add",
		"status process dev.knative.apiserver.resource.update", "status task " + ns + "/" + task.Name}
	var of []span
	harness.Eventually(t, 30*time.Second, func() error {
		of = got.of("process " + events.TaskRun)
		var names []string
		for _, s := range of {
			names = append(names, s.function+" "+s.Name)
		}
		for _, name := range want {
			if !slices.Contains(names, name) {
				return fmt.Errorf("the trace has %q, want %q among them", names, name)
			}
		}
		return nil
	})
	got.mu.Lock()
	for _, s := range got.all { // nothing of this Task is elsewhere
		if string(s.TraceId) != string(of[0].TraceId) && strings.Contains(s.Name, task.Name) {
			t.Errorf("%s %s is in another trace", s.function, s.Name)
		}
	}
	got.mu.Unlock()
	svg := draw(of, ns+"/"+task.Name)
	if *update {
		if err := os.WriteFile(filepath.Join(harness.Root(), "docs", "img", "trace.svg"), []byte(svg), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// of is the trace that has a span of that name, oldest first.
func (s *spans) of(name string) (found []span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.Name == name {
			for _, other := range s.all {
				if string(other.TraceId) == string(one.TraceId) {
					found = append(found, other)
				}
			}
			break
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	return found
}

// draw is a waterfall of the spans: one row each, from when it began to when it ended, below the one that it came of.
func draw(of []span, task string) string {
	const left, width, row = 300, 560, 26
	from, to := of[0].StartTimeUnixNano, uint64(0)
	for _, s := range of {
		from, to = min(from, s.StartTimeUnixNano), max(to, s.EndTimeUnixNano)
	}
	x := func(at uint64) float64 { return left + float64(at-from)/float64(to-from)*width }
	height := 60 + row*len(of)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 %d" font-family="sans-serif" font-size="12">`+"\n", height)
	fmt.Fprintf(&b, `<title>The trace of one Task: %d spans of %s, from its command to its end</title>`+"\n", len(of), time.Duration(to-from).Round(time.Millisecond))
	fmt.Fprintf(&b, `<rect width="960" height="%d" fill="#fff"/>`+"\n", height)
	fmt.Fprintf(&b, `<text x="12" y="22" font-weight="bold" fill="#222">trace %s</text>`+"\n", hex.EncodeToString(of[0].TraceId))
	for i := 0; i <= 4; i++ {
		at := left + width*i/4
		fmt.Fprintf(&b, `<path d="M%d 34V%d" stroke="#ddd"/><text x="%d" y="30" text-anchor="middle" fill="#666">%s</text>`+"\n", at, height-10, at,
			(time.Duration(to-from) * time.Duration(i) / 4).Round(10*time.Millisecond))
	}
	colours := map[string]string{"command": "#8250df", "runtask": "#1f6feb", "status": "#1a7f37"}
	for i, s := range of {
		y := 42 + row*i
		name := strings.ReplaceAll(strings.TrimPrefix(s.Name, "process dev.knative.apiserver."), task, "SPACE/TASK")
		colour := cmp.Or(colours[s.function], "#57606a")
		if strings.HasPrefix(s.Name, "task ") {
			colour = "#bf8700"
		}
		fmt.Fprintf(&b, `<text x="12" y="%d" fill="#222"><tspan font-weight="bold">%s</tspan> %s</text>`+"\n", y+14, html.EscapeString(s.function),
			html.EscapeString(strings.TrimPrefix(name, "process ")))
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="16" rx="2" fill="%s"/>`+"\n", x(s.StartTimeUnixNano), y+2,
			max(x(s.EndTimeUnixNano)-x(s.StartTimeUnixNano), 2), colour)
		took := time.Duration(s.EndTimeUnixNano - s.StartTimeUnixNano)
		at, anchor := x(s.EndTimeUnixNano)+6, "start"
		if at > 900 {
			at, anchor = x(s.StartTimeUnixNano)-6, "end"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s" fill="#666">%s</text>`+"\n", at, y+14, anchor, took.Round(time.Millisecond))
	}
	return b.String() + "</svg>\n"
}
