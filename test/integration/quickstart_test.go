package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// block is a program of docs/quickstart.md.
var block = regexp.MustCompile("(?ms)^```(sh|go|python|js)\n(.*?)^```$")

// consumers are how the programs are run, each from a file in a folder of its own.
var consumers = map[string]struct {
	file, needs string
	argv        []string
}{
	"sh":     {"consumer.sh", "curl", []string{"sh", "consumer.sh"}},
	"go":     {"main.go", "go", []string{"./consumer"}},
	"python": {"consumer.py", "python3", []string{"python3", "consumer.py"}},
	"js":     {"consumer.js", "node", []string{"node", "consumer.js"}},
}

// TestQuickStarts: each program of docs/quickstart.md, as it stands there, runs a Task by the function command, hears the facts that
// runtask and status tell of it, the Broker being played, and ends with the Task's exit code.
func TestQuickStarts(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWaited(t)
	w.App(t, w.ns, "billing")
	facts := harness.NewFacts(t)
	runtask, status := w.Function(t, "runtask", "K_SINK="+facts.URL), w.Function(t, "status", "K_SINK="+facts.URL)
	found := map[string]bool{}
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		language := m[1]
		found[language] = true
		t.Run(language, func(t *testing.T) {
			c := startConsumer(t, w, language, m[2])
			task := c.commanded(t, w)
			// The Broker: what a function tells goes to who listens; at least once, and in chunks or not.
			for i := range 2 {
				if fact := facts.Delivered(runtask, harness.Added("Task", task)); fact != nil {
					c.hears(t, *fact, i == 0)
					c.hears(t, *fact, i == 1)
				}
			}
			run, err := w.Tekton.PipelineRuns(w.ns).Get(ctx, task.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range life(t, w.Cluster, run, 3) {
				reach(t, w.Cluster, step)
				if fact := facts.Delivered(status, harness.Updated("PipelineRun", step)); fact != nil {
					c.hears(t, *fact, false)
				}
			}
			c.ends(t, language, task.Name)
		})
	}
	if len(found) != len(consumers) {
		t.Errorf("docs/quickstart.md has programs in %v", found)
	}
}

// consumer is a program that runs.
type consumer struct {
	url  string
	deaf bool // it waits, and listens to nothing
	out  *bytes.Buffer
	done chan error
}

func startConsumer(t *testing.T, w *waited, language, program string) *consumer {
	t.Helper()
	as := consumers[language]
	if _, err := exec.LookPath(as.needs); err != nil {
		t.Fatalf("%s is not installed, which this program needs: `make prepare` installs it", as.needs)
	}
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	for path, content := range map[string]string{filepath.Join(dir, as.file): program, token: w.token + "\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if language == "go" {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, "consumer"), filepath.Join(dir, as.file))
		build.Env = append(os.Environ(), harness.WithoutC)
		build.Dir = harness.Root()
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	port := harness.FreePort(t)
	c := &consumer{fmt.Sprintf("http://127.0.0.1:%d", port), language == "sh", &bytes.Buffer{}, make(chan error, 1)}
	cmd := exec.Command(as.argv[0], as.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, c.out, c.out
	cmd.Env = append(os.Environ(), "COMMAND="+w.command.URL, "WAIT="+w.wait.URL, "TOKEN_FILE="+token, "SPACE="+w.ns, fmt.Sprint("PORT=", port))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, if all went well
	return c
}

// commanded waits for the Task that the program has asked for.
func (c *consumer) commanded(t *testing.T, w *waited) (task *v1alpha1.Task) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		select {
		case err := <-c.done:
			t.Fatalf("it has ended: %v\n%s", err, c.out)
		default:
		}
		for _, made := range w.tasks() {
			if made.Status.CompletionTime == nil && made.Spec.Command == "bin/invoice 2026-11" {
				task = &made
				return nil
			}
		}
		return errors.New("there is no Task yet")
	})
	return task
}

// hears posts a fact to the program, as a Trigger does; in chunks, as a proxy may.
func (c *consumer) hears(t *testing.T, fact cloudevents.Event, chunks bool) {
	t.Helper()
	if c.deaf {
		return
	}
	harness.Eventually(t, time.Minute, func() error {
		r, err := cehttp.NewHTTPRequestFromEvent(t.Context(), c.url, fact)
		if err != nil {
			t.Fatal(err)
		}
		if chunks {
			r.ContentLength, r.Body, r.GetBody = -1, io.NopCloser(bytes.NewReader(fact.Data())), nil
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode/100 != 2 {
			return fmt.Errorf("answered %s", answer.Status)
		}
		return nil
	})
}

// ends waits for the program, which is to have printed each fact once and to end with the Task's exit code.
func (c *consumer) ends(t *testing.T, language, task string) {
	t.Helper()
	select {
	case err := <-c.done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 3 {
			t.Errorf("it ended with %v, want the Task's exit code 3\n%s", err, c.out)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	want := fmt.Sprintf("accepted %[1]s\n%[2]s %[1]s\n%[3]s %[1]s\n%[4]s %[1]s\n", task, events.TaskCreated, events.TaskStarted, events.TaskFailed)
	if language != "sh" && c.out.String() != want || language == "sh" && !strings.Contains(c.out.String(), `"exitCode":3`) {
		t.Errorf("it printed\n%s\nwant\n%s", c.out, want)
	}
}
