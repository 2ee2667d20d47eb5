package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	authn "k8s.io/api/authentication/v1"
	authz "k8s.io/api/authorization/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// Reviewer reviews tokens; Accessor, what their holders may do.
type (
	Reviewer interface {
		Create(context.Context, *authn.TokenReview, metav1.CreateOptions) (*authn.TokenReview, error)
	}
	Accessor interface {
		Create(context.Context, *authz.SubjectAccessReview, metav1.CreateOptions) (*authz.SubjectAccessReview, error)
	}
)

// Handler streams logs. It looks for Tasks and Pods with its own rights, and reads logs with the caller's token alone:
// it has no right to read any itself, so no fault of its own can show anybody what the API server would not.
type Handler struct {
	Kf      *client.Client
	Pods    corev1.PodsGetter
	Reviews Reviewer
	Access  Accessor
	// Streams makes a client of logs that has the caller's token.
	Streams func(token string) (corev1.PodsGetter, error)
}

// Routes are the addresses that are served.
func (h *Handler) Routes() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/namespaces/{namespace}/tasks/{task}", "/namespaces/{namespace}/apps/{app}"} {
		mux.HandleFunc("GET "+path, h.serve)
		mux.HandleFunc("POST "+path, h.serve) // the form of the page
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

// refusal is an error with the status to answer.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	q, err := Parse(r, time.Now())
	if err != nil {
		h.refuse(w, r, q, refusal{http.StatusBadRequest, err.Error()})
		return
	}
	reader, err := h.authorize(r.Context(), q)
	if err != nil {
		h.refuse(w, r, q, err)
		return
	}
	a := newAnswer(w, q)
	if q.Task != "" {
		err = reader.Task(r.Context(), q.Task, q.Options, a.output())
	} else if _, err = h.Kf.Apps(q.Namespace).Get(r.Context(), q.App, metav1.GetOptions{}); err == nil {
		err = reader.App(r.Context(), q.App, q.Options, a.output())
	}
	logging.FromContext(r.Context()).Infow("served", "namespace", q.Namespace, "task", q.Task, "app", q.App,
		"lines", a.lines, "error", errorText(err))
	if err != nil && !a.begun && r.Context().Err() == nil {
		h.refuse(w, r, q, err)
		return
	}
	a.end(err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// authorize returns a reader for a caller who may read the Pod logs of the namespace.
func (h *Handler) authorize(ctx context.Context, q Request) (*tasklog.Reader, error) {
	if q.Token == "" {
		return nil, refusal{http.StatusUnauthorized, "a bearer token is needed"}
	}
	if len(validation.IsDNS1123Label(q.Namespace)) > 0 || len(validation.IsDNS1123Subdomain(q.Task+q.App)) > 0 {
		return nil, refusal{http.StatusBadRequest, "these are no names of Kubernetes objects"}
	}
	review, err := h.Reviews.Create(ctx, &authn.TokenReview{Spec: authn.TokenReviewSpec{Token: q.Token}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("review the token: %w", err)
	}
	if !review.Status.Authenticated {
		return nil, refusal{http.StatusUnauthorized, "the bearer token is not valid"}
	}
	user := review.Status.User
	extra := map[string]authz.ExtraValue{}
	for k, v := range user.Extra {
		extra[k] = authz.ExtraValue(v)
	}
	access, err := h.Access.Create(ctx, &authz.SubjectAccessReview{Spec: authz.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authz.ResourceAttributes{Namespace: q.Namespace, Verb: "get", Resource: "pods", Subresource: "log"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("review access: %w", err)
	}
	if !access.Status.Allowed {
		return nil, refusal{http.StatusForbidden, fmt.Sprintf("%s may not read the Pod logs of namespace %s", user.Username, q.Namespace)}
	}
	streams, err := h.Streams(q.Token)
	if err != nil {
		return nil, err
	}
	return &tasklog.Reader{Tasks: h.Kf.Tasks(q.Namespace), Pods: h.Pods.Pods(q.Namespace), Streams: streams.Pods(q.Namespace)}, nil
}

// AsCaller returns a maker of clients that carry the caller's token and no credential of the function's own.
func AsCaller(cfg *rest.Config) func(string) (corev1.PodsGetter, error) {
	anonymous := tasklog.Streams(rest.AnonymousClientConfig(cfg))
	return func(token string) (corev1.PodsGetter, error) {
		c := rest.CopyConfig(anonymous)
		c.BearerToken = token
		return corev1.NewForConfig(c)
	}
}

// refuse answers before the first byte of a log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, q Request, err error) {
	status, text := http.StatusServiceUnavailable, "the API server can't be asked now: try again"
	var no refusal
	switch {
	case errors.As(err, &no):
		status, text = no.status, no.text
	case kerrors.IsNotFound(err):
		status, text = http.StatusNotFound, "there is no "+title(q)
	case kerrors.IsForbidden(err):
		status, text = http.StatusForbidden, "the token may not read these logs"
	case kerrors.IsUnauthorized(err):
		status, text = http.StatusUnauthorized, "the bearer token is not valid any more"
	default:
		logging.FromContext(r.Context()).Warnw("not served", "error", err)
	}
	safe(w)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="kf-tasks"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	if q.As == asPage && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		form(w, status, q, text)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// answer is a response under way.
type answer struct {
	w      http.ResponseWriter
	flush  *http.ResponseController
	q      Request
	format text.Format
	begun  bool
	lines  int64
	last   *text.Status
}

// Trailers of an answer about one Task, for whoever can read them.
const (
	trailerOutcome  = "Kf-Task-Outcome"
	trailerExitCode = "Kf-Task-Exit-Code"
)

func newAnswer(w http.ResponseWriter, q Request) *answer {
	a := &answer{w: w, flush: http.NewResponseController(w), q: q}
	options := text.Options{Timestamps: q.Timestamps, Task: q.App != ""}
	switch q.As {
	case asJSON:
		a.format = text.NewJSON(w)
	case asPage:
		a.format = text.NewHTML(w, options)
	default:
		a.format = text.NewPlain(w, options)
	}
	return a
}

// begin sends the head, so that the caller, and all that is in between, know that the answer is under way.
func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	safe(a.w)
	head := a.w.Header()
	head.Set("X-Accel-Buffering", "no") // nginx and its kin hold streams back otherwise
	if a.q.Task != "" {
		head.Set("Trailer", trailerOutcome+", "+trailerExitCode)
	}
	switch a.q.As {
	case asJSON:
		head.Set("Content-Type", "application/x-ndjson")
	case asPage:
		head.Set("Content-Type", "text/html; charset=utf-8")
	default:
		head.Set("Content-Type", "text/plain; charset=utf-8")
	}
	a.w.WriteHeader(http.StatusOK)
	if a.q.As == asPage {
		pageHead(a.w, a.q)
	}
}

func (a *answer) output() tasklog.Output {
	return tasklog.Output{
		Entry: func(e text.Entry) error {
			a.begin()
			if e.Status != nil {
				a.last = e.Status
			} else if e.Note == "" && !e.More {
				a.lines++
			}
			return a.format.Entry(e)
		},
		Idle: func() {
			a.begin()
			_ = a.format.Flush()
			_ = a.flush.Flush()
		},
	}
}

func (a *answer) end(err error) {
	a.begin()
	if err != nil {
		_ = a.format.Entry(text.Entry{Task: a.q.Task, Note: "the stream ends here: " + err.Error()})
	}
	_ = a.format.Flush()
	if a.q.As == asPage {
		pageFoot(a.w)
	}
	if a.q.Task != "" && a.last != nil {
		a.w.Header().Set(trailerOutcome, a.last.Reason)
		if a.last.ExitCode != nil {
			a.w.Header().Set(trailerExitCode, strconv.Itoa(int(*a.last.ExitCode)))
		}
	}
}
