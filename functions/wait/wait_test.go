package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/task/tasktest"
)

// TestTheEndOfALogIsBounded: the last lines, at most so many and so long, whatever a Task wrote.
func TestTheEndOfALogIsBounded(t *testing.T) {
	many := make([]string, 3000)
	for i := range many {
		many[i] = fmt.Sprint("line ", i)
	}
	for name, c := range map[string]struct {
		lines     []string
		first     string
		last      string
		truncated bool
	}{
		"nothing":       {nil, "", "", false},
		"a few":         {[]string{"one", "two"}, "one\n", "two\n", false},
		"many":          {many, "line 2000\n", "line 2999\n", true},
		"long ones":     {[]string{strings.Repeat("a", 50<<10), strings.Repeat("b", 50<<10)}, "bbb", "bbb\n", true},
		"one very long": {[]string{strings.Repeat("a", 100<<10) + "z"}, "aaa", "az\n", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &tasktest.API{}
			api.Task("t", "")
			api.Pod("pod", "t")
			api.Write("pod", c.lines...)
			api.End("pod")
			api.Task("t", "Succeeded")
			kf, err := client.New(api.Config())
			if err != nil {
				t.Fatal(err)
			}
			core, err := corev1client.NewForConfig(api.Config())
			if err != nil {
				t.Fatal(err)
			}
			l := logEnd(t.Context(), &tasklog.Reader{Tasks: kf.Tasks("space"), Pods: core.Pods("space"), Streams: core.Pods("space")}, "t")
			if !strings.HasPrefix(l.Text, c.first) || !strings.HasSuffix(l.Text, c.last) || l.Truncated != c.truncated || len(l.Text) > logBytes+1 || len(l.Notes) > 0 {
				t.Errorf("%s: %d bytes, truncated %t, %q ... %q, %v", name, len(l.Text), l.Truncated, l.Text[:min(len(l.Text), 20)], l.Text[max(0, len(l.Text)-20):], l.Notes)
			}
		})
	}
}

// TestALogThatCannotBeReadSaysWhy, and is an answer all the same.
func TestALogThatCannotBeReadSaysWhy(t *testing.T) {
	for want, err := range map[string]error{
		"with its audience": apierrors.NewUnauthorized("no"), "may not read": apierrors.NewForbidden(corev1Pods, "p", errors.New("no")),
		"could not be read": errors.New("broken \x1b[31m"),
	} {
		r := &tasklog.Reader{Tasks: failing{err}}
		if l := logEnd(t.Context(), r, "t"); len(l.Notes) != 1 || !strings.Contains(l.Notes[0], want) || strings.Contains(l.Notes[0], "\x1b") {
			t.Errorf("%v: %v, want %q", err, l.Notes, want)
		}
	}
}

// TestOneWatchTellsThoseItIsAbout, and none is missed when the watch begins anew.
func TestOneWatchTellsThoseItIsAbout(t *testing.T) {
	task := func(name, reason string) *v1alpha1.Task {
		return tasktest.NewTask(name, reason)
	}
	for name, c := range map[string]struct {
		say  func(*space) error
		told []string
	}{
		"begun":                {func(s *space) error { return s.Add(task("a", "")) }, nil},
		"changed":              {func(s *space) error { return s.Update(task("a", "")) }, nil},
		"an outcome":           {func(s *space) error { return s.Update(task("a", "Failed")) }, []string{"a"}},
		"left the watch":       {func(s *space) error { return s.Delete(task("a", "")) }, []string{"a"}},
		"another's":            {func(s *space) error { return s.Delete(task("c", "")) }, nil},
		"listed anew":          {func(s *space) error { return s.Replace([]any{task("a", "")}, "") }, []string{"b"}},
		"listed, with outcome": {func(s *space) error { return s.Replace([]any{task("a", "Failed"), task("b", "")}, "") }, []string{"a"}},
		"none is left":         {func(s *space) error { return s.Replace(nil, "") }, []string{"a", "b"}},
	} {
		s := &space{waiting: map[string]map[chan struct{}]bool{}}
		waits := map[string]chan struct{}{"a": make(chan struct{}, 1), "b": make(chan struct{}, 1)}
		for of, ch := range waits {
			s.add(of, ch)
		}
		for range 2 { // told twice is told once: nobody who is slow holds up the others
			if err := c.say(s); err != nil {
				t.Error(err)
			}
		}
		var told []string
		for _, of := range []string{"a", "b"} {
			select {
			case <-waits[of]:
				told = append(told, of)
			default:
			}
		}
		if fmt.Sprint(told) != fmt.Sprint(c.told) {
			t.Errorf("%s: told %v, want %v", name, told, c.told)
		}
		if s.remove("a", waits["a"]) || !s.remove("b", waits["b"]) {
			t.Errorf("%s: who waits is not known", name)
		}
	}
}

