package harness

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Proxy stands between a function and the API server. It counts requests and makes some of them fail.
type Proxy struct {
	URL string

	mu     sync.Mutex
	writes int
	reads  int
	fault  func(Request) Fault
}

// Request is what a fault is decided by.
type Request struct {
	Method string
	Path   string
	// Write is the number of this write among the function's writes so far, from 1; 0 for a read.
	Write int
}

// Is says whether the request has the method and a path that ends so, or holds the part.
func (r Request) Is(method, part string) bool {
	return r.Method == method && strings.Contains(r.Path, part)
}

// Fault is what becomes of a request. The zero Fault lets it pass.
type Fault struct {
	// Status is answered in place of the API server's answer.
	Status int
	// After lets the request take effect first, so that only the answer is lost.
	After bool
	// Delay holds the request up.
	Delay time.Duration
	// Then is called after the API server has answered and before the function hears of it.
	Then func()
}

// Inject sets what becomes of the requests from now on; nil lets all pass.
func (p *Proxy) Inject(fault func(Request) Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.writes, p.reads = fault, 0, 0
}

// Counts returns the requests since the last Inject.
func (p *Proxy) Counts() (reads, writes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads, p.writes
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
		if f.Status != 0 && !f.After {
			fail(w, f.Status)
			return
		}
		if f.Status == 0 && f.Then == nil {
			forward.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		if f.Then != nil {
			f.Then()
		}
		if f.Status != 0 {
			fail(w, f.Status)
			return
		}
		for k, v := range answer.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

func (p *Proxy) decide(r *http.Request) Fault {
	p.mu.Lock()
	req := Request{Method: r.Method, Path: r.URL.Path}
	if r.Method == http.MethodGet {
		p.reads++
	} else {
		p.writes++
		req.Write = p.writes
	}
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
