package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestWhatIsWatchedIsSmall: tenants make Tasks as large as they like, and one namespace's must not end all waits. They are read page by
// page, and of each is kept what tells that it has ended; the watch goes on from the first page.
func TestWhatIsWatchedIsSmall(t *testing.T) {
	task := func(name, version string) string {
		large := strings.Repeat("x", 100<<10)
		return fmt.Sprintf(`{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"namespace": "n", "name": %q, "uid": "u", "resourceVersion": %q,
			"annotations": {"a": %q, "k8s.io/initial-events-end": "true"}}, "spec": {"command": %[3]q},
			"status": {"conditions": [{"type": "Succeeded", "status": "Unknown"}]}}`, name, version, large)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case q.Get("fieldSelector") != notEnded:
			w.WriteHeader(http.StatusTeapot)
		case q.Get("watch") != "":
			fmt.Fprintf(w, `{"type": "MODIFIED", "object": %s}`, task("a", "9"))
		case q.Get("limit") == "":
			t.Error("all of them in one answer")
		case q.Get("continue") == "":
			fmt.Fprintf(w, `{"metadata": {"resourceVersion": "7", "continue": "b"}, "items": [%s]}`, task("a", "5"))
		default:
			fmt.Fprintf(w, `{"metadata": {"resourceVersion": "8"}, "items": [%s]}`, task("b", "6"))
		}
	}))
	defer api.Close()
	kf, err := client.New(&rest.Config{Host: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	from := cache.ToListerWatcherWithContext(unended(kf.Tasks("n")))
	small := func(o any, name, version string) {
		t.Helper()
		kept, ok := o.(*v1alpha1.Task)
		if b, _ := json.Marshal(kept); !ok || len(b) > 1000 || kept.Name != name || kept.ResourceVersion != version || kept.Final() || len(kept.Status.Conditions) != 1 ||
			kept.Annotations["k8s.io/initial-events-end"] != "true" {
			t.Errorf("%T %.1000s", o, b)
		}
	}
	all, err := from.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	list := all.(*v1alpha1.TaskList)
	if list.ResourceVersion != "7" || len(list.Items) != 2 {
		t.Fatalf("version %s, %d Tasks", list.ResourceVersion, len(list.Items))
	}
	small(&list.Items[0], "a", "5")
	small(&list.Items[1], "b", "6")
	changes, err := from.WatchWithContext(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Stop()
	small((<-changes.ResultChan()).Object, "a", "9")
}
