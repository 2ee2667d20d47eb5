package pods

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// collector builds the real OpenTelemetry Collector (test/fixtures/collector) and returns what starts it on an address. It prints
// what it receives into the file.
func collector(t *testing.T) (start func(address string) (stop func()), printed string) {
	t.Helper()
	program, printed := filepath.Join(t.TempDir(), "collector"), filepath.Join(t.TempDir(), "printed")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join(harness.Root(), "test", "fixtures", "collector")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the collector: %v\n%s", err, out)
	}
	return func(address string) func() {
		out, err := os.OpenFile(printed, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program)
		cmd.Env = append(os.Environ(), "OTLP_ADDRESS="+address)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); out.Close() }
		t.Cleanup(stop)
		return stop
	}, printed
}

// TestTerminateOutwaitsACollectorThatIsDown: the Task is stopped at once; its lines wait for the collector, and all of
// them arrive when it is back.
func TestTerminateOutwaitsACollectorThatIsDown(t *testing.T) {
	start, printed := collector(t)
	w := newWriters(t)
	address := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	f := w.c.Function(t, "terminate", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+address)
	w.run("watched", "-lines 3001 -stay 10m -term 2s")
	w.wrote("watched", "line 0003001")
	e := harness.Updated("Task", w.terminated("watched"))
	done := make(chan struct{})
	go func() { defer close(done); f.Deliver(e) }()
	harness.Eventually(t, 3*time.Minute, func() error { // the process has ended, and nobody has taken its log
		if run, err := w.c.Tekton.PipelineRuns(w.ns).Get(ctx, "watched", metav1.GetOptions{}); err != nil || !run.IsDone() {
			return fmt.Errorf("the run goes on: %v", err)
		}
		return nil
	})
	if s := w.task("watched").Status.Termination; s == nil || s.Log != v1alpha1.LogDelivering {
		t.Errorf("while the collector is down: %+v", s)
	}
	start(address)
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("the log is not handed on after the collector is back")
	}
	task := w.wantLog("watched", v1alpha1.LogComplete)
	harness.Eventually(t, time.Minute, func() error {
		b, err := os.ReadFile(printed)
		if err != nil {
			return err
		}
		if n := bytes.Count(b, []byte("Body: Str(")); int64(n) != task.Status.Termination.Lines {
			return fmt.Errorf("the collector has %d lines, the Task wrote %d", n, task.Status.Termination.Lines)
		}
		return nil
	})
	b, err := os.ReadFile(printed)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3001; i++ {
		if n := strings.Count(string(b), fmt.Sprintf("Body: Str(line %07d", i)); n != 1 {
			t.Fatalf("the collector has line %d %d times", i, n)
		}
	}
	for _, want := range []string{"last words", "-> kf.task: Str(watched)", "-> k8s.namespace.name: Str(" + w.ns + ")"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the collector's records have no %q; one of them:\n%.1500s", want, b[max(0, len(b)-1500):])
		}
	}
}
