package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// node plays an API server with one Pod, whose steps begin and end as told.
type node struct {
	mu   sync.Mutex
	pod  *corev1.Pod
	logs map[string]string
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/log"):
		_, _ = io.WriteString(w, n.logs[r.URL.Query().Get("container")])
	case strings.HasSuffix(r.URL.Path, "/pods"):
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		if n.pod != nil && r.URL.Query().Get("labelSelector") == "tekton.dev/pipelineRun=shop-build-1" {
			list.Items = append(list.Items, *n.pod)
		}
		_ = json.NewEncoder(w).Encode(list)
	case n.pod == nil:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(metav1.Status{Status: "Failure", Reason: metav1.StatusReasonNotFound, Code: 404})
	default:
		_ = json.NewEncoder(w).Encode(n.pod)
	}
}

func (n *node) becomes(change func(*node)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// state sets the states of the containers: r runs, e has ended, s has ended and never began, w waits.
func (n *node) state(states string) {
	n.pod.Status.ContainerStatuses = nil
	for i, c := range states {
		s := corev1.ContainerStatus{Name: n.pod.Spec.Containers[i].Name}
		switch c {
		case 'r':
			s.State.Running = &corev1.ContainerStateRunning{}
		case 'e':
			s.State.Terminated = &corev1.ContainerStateTerminated{ContainerID: "c"}
		case 's':
			s.State.Terminated = &corev1.ContainerStateTerminated{}
		}
		n.pod.Status.ContainerStatuses = append(n.pod.Status.ContainerStatuses, s)
	}
}

func line(text string) string { return "2026-11-23T12:00:00.000000000Z " + text + "\n" }

// TestTheStepsOfABuildAreReadInOrder, from before there is a Pod to its end; what never ran has no log.
func TestTheStepsOfABuildAreReadInOrder(t *testing.T) {
	n := &node{logs: map[string]string{"step-source": line("2 files"), "step-build": line("compiling") + line("done"), "step-export": line("never")}}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	c, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{c.Pods("demo"), c.Pods("demo")}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	ended := make(chan error, 1)
	first := make(chan struct{})
	go func() {
		ended <- r.Run(ctx, "shop-build-1", func(step string, l follow.Line) error {
			if got = append(got, fmt.Sprintf("%s: %s", step, l.Text)); len(got) == 1 {
				close(first)
			}
			return nil
		})
	}()
	n.becomes(func(n *node) {
		n.pod = &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "1"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "step-source"}, {Name: "sidecar"}, {Name: "step-build"}, {Name: "step-export"}}}}
		n.state("erww")
	})
	select {
	case <-first:
	case <-ctx.Done():
		t.Fatal("the first step's line did not come while the others wait")
	}
	n.becomes(func(n *node) { n.state("eees") })
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := "source: 2 files|build: compiling|build: done"
	if strings.Join(got, "|") != want {
		t.Errorf("%q, want %s", got, want)
	}
}

// TestABuildWhoseLogIsNotForTheUser ends at once, and one whose Pod is gone does not wait for it.
func TestABuildWhoseLogCantBeRead(t *testing.T) {
	status := http.StatusForbidden
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: int32(status)})
	}))
	t.Cleanup(server.Close)
	c, err := corev1client.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{c.Pods("demo"), c.Pods("demo")}
	if err := r.Run(t.Context(), "shop-build-1", nil); !follow.Denied(err) {
		t.Errorf("%v, want that it is forbidden", err)
	}
	pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}}
	if s := stateOf(pod, "step-build", false); s != follow.Gone {
		t.Errorf("a Pod that was evicted: %v", s)
	}
}
