package pods

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// kindOf names what a request is for, such as "PATCH tasks/status": not which object.
func kindOf(r harness.Request) string {
	_, path, _ := strings.Cut(r.Path, "/namespaces/")
	parts := append(strings.Split(path, "/"), "", "", "") // NAMESPACE, resource, NAME, subresource
	kind := r.Method + " " + parts[1]
	if parts[3] != "" {
		kind += "/" + parts[3]
	}
	if r.Query.Get("watch") != "" {
		kind += " watch"
	}
	return kind
}

// TestTerminateOutlivesErrorsOfTheAPIServer: each kind of request that a delivery makes fails the first time, before or
// after it has taken effect. The Task is stopped all the same, and every line is delivered.
func TestTerminateOutlivesErrorsOfTheAPIServer(t *testing.T) {
	w := newWriters(t)
	for i, status := range []int{409, 429, 500, 504, 409, 429, 500, 504} {
		late := i >= 4
		t.Run(fmt.Sprintf("%d, taken effect: %t", status, late), func(t *testing.T) {
			t.Parallel()
			w := &writers{t: t, c: w.c, ns: w.ns, runtask: w.runtask}
			f := w.c.Function(t, "terminate")
			name := w.stopping(fmt.Sprintf("errors-%d", i+1), most) // a delivery that began anew after the cancel finds the process alive
			var mu sync.Mutex
			failed := map[string]bool{}
			f.Proxy.Inject(func(r harness.Request) harness.Fault {
				mu.Lock()
				defer mu.Unlock()
				kind := kindOf(r)
				if failed[kind] {
					return harness.Fault{}
				}
				failed[kind] = true
				stream := strings.HasSuffix(kind, "/log") || strings.HasSuffix(kind, " watch") // has no end to take effect by
				return harness.Fault{Status: status, After: late && !stream}
			})
			f.Deliver(harness.Updated("Task", w.terminated(name)))
			f.Deliver(harness.Ping("resync"))

			s := w.wantLog(name, v1alpha1.LogComplete).Status.Termination
			lines, doubles := wantWhole(t, w.delivered(name, f), 5, true)
			w.wantGone(name)
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d lines, %d marked doubles, %q; failed once: %v", lines, doubles, s.Message, failed)
			for _, kind := range []string{
				"GET tasks", "PATCH tasks/status", "GET pipelineruns", "PATCH pipelineruns", "GET taskruns", "GET pods", "GET pods watch", "GET pods/log",
			} {
				if !failed[kind] {
					t.Errorf("no %s was made to fail", kind)
				}
			}
		})
	}
}
