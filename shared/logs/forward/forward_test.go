package forward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

var (
	origin = sink.Origin{Space: "s", App: "a", Task: "t", ID: 7, Pod: "p", Container: "c"}
	base   = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
)

func write(t *testing.T, s sink.Stream, from, to int) {
	t.Helper()
	buf := make([]byte, 0, 64)
	for i := from; i < to; i++ {
		buf = fmt.Appendf(buf[:0], "line %d", i) // the same array each time: a stream must not keep it
		if err := s.Write(t.Context(), sink.Record{Time: base.Add(time.Duration(i)), Text: buf, Seq: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJSONIsOneSafeObjectPerLine(t *testing.T) {
	var out bytes.Buffer
	s := JSON(&out).Open(origin)
	s.Write(t.Context(), sink.Record{Time: base, Text: []byte("\x1b[31m\"x\"\u009b\x9b\t"), Seq: 1, More: true, MaybeDouble: true})
	if us := s.Flush(t.Context()); us != nil {
		t.Error(us)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"time": "2026-07-01T12:00:00Z", "severity": "INFO", "logger": "task", "message": "\x1b[31m\"x\"\u009b\uFFFD\t",
		"space": "s", "app": "a", "task": "t", "id": 7.0, "pod": "p", "container": "c", "stream": "All", "seq": 1.0, "partial": true, "maybeDouble": true}
	if fmt.Sprint(got) != fmt.Sprint(want) || strings.ContainsAny(strings.TrimSpace(out.String()), "\x1b\n") {
		t.Errorf("got  %q\nwant %v", out.String(), want)
	}
}

func TestOTLPCarriesWhereALineIsFrom(t *testing.T) {
	var got collogs.ExportLogsServiceRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if err := proto.Unmarshal(b, &got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	collector, err := OTLP(t.Context(), patient)
	if err != nil {
		t.Fatal(err)
	}
	s := collector.Open(origin)
	write(t, s, 1, 3)
	if us := s.Flush(t.Context()); us != nil {
		t.Fatal(us)
	}
	s.Close()
	text := got.String()
	for _, want := range []string{"k8s.namespace.name", "kf.task.id", "line 2", "k8s.pod.name"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}
