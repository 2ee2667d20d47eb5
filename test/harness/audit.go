package harness

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// Call is a kind of request that a function's account made, as the API server's audit log says.
type Call struct {
	Function, Verb, Resource string // Resource with its subresource: "tasks/status"
}

// Write says whether it changes something.
func (c Call) Write() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, c.Verb)
}

// Calls counts requests.
type Calls map[Call]int

// Of is how many of them are writes to such resources, with their subresources.
func (c Calls) Of(resources ...string) (n int) {
	for call, times := range c {
		resource, _, _ := strings.Cut(call.Resource, "/")
		if call.Write() && slices.Contains(resources, resource) {
			n += times
		}
	}
	return n
}

// Table shows them, and each by so many Tasks.
func (c Calls) Table(tasks int) string {
	all := slices.SortedFunc(maps.Keys(c), func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb))
	})
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "function\tverb\tresource\tcalls\tper Task")
	for _, call := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%.2f\n", call.Function, call.Verb, call.Resource, c[call], float64(c[call])/float64(tasks))
	}
	w.Flush()
	return out.String()
}

// Audited counts what the functions' accounts ask from now on about a namespace: the function that it returns says how often, so far.
// Only what was done counts.
func (c *Cluster) Audited(t testing.TB, namespace string) func() Calls {
	t.Helper()
	log := filepath.Join(filepath.Dir(c.kubeconfig), "logs", "audit.log")
	info, err := os.Stat(log)
	if err != nil {
		t.Fatalf("the cluster keeps no audit log beside its kubeconfig: %v", err)
	}
	return func() Calls {
		t.Helper()
		f, err := os.Open(log)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(info.Size(), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		calls := Calls{}
		for lines := bufio.NewReader(f); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return calls // the last may be under way
			}
			calls.add(line, namespace)
		}
	}
}

func (c Calls) add(line []byte, namespace string) {
	var e struct {
		Stage          string
		Verb           string
		User           struct{ Username string }
		ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
		ResponseStatus struct{ Code int }
	}
	if json.Unmarshal(line, &e) != nil {
		return // the line was under way when the counting began
	}
	function, ours := strings.CutPrefix(e.User.Username, "system:serviceaccount:"+SystemNamespace+":")
	in := e.ObjectRef.Namespace == namespace || e.ObjectRef.Namespace == "" && e.ObjectRef.Name == namespace
	if !ours || !in || e.Stage != "ResponseComplete" || e.ResponseStatus.Code >= 300 {
		return
	}
	if e.ObjectRef.Subresource != "" {
		e.ObjectRef.Resource += "/" + e.ObjectRef.Subresource
	}
	c[Call{function, e.Verb, e.ObjectRef.Resource}]++
}
