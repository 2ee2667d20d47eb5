package harness

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a test that keeps what it is told.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	errors   []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Failed() bool     { return false }

// TestFaultsOfAProcessFailItsTest: each fault in testdata/faulty, and none where there is none.
func TestFaultsOfAProcessFailItsTest(t *testing.T) {
	for name, c := range map[string]struct {
		env, path string
		end       func(*Function)
		want      []string
	}{
		"a data race":               {path: "/race", want: []string{"ended unasked: a data race", "WARNING: DATA RACE"}},
		"a panic that is recovered": {path: "/recovered", want: []string{"has panicked: runtime error"}},
		"a panic":                   {path: "/panic", want: []string{"ended unasked: exit status 2", "panic: in a goroutine"}},
		"an end, however friendly":  {path: "/exit", want: []string{"ended unasked: exit status 0"}},
		"an unfriendly end":         {env: "STOP=fails", end: func(f *Function) { f.Terminate(time.Minute) }, want: []string{"exit status 3"}},
		"no end":                    {env: "STOP=deaf", end: func(f *Function) { f.Terminate(time.Second) }, want: []string{"had not ended"}},
		"a graceful end":            {end: func(f *Function) { f.Terminate(time.Minute) }},
		"a kill":                    {end: (*Function).Kill},
		"nothing":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{TB: t}
			f := process(r, "faulty", Root(), "./test/harness/testdata/faulty", c.env)
			f.Start()
			if c.path != "" {
				if resp, err := http.Get(f.URL + c.path); err == nil {
					resp.Body.Close()
				}
				if c.path != "/recovered" {
					<-f.run.done // it ends by itself
				}
			}
			if c.end != nil {
				c.end(f)
			}
			for _, cleanup := range r.cleanups {
				cleanup()
			}
			if len(r.errors) != len(c.want) {
				t.Fatalf("the test was told %q, want %q", r.errors, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(r.errors[i], want) {
					t.Errorf("the test was told %q, want %q", r.errors[i], want)
				}
			}
		})
	}
}
