package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Function is a function's process. A test fails when a process of its own ends unasked, has a data race or panics,
// whether or not anything in it recovers.
type Function struct {
	// Proxy stands between the function and the API server.
	Proxy *Proxy
	// URL is where it takes events.
	URL string
	// Token is the bearer token that events are sent with; "" for none.
	Token string

	t    testing.TB
	name string
	bin  string
	env  []string
	log  *os.File

	mu  sync.Mutex
	run *run
}

// run is one life of a process.
type run struct {
	cmd   *exec.Cmd
	ready time.Duration // from its start until it answered
	asked bool          // its end was asked for
	done  chan struct{} // it has ended
}

// Function starts a function with its own account's rights; env are settings of its own, as NAME=value.
func (c *Cluster) Function(t testing.TB, name string, env ...string) *Function {
	t.Helper()
	proxy := newProxy(t, c.Config)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	writeKubeconfig(t, kubeconfig, proxy.URL, c.account(t, name))
	f := process(t, name, Root(), "./functions/"+name, append([]string{"KUBECONFIG=" + kubeconfig, "K_SINK="}, env...)...)
	f.Proxy = proxy
	f.Start()
	return f
}

// Shipped starts a function as it is shipped, to be measured: without the race detector, and with nothing between it and
// the API server. It has no Proxy.
func (c *Cluster) Shipped(t testing.TB, name string, env ...string) *Function {
	t.Helper()
	return Shipped(t, c.kubeconfig, name, env...)
}

// Shipped starts a function as it is shipped, against the API server that a kubeconfig names.
func Shipped(t testing.TB, kubeconfig, name string, env ...string) *Function {
	t.Helper()
	t.Setenv("HARNESS_RACE", "0")
	f := process(t, name, Root(), "./functions/"+name, append([]string{"KUBECONFIG=" + kubeconfig, "K_SINK="}, env...)...)
	f.Start()
	return f
}

// Of starts a function of another tree, such as that of the version before, with all rights.
func (c *Cluster) Of(t testing.TB, tree, name string, env ...string) *Function {
	t.Helper()
	f := process(t, name, tree, "./functions/"+name, append([]string{"KUBECONFIG=" + c.kubeconfig, "K_SINK="}, env...)...)
	f.Proxy = &Proxy{} // which nothing goes through
	f.Start()
	return f
}

// process is a program of a tree that is yet to be started, and ends with the test.
func process(t testing.TB, name, tree, program string, env ...string) *Function {
	t.Helper()
	f := &Function{t: t, name: name, bin: binary(t, tree, program)}
	port := FreePort(t)
	f.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	f.env = append(os.Environ(), fmt.Sprintf("PORT=%d", port), fmt.Sprintf("GORACE=halt_on_error=1 exitcode=%d", raceFound))
	f.env = append(f.env, env...)
	var err error
	if f.log, err = os.Create(filepath.Join(t.TempDir(), name+".log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		b, err := f.Printed()
		if err != nil {
			t.Error(err)
		}
		for line := range bytes.Lines(b) {
			if bytes.Contains(line, []byte("DATA RACE")) || bytes.Contains(line, []byte("panic")) {
				t.Errorf("%s: %s", name, line)
				break
			}
		}
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, tail(b, 8<<10))
		}
	})
	return f
}

// raceFound is what a process exits with that has found a data race in itself.
const raceFound = 66

// Start starts the process, again after a Kill or Terminate, and waits until it is ready.
func (f *Function) Start() {
	f.t.Helper()
	r := &run{cmd: exec.Command(f.bin), done: make(chan struct{})}
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = f.env, f.log, f.log
	began := time.Now()
	f.mu.Lock()
	if err := r.cmd.Start(); err != nil {
		f.mu.Unlock()
		f.t.Fatal(err)
	}
	f.run = r
	f.mu.Unlock()
	go func() {
		defer close(r.done)
		err := r.cmd.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if !r.asked {
			f.t.Errorf("%s ended unasked: %s", f.name, ending(err))
		}
	}()
	every(f.t, 2*time.Millisecond, 30*time.Second, func() error {
		resp, err := http.Get(f.URL + "/healthz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: /healthz answers %d", f.name, resp.StatusCode)
		}
		r.ready = time.Since(began)
		return nil
	})
}

