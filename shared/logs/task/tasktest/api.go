// Package tasktest plays an API server that has Tasks, Pods and their logs, without a network: readers of logs can be
// tested on the clock of testing/synctest.
package tasktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// API is the API server. Its zero value has nothing.
type API struct {
	mu      sync.Mutex
	objects map[string]object // by path below the namespace
	events  []event           // an object's resourceVersion is the number of events when it was written
	logs    map[string][]string
	changed chan struct{}
}

type object interface {
	runtime.Object
	metav1.Object
}

type event struct {
	path   string // of the collection
	name   string
	labels labels.Set
	line   []byte
}

// Config is a way to the API server.
func (a *API) Config() *rest.Config {
	return &rest.Config{Host: "http://api", Transport: a, QPS: -1}
}

// Put writes an App or a Task.
func (a *API) Put(o object) {
	switch o.(type) {
	case *v1alpha1.App:
		a.put("apps", o, "MODIFIED")
	case *v1alpha1.Task:
		a.put("tasks", o, "MODIFIED")
	default:
		a.put("pods", o, "MODIFIED")
	}
}

// Task writes a Task that has not ended, or for this reason.
func (a *API) Task(name, reason string) { a.Put(NewTask(name, reason)) }

// NewTask is a Task that has not ended, or for this reason.
func NewTask(name, reason string) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}}
	if reason != "" {
		status := metav1.ConditionFalse
		if reason == "Succeeded" {
			status = metav1.ConditionTrue
		}
		t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: reason}}
	}
	return t
}

// Pod writes a running Pod of a Task of the App "app".
func (a *API) Pod(name, ofTask string) {
	now := metav1.Now()
	a.Put(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: now, Labels: labels.Set{
			v1alpha1.TaskLabel: ofTask, v1alpha1.NameLabel: "app",
			v1alpha1.ComponentLabel: v1alpha1.TaskComponent, v1alpha1.PipelineTaskLabel: v1alpha1.UserContainer,
		}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: task.Container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}}},
	})
}

// Write adds lines to the log of a Pod, of now.
func (a *API) Write(pod string, lines ...string) {
	a.change(func() {
		if a.logs == nil {
			a.logs = map[string][]string{}
		}
		for _, l := range lines {
			a.logs[pod] = append(a.logs[pod], time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z")+" "+l+"\n")
		}
	})
}

// End ends a Pod's container.
func (a *API) End(pod string) {
	p := a.pod(pod).DeepCopy()
	c := &p.Status.ContainerStatuses[0].State
	c.Terminated = &corev1.ContainerStateTerminated{ContainerID: "c", StartedAt: c.Running.StartedAt, FinishedAt: metav1.Now()}
	c.Running = nil
	a.Put(p)
}

// Delete deletes a Pod, and its log.
func (a *API) Delete(pod string) {
	a.put("pods", a.pod(pod), "DELETED")
	a.change(func() { delete(a.logs, pod) })
}

func (a *API) pod(name string) *corev1.Pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects["pods/"+name].(*corev1.Pod)
}

func (a *API) put(path string, o object, what string) {
	a.change(func() {
		if a.objects == nil {
			a.objects = map[string]object{}
		}
		o.SetResourceVersion(strconv.Itoa(len(a.events) + 1))
		if a.objects[path+"/"+o.GetName()] = o; what == "DELETED" {
			delete(a.objects, path+"/"+o.GetName())
		}
		raw, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		line, err := json.Marshal(map[string]any{"type": what, "object": kinded(raw, path)})
		if err != nil {
			panic(err)
		}
		a.events = append(a.events, event{path, o.GetName(), o.GetLabels(), append(line, '\n')})
	})
}

// kinded puts kind and apiVersion first, which decoders need.
func kinded(raw []byte, path string) json.RawMessage {
	kind := map[string]string{
		"apps": `"App","apiVersion":"kf.dev/v1alpha1"`, "tasks": `"Task","apiVersion":"kf.dev/v1alpha1"`, "pods": `"Pod","apiVersion":"v1"`,
	}[path]
	return append([]byte(`{"kind":`+kind+`,`), raw[1:]...)
}