// TestAnAnswerDoesNothingToATerminal: what a Task wrote is what it wrote, to a program; to a terminal it is text.
func TestAnAnswerDoesNothingToATerminal(t *testing.T) {
	w := httptest.NewRecorder()
	evil := "\x1b[31mred\u202e \u009b\r\n<b>&"
	write(w, Request{Namespace: "n", Task: "t", Applied: "wait=5"}, Answer{Ended: true, Message: evil, Log: &Log{Text: evil}})
	body := w.Body.String()
	var a Answer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Log.Text != evil || a.Message != evil {
		t.Errorf("%q %v", a.Log.Text, err)
	}
	if strings.ContainsAny(body, "\x1b\u202e\u009b\r") || strings.Count(body, "\n") != 1 || !strings.Contains(body, "<b>&") {
		t.Errorf("%q", body)
	}
	if w.Code != http.StatusOK || w.Header().Get("Location") != "/namespaces/n/tasks/t" || w.Header().Get("Preference-Applied") != "wait=5" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	if write(w, Request{}, Answer{}); w.Code != http.StatusAccepted {
		t.Errorf("one that has not ended is answered %d", w.Code)
	}
}

// TestACommandIsPostedUntilItIsAnswered: with the caller's token, the same each time, and to no other address.
func TestACommandIsPostedUntilItIsAnswered(t *testing.T) {
	var ids []string
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ ID string }
		_ = json.NewDecoder(r.Body).Decode(&e)
		if ids = append(ids, e.ID+r.Header.Get("Authorization")); len(ids) < 3 {
			panic(http.ErrAbortHandler) // no answer
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer function.Close()
	answer, err := NewSink(function.URL, 0).Post(context.Background(), Request{Namespace: "n", App: "a", Key: "50%20", Data: []byte("{}")}.Command(), "t")
	if err != nil || answer.Status != http.StatusTemporaryRedirect || fmt.Sprint(ids) != "[50%20Bearer t 50%20Bearer t 50%20Bearer t]" {
		t.Errorf("%v %v", ids, err)
	}
}

// TestWhoWaitsHoldsNoBody: a thousand may wait for nine minutes, and each may have sent a megabyte.
func TestWhoWaitsHoldsNoBody(t *testing.T) {
	function := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer function.Close()
	h, q := &Handler{Commands: NewSink(function.URL, 0)}, Request{Namespace: "n", App: "a", Key: "k", Data: []byte(`{"namespace": "n", "app": "a"}`)}
	if !h.command(t.Context(), httptest.NewRecorder(), &q, "t") || q.Task != q.Made() || q.Data != nil {
		t.Errorf("%+v", q)
	}
}

var corev1Pods = schema.GroupResource{Resource: "pods"}

// failing is an API server that answers with an error.
type failing struct{ err error }

func (f failing) Get(context.Context, string, metav1.GetOptions) (*v1alpha1.Task, error) {
	return nil, f.err
}

func (f failing) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return nil, f.err
}