// Ready is how long the process took from its start until it answered.
func (f *Function) Ready() time.Duration { return f.run.ready }

func ending(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "exit status 0"
	case errors.As(err, &exit) && exit.ExitCode() == raceFound:
		return "a data race"
	}
	return err.Error()
}

// ask says that the process is to end. It returns nil if there is none.
func (f *Function) ask() *run {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.run == nil {
		return nil
	}
	select {
	case <-f.run.done:
		return nil
	default:
	}
	f.run.asked = true
	return f.run
}

// Kill ends the process as a crash does. It may be called from a proxy's hook, and twice.
func (f *Function) Kill() {
	if r := f.ask(); r != nil {
		_ = r.cmd.Process.Kill() // it may have ended this moment
		<-r.done
	}
}

// Terminate ends the process as Kubernetes does when it takes a Pod away: SIGTERM, and time to finish. The test fails if
// it needs more than the limit or says that it failed.
func (f *Function) Terminate(limit time.Duration) {
	f.t.Helper()
	r := f.ask()
	if r == nil {
		f.t.Errorf("%s is to be terminated and does not run", f.name)
		return
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Errorf("%s: %v", f.name, err)
	}
	select {
	case <-r.done:
	case <-time.After(limit):
		_ = r.cmd.Process.Kill()
		<-r.done
		f.t.Errorf("%s had not ended %s after SIGTERM", f.name, limit)
		return
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		f.t.Errorf("%s answered SIGTERM with exit status %d", f.name, code)
	}
}

// Printed is what the process has written to its standard output and error, in all its lives.
func (f *Function) Printed() ([]byte, error) { return os.ReadFile(f.log.Name()) }

// PeakMemory is the most that the process has had resident, in bytes.
func (f *Function) PeakMemory() int64 {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.run.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		f.t.Fatalf("no VmHWM in %s", b)
	}
	return kb << 10
}

// CPU is the processor time that the process has used.
func (f *Function) CPU() time.Duration {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.run.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:])) // proc(5): from the third on
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// Send delivers an event once and returns the HTTP status, 0 when there was no answer, and the reply.
func (f *Function) Send(e cloudevents.Event) (int, *cloudevents.Event) {
	status, reply, _ := f.send(e)
	return status, reply
}

