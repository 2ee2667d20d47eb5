package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// Handler streams logs. It looks for Tasks and Pods with its own rights, and reads the logs of Pods with the caller's token alone:
// it has no right to read any itself, so no fault of its own can show anybody what the API server would not. What is in the archive it
// reads with credentials of its own, of the one repository that the namespace has whose Pod logs the caller may read.
type Handler struct {
	Kf         *client.Client
	Pods       corev1client.PodsGetter
	Identities *identity.Reviewer
	// Streams makes a client of logs that has the caller's token.
	Streams func(token string) (corev1client.PodsGetter, error)
	// Archive reads the archive of a namespace.
	Archive func(namespace string) tasklog.Archive
	// Limit is how long an answer may last.
	Limit time.Duration
}

// Routes are the addresses that are served.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/namespaces/{namespace}/tasks/{task}", "/namespaces/{namespace}/apps/{app}"} {
		mux.HandleFunc("GET "+path, h.serve)
		mux.HandleFunc("POST "+path, h.serve) // the form of the page
	}
	return mux
}

// refusal is an error with the status to answer.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	// Knative writes "request timeout" into an answer that lasts longer than the Service's timeoutSeconds.
	ctx, cancel := context.WithTimeoutCause(r.Context(), h.Limit, fmt.Errorf("an answer lasts %s at most", h.Limit))
	defer cancel()
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	q, err := Parse(r, time.Now())
	if err != nil {
		h.refuse(w, r, q, refusal{http.StatusBadRequest, err.Error()})
		return
	}
	reader, err := h.authorize(ctx, q)
	if err != nil {
		h.refuse(w, r, q, err)
		return
	}

	a := newAnswer(w, q)
	if q.Task != "" {
		err = reader.Task(ctx, q.Task, q.Options, a.output())
	} else if _, err = h.Kf.Apps(q.Namespace).Get(ctx, q.App, metav1.GetOptions{}); err == nil {
		err = reader.App(ctx, q.App, q.Options, a.output())
	}

	cut := err != nil && ctx.Err() != nil
	if cut {
		err = context.Cause(ctx)
	}
	telemetry.Log(ctx, a.position.Lines, false)
	logging.FromContext(ctx).Infow("served", "space", q.Namespace, "task", q.Task, "app", q.App, "lines", a.position.Lines, zap.Error(err))
	if err != nil && !a.begun {
		h.refuse(w, r, q, err)
		return
	}
	a.end(err, cut)
}

// refuse answers before the first byte of a log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q Request, err error) {
	status, text := http.StatusServiceUnavailable, "the API server can't be asked now: try again"
	var no refusal
	switch {
	case errors.As(err, &no):
		status, text = no.status, no.text
	case errors.Is(err, tasklog.ErrArchive):
		text = "the archive of logs can't be read now: try again"
		logging.FromContext(r.Context()).Warnw("not served", "error", err)
	case apierrors.IsNotFound(err):
		status, text = http.StatusNotFound, "there is no "+title(q)
	case apierrors.IsForbidden(err):
		status, text = http.StatusForbidden, "the token may not read these logs"
	case apierrors.IsUnauthorized(err):
		status, text = http.StatusUnauthorized, "the bearer token is not valid any more"
	default:
		logging.FromContext(r.Context()).Warnw("not served", "error", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="kf-tasks"`)
	}
	if q.As == asPage && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		form(w, status, q, text)
		return
	}
	http.Error(w, inert.Line(text), status)
}
