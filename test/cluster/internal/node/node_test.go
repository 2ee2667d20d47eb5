package node

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kf-tasks/kf-tasks/test/cluster/internal/plan"
)

// The supervisor is tried without its namespaces: they need root, and the cluster's own tests show them.
var supervise = sync.OnceValue(func() *Supervisor {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	s := &Supervisor{plan: plan.Plan{Dir: dir}, parts: map[string]*process{}, wait: map[int]chan string{}}
	if err := os.Mkdir(s.plan.Path("logs"), 0o755); err != nil {
		panic(err)
	}
	children := make(chan os.Signal, 64)
	signal.Notify(children, syscall.SIGCHLD)
	go s.reap(children)
	return s
})

func state(s *Supervisor, name string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[name].state
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestAPartThatDiesIsStartedAgain(t *testing.T) {
	s := supervise()
	s.start(Part{Name: "dies", Argv: []string{"sleep", "1000"}})
	until(t, "running", func() bool { return state(s, "dies").PID != 0 })
	first := state(s, "dies").PID
	s.start(Part{Name: "dies", Argv: []string{"sleep", "1000"}})
	if state(s, "dies").PID != first {
		t.Error("a second start began a second process")
	}
	if err := s.kill("dies"); err != nil {
		t.Fatal(err)
	}
	until(t, "running again", func() bool { pid := state(s, "dies").PID; return pid != 0 && pid != first })
	if got := state(s, "dies"); got.Restarts != 1 || got.Exit != "killed by killed" {
		t.Errorf("%+v", got)
	}
	second := state(s, "dies").PID
	s.stop("dies")
	if err := syscall.Kill(second, 0); err == nil {
		t.Error("it runs after it was stopped")
	}
	if err := s.kill("dies"); err == nil {
		t.Error("what is stopped was killed")
	}
	time.Sleep(restartDelay + 200*time.Millisecond) // it would have been started again by then
	if got := state(s, "dies"); got.PID != 0 || got.Exit != "stopped" {
		t.Errorf("stopped: %+v", got)
	}
	s.start(Part{Name: "dies", Argv: []string{"sleep", "1000"}})
	until(t, "started after a stop", func() bool { return state(s, "dies").PID != 0 })
	s.stop("dies")
}

func TestAPartThatCantRunSaysWhy(t *testing.T) {
	s := supervise()
	s.start(Part{Name: "absent", Argv: []string{"/no/such/program"}})
	s.start(Part{Name: "fails", Argv: []string{"sh", "-c", "echo what is wrong; exit 3"}})
	defer s.stop("absent")
	defer s.stop("fails")
	until(t, "both have failed", func() bool { return state(s, "absent").Exit != "" && state(s, "fails").Exit != "" })
	if got := state(s, "absent").Exit; !strings.Contains(got, "/no/such/program") {
		t.Error(got)
	}
	if got := state(s, "fails").Exit; got != "exit code 3" {
		t.Error(got)
	}
	if log, err := os.ReadFile(s.plan.Log("fails")); err != nil || !strings.Contains(string(log), "what is wrong") {
		t.Errorf("log %q %v", log, err)
	}
}

func TestRequests(t *testing.T) {
	s := supervise()
	server := httptest.NewServer(s.routes())
	defer server.Close()
	do := func(method, path, body string) int {
		r, _ := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/parts", `{"name":"r","argv":["sleep","1000"]}`, 200},
		{"POST", "/parts", `{"name":"r"}`, 400},
		{"POST", "/parts", `{`, 400},
		{"POST", "/parts/nobody/start", "", 404},
		{"POST", "/parts/nobody/kill", "", 409},
		{"DELETE", "/parts/nobody", "", 200},
		{"DELETE", "/parts/r", "", 200},
		{"GET", "/parts", "", 200},
	} {
		if got := do(c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.want)
		}
	}
}

// TestAPidOfAnotherProcessIsNotOurs: only processes that we started are ever ended.
func TestAPidOfAnotherProcessIsNotOurs(t *testing.T) {
	p := plan.Plan{Dir: t.TempDir()}
	if PID(p) != 0 {
		t.Error("a cluster without a file")
	}
	// A name with blanks and a parenthesis must not shift the fields of /proc/PID/stat.
	odd := t.TempDir() + "/a) b"
	// Copied by hand: the supervisor of the tests above reaps every child, so exec.Cmd may find that its own is gone.
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(odd, sleep, 0o755); err != nil {
		t.Fatal(err)
	}
	proc, err := os.StartProcess(odd, []string{odd, "1000"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Kill()
	if err := WritePID(p, proc.Pid); err != nil {
		t.Fatal(err)
	}
	if got := PID(p); got != proc.Pid {
		t.Errorf("our own process: %d, want %d", got, proc.Pid)
	}
	if startTime(proc.Pid) == startTime(1) || startTime(proc.Pid) == "" {
		t.Errorf("start time %q", startTime(proc.Pid))
	}
	if err := os.WriteFile(p.Path("node.pid"), []byte(`{"pid":1,"started":"`+startTime(proc.Pid)+`"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := PID(p); got != 0 {
		t.Errorf("another process with another start time is taken for ours: %d", got)
	}
}
