package receiver

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"knative.dev/pkg/logging"
)

// stopping is how long requests under way have to end after the function was told to.
const stopping = 10 * time.Second

// ServeHTTP serves a function that answers requests instead of events, until ctx ends. The contexts of requests under way
// end with it, and it returns when they are answered. GET /healthz answers 200.
//
// An answer has no time limit here: what it is about may last (a log that is followed).
func ServeHTTP(ctx context.Context, env Env, h http.Handler) {
	logger := logging.FromContext(ctx)
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(env.Port)), Handler: mux,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
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
