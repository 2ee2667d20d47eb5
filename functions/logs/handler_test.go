package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/task/tasktest"
)

// newHandler returns a handler that asks api, for jane, who may read; the token that streams were opened with is kept.
func newHandler(t *testing.T, api *tasktest.API) (h *Handler, token *string) {
	t.Helper()
	kf, err := client.New(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	core, err := corev1client.NewForConfig(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	token = new(string)
	return &Handler{
		Archive: func(string) tasklog.Archive { return nil },
		Kf:      kf, Pods: core, Identities: reviews{authenticated: true, allowed: true}.reviewer(), Limit: time.Hour,
		Streams: func(t string) (corev1client.PodsGetter, error) { *token = t; return core, nil },
	}, token
}

// get starts a request of jane's, and returns what ends when it has been answered.
func get(ctx context.Context, h *Handler, path string, header ...string) (*httptest.ResponseRecorder, <-chan struct{}) {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/namespaces/space"+path, nil)
	r.Header.Set("Authorization", "Bearer of-jane")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, done := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(done); h.Routes().ServeHTTP(w, r) }()
	return w, done
}

func TestATaskIsStreamedToItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &tasktest.API{}
		h, token := newHandler(t, api)
		api.Task("hello", "")
		w, done := get(t.Context(), h, "/tasks/hello?follow")
		synctest.Wait()
		if w.Code != 200 || !w.Flushed {
			t.Errorf("before the start: %d, sent: %t", w.Code, w.Flushed)
		}
		api.Pod("pod", "hello")
		api.Write("pod", "one", "two")
		time.Sleep(time.Second)
		synctest.Wait()
		if w.Body.String() != "one\ntwo\n" || *token != "of-jane" {
			t.Errorf("running: %q, read as %q", w.Body, *token)
		}
		api.End("pod")
		api.Task("hello", "Succeeded")
		<-done
		if w.Body.String() != "one\ntwo\n[kf] hello: Succeeded\n" || w.Result().Trailer.Get(trailerOutcome) != "Succeeded" {
			t.Errorf("ended: %q %v", w.Body, w.Result().Trailer)
		}
	})
}

// TestAnAnswerThatMustEndSaysHowToGoOn: at its limit, and when the function stops; and who goes on has every line.
func TestAnAnswerThatMustEndSaysHowToGoOn(t *testing.T) {
	stopping := errors.New("the function is being stopped")
	for name, c := range map[string]struct {
		path, accept string
		stop         bool
		want         string
	}{
		"limit": {"/tasks/hello?follow&tail=5", "", false,
			"[kf] hello: the stream ends here: an answer lasts 1h0m0s at most, and the log may go on: ask for ?follow=&since=2000-01-01T00:00:00Z\n"},
		"stop": {"/tasks/hello?follow", "", true,
			"the function is being stopped, and the log may go on: ask for ?follow=&since=2000-01-01T00:00:00Z\n"},
		"limit of an App": {"/apps/app?follow", "", false, "ask for ?follow=&since=1999-12-31T23:59:59Z\n"},
		"limit of a page": {"/tasks/hello", "text/html", false, `<a href="?since=2000-01-01T00:00:00Z">Go on</a>`},
	} {
		synctest.Test(t, func(t *testing.T) {
			api := &tasktest.API{}
			h, _ := newHandler(t, api)
			api.Put(&v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "app"}})
			api.Task("hello", "")
			api.Pod("pod", "hello")
			api.Write("pod", "one")
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			w, done := get(ctx, h, c.path, "Accept", c.accept)
			time.Sleep(time.Minute)
			if c.stop {
				stop(stopping)
			}
			<-done
			outcome := w.Result().Trailer.Get(trailerOutcome)
			if body := w.Body.String(); !strings.Contains(body, "one\n") || !strings.Contains(body, c.want) || outcome != "" {
				t.Errorf("%s: %s %v\nwant %s", name, body, w.Result().Trailer, c.want)
			}

			api.Write("pod", "two")
			_, query, _ := strings.Cut(w.Body.String(), "ask for ?follow=&")
			query, _, _ = strings.Cut(query, "\n")
			path, _, _ := strings.Cut(c.path, "?")
			w, done = get(t.Context(), h, path+"?"+query)
			<-done
			if body := w.Body.String(); !strings.Contains(body, "one\n") || !strings.Contains(body, "two\n") {
				t.Errorf("%s, gone on: %s", name, body)
			}
		})
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	for path, want := range map[string]string{
		"/tasks/none?follow": "there is no Task none in space\n", "/apps/none": "there is no App none in space\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			h, _ := newHandler(t, &tasktest.API{})
			w, done := get(t.Context(), h, path)
			<-done
			if w.Code != 404 || w.Body.String() != want {
				t.Errorf("%s: %d %q", path, w.Code, w.Body)
			}
		})
	}
}

// TestAnAPIServerThatCantBeAsked: the caller is told to try again, and nothing of what went wrong.
func TestAnAPIServerThatCantBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHandler(t, &tasktest.API{})
		cfg := (&tasktest.API{}).Config()
		cfg.Transport = broken{}
		kf, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		h.Kf = kf
		w, done := get(t.Context(), h, "/tasks/hello?follow")
		<-done
		if w.Code != 503 || strings.Contains(w.Body.String(), "10.0.0.1") {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}

type broken struct{}

func (broken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("dial 10.0.0.1: connection refused")
}
