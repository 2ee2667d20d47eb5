package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
)

// Handler runs Tasks for those who wait for them. It makes none itself: the function command does, for the caller's token.
type Handler struct {
	Kf         *client.Client
	Pods       corev1client.PodsGetter
	Identities *identity.Reviewer
	// Streams makes a client of logs that has the caller's token: this function has no right to read any.
	Streams  func(token string) (corev1client.PodsGetter, error)
	Commands *Sink
	Ends     *Ends
	// Limit is how long a caller may wait.
	Limit time.Duration
	// Room is for so many as may wait at once.
	Room *semaphore.Weighted
}

// logWithin is how long the end of a log may take, after the Task has ended: less than what is under way gets when the function stops.
const logWithin = 8 * time.Second

// Routes are the addresses that are served.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /namespaces/{namespace}/apps/{app}/tasks", h.serve)
	mux.HandleFunc("POST /namespaces/{namespace}/jobs/{job}/runs", h.serve)
	mux.HandleFunc("GET /namespaces/{namespace}/tasks/{task}", h.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		receiver.Refuse(r.Context(), w, receiver.WithStatus(http.StatusNotFound, errors.New(
			"there are POST /namespaces/NS/apps/APP/tasks, POST /namespaces/NS/jobs/JOB/runs and GET /namespaces/NS/tasks/TASK")))
	})
	return mux
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	// What is begun is done, though the caller goes or the function is to stop: only waits end by that.
	began, ctx := time.Now(), context.WithoutCancel(r.Context())
	q, err := Parse(r, h.Limit)
	if err != nil {
		receiver.Refuse(ctx, w, receiver.Unreadable(err))
		return
	}
	token, caller, err := h.caller(ctx)
	if err != nil {
		receiver.Refuse(ctx, w, err)
		return
	}
	if q.Wait > 0 {
		if !h.Room.TryAcquire(1) {
			receiver.Refuse(ctx, w, errors.New("as many wait as may; nothing was done: come again, or ask with Prefer: respond-async"))
			return
		}
		defer h.Room.Release(1)
	}
	posted := q.Task == ""
	if posted && !h.command(ctx, w, &q, token) {
		return
	}
	task, err := h.settled(ctx, q, caller, r.Context().Done(), q.Wait-time.Since(began))
	log := logging.FromContext(ctx).With("task", q.Namespace+"/"+q.Task, "after", time.Since(began))
	switch {
	case r.Context().Err() != nil && !errors.Is(context.Cause(r.Context()), receiver.ErrStopping):
		log.Infow("the caller has gone; the Task goes on")
		return
	case err != nil && posted && receiver.Status(err) != http.StatusNotFound: // it runs, whether its maker may look at it, or we can
		log.Warnw("commanded, and not looked at", zap.Error(err))
		write(w, q, Answer{Namespace: q.Namespace, Task: q.Task, Message: "it was commanded, and can't be looked at now: " + err.Error()})
		return
	case err != nil:
		receiver.Refuse(ctx, w, err)
		return
	}
	a := AnswerOf(task)
	if a.Ended {
		a.Log = h.log(ctx, q, token, caller)
	}
	log.Infow("answered", "ended", a.Ended, "outcome", a.Outcome)
	write(w, q, a)
}

// command posts the command, and says whether it was accepted: then q names its Task. Else the answer of command is the caller's.
func (h *Handler) command(ctx context.Context, w http.ResponseWriter, q *Request, token string) bool {
	w.Header().Set("Idempotency-Key", q.Key) // to come again with, should this answer be none
	answer, err := h.Commands.Post(ctx, q.Command(), token)
	if err != nil {
		receiver.Refuse(ctx, w, fmt.Errorf("the function command could not be asked: %w", err))
		return false
	}
	if answer.Status != http.StatusOK {
		for _, name := range []string{"Content-Type", "Retry-After", "WWW-Authenticate"} {
			if v := answer.Header.Get(name); v != "" {
				w.Header().Set(name, v)
			}
		}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body)
		return false
	}
	q.Task, q.Data = q.Made(), nil // a thousand who wait hold no bodies
	return true
}

// settled returns the Task when it has ended, or as it stands when the time is over, or nobody is to wait any more.
func (h *Handler) settled(
	ctx context.Context, q Request, caller identity.Identity, over <-chan struct{}, within time.Duration,
) (*v1alpha1.Task, error) {
	task, err := h.read(ctx, q, caller) // before anything is watched: who may not look makes no work
	if err != nil || q.Wait == 0 || task.Final() {
		return task, err
	}
	late := time.NewTimer(within)
	defer late.Stop()
	look, stop := h.Ends.Of(q.Namespace, q.Task)
	defer stop()
	again := time.After(0) // it may have ended before the watch began
	for {
		select {
		case <-look:
		case <-again:
		case <-late.C:
			return task, nil
		case <-over:
			return task, nil
		}
		now, err := client.FindAgain(ctx, h.Kf.Tasks(q.Namespace), task)
		switch {
		case err != nil: // it may pass, and what is known stays true
			again = time.After(time.Second)
			continue
		case now == nil:
			return nil, receiver.WithStatus(http.StatusNotFound, fmt.Errorf("Task %s/%s was deleted", q.Namespace, q.Task))
		case now.Final():
			return now, nil
		}
		task, again = now, nil
	}
}

// log is the end of an ended Task's log, for who may read it.
func (h *Handler) log(ctx context.Context, q Request, token string, caller identity.Identity) *Log {
	ctx, cancel := context.WithTimeout(ctx, logWithin)
	defer cancel()
	if err := h.mayReadLogs(ctx, q, caller); err != nil {
		return &Log{Notes: []string{err.Error()}}
	}
	streams, err := h.Streams(token)
	if err != nil {
		return &Log{Notes: []string{err.Error()}}
	}
	return logEnd(ctx, &tasklog.Reader{
		Tasks: h.Kf.Tasks(q.Namespace), Pods: h.Pods.Pods(q.Namespace), Streams: streams.Pods(q.Namespace),
	}, q.Task)
}

// write answers: 200 with the end, 202 with where to look for it.
func write(w http.ResponseWriter, q Request, a Answer) {
	w.Header().Set("Content-Type", "application/json")
	if q.Applied != "" {
		w.Header().Set("Preference-Applied", q.Applied)
	}
	w.Header().Set("Location", "/namespaces/"+q.Namespace+"/tasks/"+q.Task)
	status := http.StatusOK
	if !a.Ended {
		status = http.StatusAccepted
	}
	w.WriteHeader(status)
	body := json.NewEncoder(inert.JSONWriter{Writer: w}) // names, messages and logs are of others
	body.SetEscapeHTML(false)
	_ = body.Encode(a) // a caller who has gone needs none
}