func (f *Function) send(e cloudevents.Event) (status int, reply *cloudevents.Event, said string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	req, err := cehttp.NewHTTPRequestFromEvent(ctx, f.URL, e)
	if err != nil {
		f.t.Errorf("%s: %v", f.name, err)
		return 0, nil, err.Error()
	}
	if f.Token != "" {
		req.Header.Set("Authorization", "Bearer "+f.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, nil, string(b)
	}
	if reply, err = cehttp.NewEventFromHTTPResponse(resp); err != nil {
		reply = nil // an answer without one
	}
	return resp.StatusCode, reply, ""
}

// Ask sends an event once with such an Authorization header, or several, and returns the status and what was said.
func (f *Function) Ask(e cloudevents.Event, authorization ...string) (int, string) {
	f.t.Helper()
	req, err := cehttp.NewHTTPRequestFromEvent(context.Background(), f.URL, e)
	if err != nil {
		f.t.Fatal(err)
	}
	if len(authorization) > 0 {
		req.Header["Authorization"] = authorization
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(said)
}

// Deliver sends an event as a Broker does. While faults are injected, that is again, with backoff, as long as the answer
// says that it may help; without any, the first answer is to be success.
func (f *Function) Deliver(e cloudevents.Event) *cloudevents.Event {
	f.t.Helper()
	return f.deliver(e, f.Proxy.faulty)
}

// Redeliver is Deliver where the first answer may rightly be that it is to be sent again: another instance is at it,
// somebody is yet to do something, or this process is yet to come up.
func (f *Function) Redeliver(e cloudevents.Event) *cloudevents.Event {
	f.t.Helper()
	return f.deliver(e, func() bool { return true })
}

func (f *Function) deliver(e cloudevents.Event, mayFail func() bool) *cloudevents.Event {
	f.t.Helper()
	const tries, longest = 240, 250 * time.Millisecond // where each of ten requests fails once, a longer wait is most of the test
	for try, wait := 1, 50*time.Millisecond; ; try, wait = try+1, min(2*wait, longest) {
		forgiven := mayFail()
		status, reply, said := f.send(e)
		switch {
		case status >= 200 && status < 300:
			return reply
		case status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusNotFound && status != http.StatusConflict:
			f.t.Errorf("%s refused %s: %d %s", f.name, e.Type(), status, said)
			return nil
		case !forgiven:
			f.t.Errorf("%s did not take %s, though nothing was made to fail: %d %s", f.name, e.Type(), status, said)
			return nil
		case try == tries:
			f.t.Errorf("%s did not take %s: %d %s", f.name, e.Type(), status, said)
			return nil
		}
		time.Sleep(wait)
	}
}

// Added, Updated and Deleted are the events that an ApiServerSource in Resource mode sends about an object.
func Added(kind string, obj metav1.Object) cloudevents.Event {
	return resource(events.ResourceAdded, kind, obj)
}
func Updated(kind string, obj metav1.Object) cloudevents.Event {
	return resource(events.ResourceUpdated, kind, obj)
}
func Deleted(kind string, obj metav1.Object) cloudevents.Event {
	return resource(events.ResourceDeleted, kind, obj)
}

func resource(eventType, kind string, obj metav1.Object) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource("https://kubernetes.default.svc")
	e.SetID(fmt.Sprintf("%d", time.Now().UnixNano())) // random for each send, as the source's is
	e.SetExtension("kind", kind)
	e.SetExtension("name", obj.GetName())
	e.SetExtension("namespace", obj.GetNamespace())
	b, err := json.Marshal(obj)
	if err != nil {
		panic(err)
	}
	e.SetData(cloudevents.ApplicationJSON, b)
	return e
}

// Ping is what the PingSource of that name sends.
func Ping(source string) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetType(events.Ping)
	e.SetSource("/apis/v1/namespaces/kf-tasks/pingsources/" + source)
	e.SetID(fmt.Sprintf("%d", time.Now().UnixNano()))
	return e
}

var (
	buildMu sync.Mutex
	built   = map[string]string{}
)

// binary builds a program of a tree, once for each test program: with the race detector, unless HARNESS_RACE=0 says that
// something is measured. Ours stay in bin/, where go links anew only what has changed: tests and benchmarks are many programs.
func binary(t testing.TB, tree, program string) string {
	t.Helper()
	buildMu.Lock()
	defer buildMu.Unlock()
	how, dir := []string{"build", "-race", "-ldflags=-s -w"}, filepath.Join(Root(), "bin", "race") // -w: debuggers' data is half of linking
	if os.Getenv("HARNESS_RACE") == "0" {
		how, dir = []string{"build"}, filepath.Join(Root(), "bin")
	}
	key := tree + program + dir
	if bin, ok := built[key]; ok {
		return bin
	}
	if tree != Root() {
		var err error
		if dir, err = os.MkdirTemp("", "kf-tasks-test-"); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, filepath.Base(program))
	cmd := exec.Command("go", append(how, "-o", bin, program)...)
	cmd.Dir = tree
	if slices.Contains(how, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // the detector's runtime is in C
	}
	defer lock(t, dir)()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	built[key] = bin
	return bin
}

// lock keeps other test programs out of a folder.
func lock(t testing.TB, dir string) (unlock func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

func tokenRequest() *authv1.TokenRequest {
	hour := int64(3600)
	return &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &hour}}
}

// FreePort is a port of the loopback that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		b = b[len(b)-n:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return b
}