func (a *API) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	if a.changed != nil {
		close(a.changed)
	}
	a.changed = make(chan struct{})
}

// RoundTrip answers a client's request.
func (a *API) RoundTrip(r *http.Request) (*http.Response, error) {
	_, path, _ := strings.Cut(r.URL.Path, "/namespaces/")
	_, path, _ = strings.Cut(path, "/")
	q := r.URL.Query()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case strings.HasSuffix(path, "/log"):
		name := strings.Split(path, "/")[1]
		if a.objects["pods/"+name] == nil {
			return answer(http.StatusNotFound, status(http.StatusNotFound, "NotFound")), nil
		}
		return answer(200, a.log(r, name)), nil
	case q.Get("watch") != "":
		return answer(200, a.watch(r, path)), nil
	case !strings.Contains(path, "/"):
		return answer(200, bytes.NewReader(a.list(path, selector(r)))), nil
	}
	o := a.objects[path]
	if o == nil {
		return answer(http.StatusNotFound, status(http.StatusNotFound, "NotFound")), nil
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	collection, _, _ := strings.Cut(path, "/")
	return answer(200, bytes.NewReader(kinded(raw, collection))), nil
}

func answer(code int, body io.Reader) *http.Response {
	rc, ok := body.(io.ReadCloser)
	if !ok {
		rc = io.NopCloser(body)
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: rc}
}

func status(code int, reason string) io.Reader {
	return strings.NewReader(fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code))
}

func selector(r *http.Request) labels.Selector {
	s, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		panic(err)
	}
	return s
}

func (a *API) list(path string, s labels.Selector) []byte {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	list.ResourceVersion = strconv.Itoa(len(a.events))
	for key, o := range a.objects {
		if p, ok := o.(*corev1.Pod); ok && strings.HasPrefix(key, path+"/") && s.Matches(labels.Set(p.Labels)) {
			list.Items = append(list.Items, *p)
		}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return raw
}

// watch streams what happens in a collection.
func (a *API) watch(r *http.Request, path string) io.Reader {
	next, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	_, name, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	s := selector(r)
	return a.stream(r, func(w io.Writer) bool {
		for ; next < len(a.events); next++ {
			if e := a.events[next]; e.path == path && (name == "" || e.name == name) && s.Matches(e.labels) {
				_, _ = w.Write(e.line)
			}
		}
		return true
	})
}

func (a *API) log(r *http.Request, name string) io.Reader {
	q, next := r.URL.Query(), 0
	if n, err := strconv.Atoi(q.Get("tailLines")); err == nil {
		next = max(0, len(a.logs[name])-n)
	}
	return a.stream(r, func(w io.Writer) bool {
		for ; next < len(a.logs[name]); next++ {
			if l := a.logs[name][next]; l[:19]+"Z" >= q.Get("sinceTime") {
				_, _ = io.WriteString(w, l)
			}
		}
		p, ok := a.objects["pods/"+name].(*corev1.Pod)
		return ok && p.Status.ContainerStatuses[0].State.Running != nil && q.Get("follow") == "true"
	})
}

// stream lets more write, with the API locked, after each change for as long as it returns true.
func (a *API) stream(r *http.Request, more func(io.Writer) bool) io.Reader {
	body, w := io.Pipe()
	go func() {
		for {
			var b bytes.Buffer
			a.mu.Lock()
			again, changed := more(&b), a.changed
			a.mu.Unlock()
			if _, err := w.Write(b.Bytes()); err != nil {
				return
			}
			if !again {
				w.Close()
				return
			}
			select {
			case <-changed:
			case <-r.Context().Done():
				w.CloseWithError(r.Context().Err())
				return
			}
		}
	}()
	return body
}
