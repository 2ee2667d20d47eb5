package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// serve starts a receiver and returns its address, and what stops it and waits until it has.
func serve(t *testing.T, handle Handler) (address string, stop func()) {
	t.Helper()
	return start(t, func(ctx context.Context, env Env) { Serve(ctx, env, handle) })
}

// start runs a server on a free port until it is stopped.
func start(t *testing.T, serve func(context.Context, Env)) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); serve(ctx, Env{Port: port, MaxBody: 1 << 20}) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	address = fmt.Sprintf("http://127.0.0.1:%d", port)
	for began := time.Now(); ; {
		if r, err := http.Get(address + "/healthz"); err == nil {
			r.Body.Close()
			if r.StatusCode != http.StatusOK {
				t.Fatalf("health: %s", r.Status)
			}
			return address, stop
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("the receiver does not come up")
		}
	}
}

func post(t *testing.T, address, id string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Type": "t", "Ce-Source": "/s", "Ce-Id": id, "Content-Type": "application/json",
	} {
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	return answer, string(b)
}

// TestOutcomes is the table of docs/operate.md: what an outcome becomes for the sender.
func TestOutcomes(t *testing.T) {
	gr := schema.GroupResource{Resource: "tasks"}
	outcomes := map[string]struct {
		err  error
		want int
	}{
		"done":                          {nil, 200},
		"bad-event":                     {Permanent(errors.New("bad")), 422},
		"bad-event-with-its-object":     {fmt.Errorf("Task a/b: %w", Permanent(errors.New("bad"))), 422},
		"unknown":                       {Unauthenticated(errors.New("who?")), 401},
		"not-allowed":                   {fmt.Errorf("Task a/b: %w", Forbidden(errors.New("may not"))), 403},
		"conflict":                      {apierrors.NewConflict(gr, "x", errors.New("y")), 503},
		"too-many":                      {apierrors.NewTooManyRequestsError("z"), 503},
		"forbidden-until-it-is-granted": {apierrors.NewForbidden(gr, "x", errors.New("y")), 503},
		"network":                       {io.ErrUnexpectedEOF, 503},
		"deadline":                      {context.DeadlineExceeded, 503},
	}
	address, _ := serve(t, func(_ context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		return nil, outcomes[e.ID()].err
	})
	for id, o := range outcomes {
		r, body := post(t, address, id)
		if r.StatusCode != o.want {
			t.Errorf("%s: %s, want %d", id, r.Status, o.want)
		}
		if wait := r.Header.Get("Retry-After"); (wait != "") != (o.want == 503) {
			t.Errorf("%s: Retry-After %q with %s", id, wait, r.Status)
		}
		if by := r.Header.Get("WWW-Authenticate"); (by == "Bearer") != (o.want == 401) {
			t.Errorf("%s: WWW-Authenticate %q with %s", id, by, r.Status)
		}
		if o.err != nil && (!strings.Contains(Detail([]byte(body)), o.err.Error()) || r.Header.Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: the sender is told %q", id, body)
		}
	}
	if r, err := http.Get(address); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("whoever meant to post an event is told %v %v", r, err)
	}
	if r, _ := post(t, address, ""); r.StatusCode/100 != 4 {
		t.Errorf("an event without an id is answered with %s", r.Status)
	}
	if Permanent(nil) != nil {
		t.Error("no error has become one")
	}
}

// TestReply: the answer carries the fact.
func TestReply(t *testing.T) {
	address, _ := serve(t, func(_ context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		reply := cloudevents.NewEvent()
		reply.SetID("r-" + e.ID())
		reply.SetType("fact")
		reply.SetSource("/f")
		return &reply, nil
	})
	if r, _ := post(t, address, "1"); r.Header.Get("Ce-Id") != "r-1" || r.Header.Get("Ce-Type") != "fact" {
		t.Errorf("%s %v", r.Status, r.Header)
	}
}

// TestWhatIsUnderWayIsFinished: a function that is told to stop answers what it has begun.
func TestWhatIsUnderWayIsFinished(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, func(ctx context.Context, _ cloudevents.Event) (*cloudevents.Event, error) {
		close(begun)
		<-goOn
		return nil, ctx.Err()
	})
	answered := make(chan int)
	go func() { r, _ := post(t, address, "1"); answered <- r.StatusCode }()
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	for {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Second)
		if err != nil {
			break // nothing new is taken
		}
		c.Close()
	}
	close(goOn)
	if code := <-answered; code != 200 {
		t.Errorf("answered with %d", code)
	}
	<-stopped
}

// TestAPanicIsNotAnAnswer: a handler that panics must not have its event taken for done.
func TestAPanicIsNotAnAnswer(t *testing.T) {
	address, _ := serve(t, func(context.Context, cloudevents.Event) (*cloudevents.Event, error) { panic("bug") })
	if r, _ := post(t, address, "1"); r.StatusCode/100 == 2 {
		t.Errorf("a panic is answered with %s", r.Status)
	}
}

func TestEmitter(t *testing.T) {
	fact := cloudevents.NewEvent()
	fact.SetID("1")
	fact.SetType("fact")
	fact.SetSource("/f")
	var got int
	answers := []int{503, 503, 202}
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[min(got, len(answers)-1)])
		got++
	}))
	defer sink.Close()
	emit, err := Emitter(Env{Sink: sink.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := emit(t.Context(), fact); err != nil || got != 3 {
		t.Errorf("a sink that recovers: %v after %d posts", err, got)
	}
	answers, got = []int{400}, 0
	if err := emit(t.Context(), fact); err == nil {
		t.Error("a sink that refuses is taken for one that accepts")
	}
	none, err := Emitter(Env{})
	if err != nil || none(t.Context(), fact) != nil {
		t.Errorf("without a sink: %v", err)
	}
}

// TestATokenForTheSinkIsSent: as a SinkBinding mounts it, renewed in place, there from the start or not; and without one,
// nothing is sent.
func TestATokenForTheSinkIsSent(t *testing.T) {
	var got string
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
	defer sink.Close()
	file := filepath.Join(t.TempDir(), "token")
	client := http.Client{Transport: authenticated(file, http.DefaultTransport)}
	for _, token := range []string{"", "first", "renewed\n", ""} {
		want := ""
		_ = os.Remove(file) // of the round before, if there was one
		if token != "" {
			want = "Bearer " + strings.TrimSpace(token)
			if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := client.Get(sink.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got != want {
			t.Errorf("with the token %q the sink got %q, want %q", token, got, want)
		}
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Get(sink.URL); err == nil {
		resp.Body.Close()
		t.Error("a token that can't be read was taken for none")
	}
}
