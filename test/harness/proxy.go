package harness

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Proxy stands between a function and the API server. It keeps a list of the requests and makes some of them fail.
type Proxy struct {
	URL string

	answered atomic.Int64 // bytes of bodies

	mu       sync.Mutex
	requests []Request
	writes   int
	fault    func(Request) Fault
}

// Request is what a fault is decided by.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	// Accept is the form of the answer that is asked for.
	Accept string
	// Write is the number of this write among the function's writes so far, from 1; 0 for a read.
	Write int
	// Body is what a write says.
	Body []byte
}

// Is says whether the request has the method and a path that holds the part.
func (r Request) Is(method, part string) bool {
	return r.Method == method && strings.Contains(r.Path, part)
}

// Fault is what becomes of a request. The zero Fault lets it pass.
type Fault struct {
	// Status is answered in place of the API server's answer.
	Status int
	// Body is answered with 200 in place of the API server's answer: the log of a Pod that no node runs, for one.
	Body []byte
	// Hang gives no answer, until the function gives up.
	Hang bool
	// After lets the request take effect before Status is answered or none is, so that only the answer is lost.
	After bool
	// Delay holds the request up.
	Delay time.Duration
	// Then is called before the function hears of the request: after it has taken effect, if it does. With Function.Kill
	// it is a crash after a write, and together with Hang a crash before it.
	Then func()
}

// passes says whether the API server gets the request.
func (f Fault) passes() bool { return f.Status == 0 && f.Body == nil && !f.Hang || f.After }

// Inject sets what becomes of the requests from now on, and forgets those so far; nil lets all pass.
func (p *Proxy) Inject(fault func(Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.writes, p.requests = fault, 0, nil
}

// Requests returns the requests since the last Inject.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Counts returns how many requests there were since the last Inject.
func (p *Proxy) Counts() (reads, writes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests) - p.writes, p.writes
}

// Answered returns how many bytes the API server has answered to requests that nothing was injected into.
func (p *Proxy) Answered() int64 { return p.answered.Load() }

// counting counts what is written to it.
type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// Unwrap is for http.ResponseController.
func (c counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// faulty says whether requests are made to fail.
func (p *Proxy) faulty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault != nil
}

func newProxy(t testing.TB, cfg *rest.Config) *Proxy {
	t.Helper()
	target, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	// the server's certificate is checked, but the administrator's is not shown: the function's token counts
	anonymous := rest.AnonymousClientConfig(cfg)
	transport, err := rest.TransportFor(anonymous)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(target); pr.Out.Host = target.Host },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	p := &Proxy{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // client-go sends no token over plain HTTP
		f := p.decide(r)
		time.Sleep(f.Delay)
		if f.passes() && !f.After && f.Then == nil { // a stream is not to be recorded
			forward.ServeHTTP(counting{w, &p.answered}, r)
			return
		}
		answer := httptest.NewRecorder()
		if f.passes() {
			forward.ServeHTTP(answer, r)
		}
		if f.Then != nil {
			f.Then()
		}
		switch {
		case f.Hang:
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server watch for the client's end
			<-r.Context().Done()
		case f.Status != 0:
			fail(w, f.Status)
		case f.Body != nil:
			_, _ = w.Write(f.Body)
		default:
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes()) // the client may be gone
		}
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

func (p *Proxy) decide(r *http.Request) Fault {
	req := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Accept: r.Header.Get("Accept")}
	write := r.Method != http.MethodGet
	if write {
		req.Body, _ = io.ReadAll(r.Body) // a body that breaks off is the API server's to refuse
		r.Body = io.NopCloser(bytes.NewReader(req.Body))
	}
	p.mu.Lock()
	if write {
		p.writes++
		req.Write = p.writes
	}
	p.requests = append(p.requests, req)
	fault := p.fault
	p.mu.Unlock()
	if fault == nil {
		return Fault{}
	}
	return fault(req)
}

// fail answers as the API server does.
func fail(w http.ResponseWriter, status int) {
	reasons := map[int]string{409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout", 403: "Forbidden"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"injected by the test","reason":%q,"code":%d}`, reasons[status], status)
}
