package receiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"knative.dev/pkg/logging"
)

// ErrStopping is the cause of the end of a request's context when the function is told to stop.
var ErrStopping = errors.New("the function is being stopped")

// stopping is how long requests under way have to end after the function was told to.
const stopping = 10 * time.Second

// ServeHTTP serves a function that answers requests instead of events, until ctx ends. The contexts of requests under way
// end with it, by ErrStopping, and it returns when they are answered. GET /healthz answers 200.
//
// Answers let a browser show them and send their forms, and nothing else, unless h sets other headers. One has no time
// limit here: what it is about may last (a log that is followed).
func ServeHTTP(ctx context.Context, env Env, h http.Handler) {
	logger := logging.FromContext(ctx)
	mux := http.NewServeMux()
	mux.Handle("/", guarded(retryAfter(h)))
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	requests, end := context.WithCancelCause(context.WithoutCancel(ctx))
	server := &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(env.Port)), Handler: mux,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		end(ErrStopping)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			logger.Warnw("requests were cut off", zap.Error(err))
		}
	}()
	logger.Infow("serving", "port", env.Port)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		logger.Fatalw("serve", zap.Error(err))
	}
	<-stopped // ListenAndServe returns when Shutdown begins
}

// policy lets a page show text and send its form, and nothing else: what Apps and Tasks say is written by anybody.
const policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded gives each answer the headers that keep a browser from doing what it was not asked to.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}
