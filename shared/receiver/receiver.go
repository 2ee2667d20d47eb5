// Package receiver serves a function: it reads the settings that every function has, receives CloudEvents over HTTP,
// hands each to one handler, turns the handler's error into the answer that makes the sender do the right thing,
// reports health, and stops gracefully. It is one call from main, not a framework.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/kelseyhightower/envconfig"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"knative.dev/pkg/logging"
	"knative.dev/pkg/signals"

	"github.com/kf-tasks/kf-tasks/shared/identity"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/telemetry"
)

// Handler handles one event and may reply with one. It has the signature of Knative Functions.
type Handler func(context.Context, cloudevents.Event) (*cloudevents.Event, error)

// Env holds the settings that every function has. Embed it in the function's own.
type Env struct {
	// Port is where events arrive. Knative Serving sets it.
	Port int `envconfig:"PORT" default:"8080"`
	// Kubeconfig is used when the function runs outside a cluster.
	Kubeconfig string `envconfig:"KUBECONFIG"`
	// Sink is where facts go that can't leave as the reply to one event, because a resync found many. Unset, they
	// are left out.
	Sink string `envconfig:"K_SINK"`
	// Timeout is how long a request to the API server may take, or one to the sink; watches and followed logs have none.
	Timeout time.Duration `envconfig:"API_TIMEOUT" default:"30s"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `envconfig:"LOG_LEVEL" default:"info"`
	// MaxBody is how many bytes a request's body may have. An object of the API server's has 1.5 MiB at most in etcd.
	MaxBody int64 `envconfig:"MAX_BODY" default:"4194304"`
	// RoomWithin is how long a body of more than 32 KiB waits until there is room for it among others.
	RoomWithin time.Duration `envconfig:"ROOM_WITHIN" default:"10s"`
	// HintsFrom are those whose events are taken, as an EventPolicy's from.sub names them; each is to bring a token for the
	// audience kf-tasks-FUNCTION. Unset, everybody's are taken, as where Eventing's OIDC is off.
	HintsFrom []string `envconfig:"HINTS_FROM"`
	telemetry.Settings

	whose  authenticate                // if HintsFrom is set
	untold func(context.Context) error // sends what telemetry has not sent
}

// Setup reads the environment into cfg (a pointer to a struct that embeds Env) and returns a context that carries the
// logger and ends with SIGTERM, and the way to the API server. Bad settings end the process with a message.
func Setup(function string, cfg any, env *Env) (context.Context, *rest.Config) {
	return setup(function, cfg, env, func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", env.Kubeconfig) })
}

func setup(function string, cfg any, env *Env, way func() (*rest.Config, error)) (context.Context, *rest.Config) {
	if err := envconfig.Process("", cfg); err != nil {
		fmt.Fprintf(os.Stderr, "%s: settings: %v\n", function, err)
		os.Exit(2)
	}
	logger, _ := logging.NewLogger(Must(logConfig()), env.LogLevel)
	logger = logger.WithOptions(zap.AddStacktrace(zap.DPanicLevel)) // an error says what was tried, on what: enough
	ctx := logging.WithLogger(signals.NewContext(), logger.Named(function))
	env.untold = Must(telemetry.Start(ctx, function, env.Settings))
	kube, err := way()
	if err != nil {
		logger.Fatalw("no way to the API server: run in a cluster or set KUBECONFIG", zap.Error(err))
	}
	// client-go's default of 5 requests a second is a limit for people at a keyboard. The API server's own priority
	// and fairness protects it, and is fair among functions.
	kube.QPS = -1
	kube.UserAgent = "kf-tasks/" + function
	kube.Wrap(bounded(env.Timeout))
	if len(env.HintsFrom) > 0 {
		env.whose = identity.New(Must(kubernetes.NewForConfig(kube)), "kf-tasks-"+function, time.Now).Authenticate
	}
	return ctx, kube
}

// logConfig is the logger's configuration: what is logged of others, and read by `kubectl logs`, acts on no terminal.
func logConfig() (string, error) {
	err := zap.RegisterSink("inert", func(*url.URL) (zap.Sink, error) { return logSink{inert.JSONWriter{Writer: os.Stderr}}, nil })
	return `{"outputPaths": ["inert:stderr"]}`, err
}

type logSink struct{ inert.JSONWriter }

func (logSink) Sync() error  { return nil } // a pipe or a terminal has nothing to sync
func (logSink) Close() error { return nil }

// Serve receives events until ctx ends, then lets those under way finish. GET /healthz answers 200.
func Serve(ctx context.Context, env Env, handle Handler) {
	events := answered(handle)
	if len(env.HintsFrom) > 0 {
		events = onlyFrom(env.HintsFrom, env.whose, events)
	}
	mux := http.NewServeMux()
	mux.Handle("/", answerHeaders(withPath(withToken(events))))
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	listen(ctx, env, mux, stop{within: 30 * time.Second})
}

// answered hands the event of each request to handle, and tells its sender what became of it.
func answered(handle Handler) http.Handler {
	handle = observed(unpanicked(handle))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, logger := r.Context(), logging.FromContext(r.Context())
		in, body, err := read(r)
		if err == nil && in == batched {
			answerBatch(ctx, w, r.Header, body, handle)
			return
		}
		var e *cloudevents.Event
		if err == nil {
			e, err = parse(ctx, r.Header, body, in)
		}
		if err != nil {
			logger.Warnw("refused a request", zap.Error(err))
			refuse(w, err)
			return
		}
		reply, err := handle(about(ctx, e), *e)
		if res := Result(about(ctx, e), err); res != nil {
			refuse(w, res)
			return
		}
		if reply == nil {
			return
		}
		if err := cehttp.WriteResponseWriter(ctx, (*binding.EventMessage)(reply), http.StatusOK, w); err != nil {
			logger.Warnw("the sender did not take the reply", zap.Error(err))
		}
	})
}

// about is a context whose logger says which event it is.
func about(ctx context.Context, e *cloudevents.Event) context.Context {
	return logging.WithLogger(ctx, logging.FromContext(ctx).With("event", e.Type(), "id", e.ID(), "subject", e.Subject()))
}

// maxAnswer is how long an answer in words may be: it quotes what was sent.
const maxAnswer = 1024

// problem is an error as RFC 9457 has it: for a program, and in words for a person who reads them on a terminal.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Events is what became of each event of a batch, in its order.
	Events []fate `json:"events,omitempty"`
}

// Detail is what an answer says in words: of a problem document its detail, all of it else.
func Detail(body []byte) string {
	var p problem
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		return p.Detail
	}
	return strings.TrimSpace(string(body))
}

// problemOf is an error as its sender is told.
func problemOf(err error) problem {
	status := http.StatusInternalServerError
	var read *refusal
	var result *cehttp.Result
	switch {
	case errors.As(err, &read):
		status = read.status
	case cloudevents.ResultAs(err, &result):
		status, err = result.StatusCode, fmt.Errorf(result.Format, result.Args...)
	}
	return problem{Title: http.StatusText(status), Status: status, Detail: inert.Fit(strings.TrimSpace(err.Error()), maxAnswer)}
}

// refuse answers with an error, as a problem document in one row.
func refuse(w http.ResponseWriter, err error) { problemOf(err).write(w) }

func (p problem) write(w http.ResponseWriter) {
	if p.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	body := json.NewEncoder(w)
	body.SetEscapeHTML(false) // it is read as it stands
	_ = body.Encode(p)
}

// observed tells by metrics and traces what became of an event.
func observed(handle Handler) Handler {
	return func(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
		ctx, end := telemetry.Process(ctx, &e, time.Now())
		reply, err := handle(ctx, e)
		became := "done"
		switch {
		case IsPermanent(err):
			became = "refused"
		case err != nil:
			became = "retry"
		}
		end(became, err, time.Now())
		return reply, err
	}
}

// unpanicked makes an error of a panic: the event was not handled, and only its sender is to notice.
func unpanicked(handle Handler) Handler {
	return func(ctx context.Context, e cloudevents.Event) (reply *cloudevents.Event, err error) {
		defer func() {
			if p := recover(); p != nil {
				logging.FromContext(ctx).Errorw("panic", "panic", p, zap.Stack("stack"))
				reply, err = nil, errors.New("the function failed; its log says how")
			}
		}()
		return handle(ctx, e)
	}
}

// Emitter returns a function that posts a fact to the sink, or drops it when there is none.
func Emitter(env Env) (func(context.Context, cloudevents.Event) error, error) {
	if env.Sink == "" {
		return func(context.Context, cloudevents.Event) error { return nil }, nil
	}
	way := http.DefaultTransport.(*http.Transport).Clone()
	way.MaxIdleConnsPerHost = 100 // as many as handlers tell at once: by default all but two would connect anew each time
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(env.Sink),
		cehttp.WithClient(http.Client{Timeout: env.Timeout, Transport: authenticated(sinkToken, way)}))
	if err != nil {
		return nil, fmt.Errorf("client of the sink %s: %w", env.Sink, err)
	}
	return func(ctx context.Context, e cloudevents.Event) error {
		ctx = cloudevents.ContextWithRetriesExponentialBackoff(ctx, 100*time.Millisecond, 3)
		if res := c.Send(ctx, e); !cloudevents.IsACK(res) {
			return fmt.Errorf("post %s %s: %w", e.Type(), e.ID(), res)
		}
		return nil
	}, nil
}

// answerHeaders tells the sender of what may pass when to come again (RFC 9110, 10.2.3), and one who is not known by
// what means it could be (11.6.1).
func answerHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&headed{w}, r)
	})
}

type headed struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w *headed) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *headed) WriteHeader(code int) {
	switch code {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusUnauthorized:
		if w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

// Must is for main alone: it returns v, or ends the process with the error. What is made there (clients, mostly) fails
// on bad settings only, and a function that can't be made must not take events.
func Must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(2)
	}
	return v
}
