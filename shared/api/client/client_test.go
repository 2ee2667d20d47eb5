package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// against returns a Client of a server that answers as told. What the real one answers is tested in test/integration.
func against(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "no",
	})
}

func TestFind(t *testing.T) {
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/none"):
			refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
		case strings.HasSuffix(r.URL.Path, "/forbidden"):
			refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"name": "t"}}`)
		}
	})
	if task, err := Find(t.Context(), c.Tasks("space"), "space", "t"); err != nil || task.Name != "t" {
		t.Errorf("%v %v", task, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../../other/tasks/t", "%2e%2e", "A"} {
		if task, err := Find(t.Context(), c.Tasks("space"), "space", name); err != nil || task != nil {
			t.Errorf("%q, which no object can be called: %v %v", name, task, err)
		}
	}
	if task, err := Find(t.Context(), c.Tasks("space"), "space", "none"); err != nil || task != nil {
		t.Errorf("one that is not there: %v %v", task, err)
	}
	task, err := Find(t.Context(), c.Tasks("space"), "space", "forbidden")
	if task != nil || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "get Task space/forbidden") {
		t.Errorf("one that may not be read: %v %v", task, err)
	}
}

func TestAllGoesFromPageToPage(t *testing.T) {
	pages := 0
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("limit") == "" || r.URL.Query().Get("labelSelector") != "a=b" {
			t.Errorf("asked for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		switch next := r.URL.Query().Get("continue"); next {
		case "":
			fmt.Fprint(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "TaskList", "metadata": {"continue": "2"}, "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}`)
		case "2":
			fmt.Fprint(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "TaskList", "metadata": {"continue": "3"}, "items": [{"metadata": {"name": "c"}}]}`)
		default:
			refuse(w, http.StatusInternalServerError, metav1.StatusReasonInternalError)
		}
		pages++
	})
	list := func(enough int) (names string, failed error) {
		n := 0
		for task, err := range All[*v1alpha1.Task](context.Background(), c.Tasks(""), metav1.ListOptions{LabelSelector: "a=b"}) {
			if err != nil {
				return names, err
			}
			names += task.Name
			if n++; n == enough {
				break
			}
		}
		return names, nil
	}
	names, err := list(-1)
	if names != "abc" || err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "list Tasks") {
		t.Errorf("%q, then %v", names, err)
	}
	if names, err := list(1); names != "a" || err != nil {
		t.Errorf("who has enough after one: %q %v", names, err)
	}
}

// TestAllOfLargeObjects: a page is as small as it takes, each object comes once, and an old place to go on from is no reason to
// list all at once.
func TestAllOfLargeObjects(t *testing.T) {
	const objects = 40
	large, expired, most := strings.Repeat("x", 1<<20), false, 0
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		limit, from := 0, 0
		_, _ = fmt.Sscan(q.Get("limit"), &limit)
		_, _ = fmt.Sscan(q.Get("continue"), &from)
		if q.Get("resourceVersion") == "0" || limit == 0 {
			limit = objects // as the API server's cache does
		}
		w.Header().Set("Content-Type", "application/json")
		if from > 8 && !expired {
			expired = true
			w.WriteHeader(http.StatusGone)
			fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "metadata": {"continue": "%d"}}`, from)
			return
		}
		to := min(from+limit, objects)
		most = max(most, to-from)
		next := ""
		if to < objects {
			next = fmt.Sprint(to)
		}
		fmt.Fprintf(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "TaskList", "metadata": {"continue": %q}, "items": [`, next)
		for i := from; i < to; i++ {
			fmt.Fprintf(w, `%s{"metadata": {"name": "%d"}, "spec": {"command": "%s"}}`, map[bool]string{true: ","}[i > from], i, large)
		}
		fmt.Fprint(w, "]}")
	})
	n := 0
	for task, err := range All[*v1alpha1.Task](t.Context(), c.Tasks(""), metav1.ListOptions{ResourceVersion: "0"}) {
		if err != nil {
			t.Fatal(err)
		}
		if task.Name != fmt.Sprint(n) {
			t.Errorf("%s comes as number %d", task.Name, n)
		}
		n++
	}
	if n != objects || !expired || most != objects {
		t.Errorf("%d objects, %v, %d at most", n, expired, most)
	}
}

// TestPatchStatusDecidesAnewAfterAConflict, and leaves an object alone that was made anew under the name.
func TestPatchStatusDecidesAnewAfterAConflict(t *testing.T) {
	uid, patches := "u", 0
	c := against(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"name": "t", "uid": %q, "resourceVersion": "8"}, "status": {"id": 5}}`, uid)
			return
		}
		b, _ := io.ReadAll(r.Body)
		if patches++; !strings.Contains(string(b), `"resourceVersion":"8"`) {
			refuse(w, http.StatusConflict, metav1.StatusReasonConflict)
			return
		}
		_, _ = w.Write([]byte(`{"apiVersion": "kf.dev/v1alpha1", "kind": "Task", "metadata": {"name": "t"}, "status": {"id": 6}}`))
		if !strings.Contains(string(b), `"status":{"id":6}`) {
			t.Errorf("patch %s: not made from what was read again", b)
		}
	})
	old := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "space", Name: "t", UID: "u", ResourceVersion: "7"}}
	increment := func(task *v1alpha1.Task) { task.Status.ID++ }
	got, err := PatchStatus(t.Context(), c.Tasks("space"), old, increment)
	if err != nil || got.Status.ID != 6 || patches != 2 || old.Status.ID != 0 {
		t.Errorf("%v %v after %d patches", got, err, patches)
	}
	uid, patches = "another", 0
	if _, err := PatchStatus(t.Context(), c.Tasks("space"), old, increment); !apierrors.IsNotFound(err) || patches != 1 {
		t.Errorf("another Task of the name: %v after %d patches", err, patches)
	}
	if _, err := PatchStatus(t.Context(), c.Tasks("space"), old, func(*v1alpha1.Task) {}); err != nil || patches != 1 {
		t.Errorf("nothing to write: %v after %d patches", err, patches)
	}
}
