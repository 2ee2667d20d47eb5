package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Function is a function's process.
type Function struct {
	// Proxy stands between the function and the API server.
	Proxy *Proxy
	// URL is where it takes events.
	URL string

	t    testing.TB
	name string
	bin  string
	env  []string
	log  *os.File

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

// Function starts a function with its own account's rights; env are settings of its own, as NAME=value.
func (c *Cluster) Function(t testing.TB, name string, env ...string) *Function {
	t.Helper()
	f := &Function{t: t, name: name, bin: binary(t, name)}
	f.Proxy = newProxy(t, c.Config)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, f.Proxy.URL, c.account(t, name)), 0o600); err != nil {
		t.Fatal(err)
	}
	port := FreePort(t)
	f.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	f.env = append(append(os.Environ(), fmt.Sprintf("PORT=%d", port), "KUBECONFIG="+kubeconfig, "K_SINK="), env...)
	var err error
	if f.log, err = os.Create(filepath.Join(t.TempDir(), name+".log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		if t.Failed() {
			b, _ := os.ReadFile(f.log.Name())
			t.Logf("log of %s:\n%s", name, tail(b, 8<<10))
		}
	})
	f.Start()
	return f
}

// Start starts the process, again after a Kill, and waits until it is ready.
func (f *Function) Start() {
	f.t.Helper()
	f.mu.Lock()
	f.cmd = exec.Command(f.bin)
	f.cmd.Env, f.cmd.Stdout, f.cmd.Stderr = f.env, f.log, f.log
	if err := f.cmd.Start(); err != nil {
		f.mu.Unlock()
		f.t.Fatal(err)
	}
	cmd, done := f.cmd, make(chan struct{})
	f.done = done
	f.mu.Unlock()
	go func() { cmd.Wait(); close(done) }()
	Eventually(f.t, 30*time.Second, func() error {
		resp, err := http.Get(f.URL + "/healthz")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: /healthz answers %d", f.name, resp.StatusCode)
		}
		return nil
	})
}

// PeakMemory is the most that the process has had resident, in bytes.
func (f *Function) PeakMemory() int64 {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.cmd.Process.Pid))
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

// Kill ends the process as a crash does. It may be called from a proxy's hook, and twice.
func (f *Function) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cmd != nil && f.cmd.Process != nil {
		f.cmd.Process.Kill()
		<-f.done
	}
}

// Send delivers an event once and returns the HTTP status, 0 when there was no answer, and the reply.
func (f *Function) Send(e cloudevents.Event) (int, *cloudevents.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	req, err := cehttp.NewHTTPRequestFromEvent(ctx, f.URL, e)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	reply, err := cehttp.NewEventFromHTTPResponse(resp)
	if err != nil {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, reply
}

// Deliver sends an event as a Broker does: again, with backoff, while the answer says that it may help.
func (f *Function) Deliver(e cloudevents.Event) *cloudevents.Event {
	f.t.Helper()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		status, reply := f.Send(e)
		switch {
		case status >= 200 && status < 300:
			return reply
		case status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusNotFound && status != http.StatusConflict:
			f.t.Fatalf("%s refused %s: %d", f.name, e.Type(), status)
		case wait > 20*time.Second:
			f.t.Fatalf("%s did not take %s: %d", f.name, e.Type(), status)
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

// binary builds a function, once for each test program: with the race detector, unless HARNESS_RACE=0 says that
// something is measured.
func binary(t testing.TB, name string) string {
	t.Helper()
	buildMu.Lock()
	defer buildMu.Unlock()
	if bin, ok := built[name]; ok {
		return bin
	}
	dir, err := os.MkdirTemp("", "kf-tasks-test-")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-race="+strconv.FormatBool(os.Getenv("HARNESS_RACE") != "0"), "-o", bin, "./functions/"+name)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	built[name] = bin
	return bin
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
