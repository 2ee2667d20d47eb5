package receiver

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
	"knative.dev/pkg/logging"
)

// What a request may cost before anybody has looked at who sends it. docs/events.md lists these for people.
const (
	// maxHeader is for all headers together: net/http answers 431 beyond it (and 4 KiB of its own slack).
	maxHeader = 32 << 10
	// headerWithin and requestWithin are how long a sender may take for its headers, and for the whole request.
	headerWithin  = 10 * time.Second
	requestWithin = 30 * time.Second
	// idleFor is longer than Knative's queue-proxy keeps a connection that is not used (net/http's 90 s), so that it is never
	// this side that closes one on which a request is just being sent.
	idleFor = 5 * time.Minute
)

// stop is how a server ends.
type stop struct {
	within time.Duration // for requests under way
	tell   bool          // them, by the end of their contexts
}

// server answers requests by h, within these limits.
func server(env Env, h http.Handler) *http.Server {
	return &http.Server{
		Addr: net.JoinHostPort("", strconv.Itoa(env.Port)),
		Handler: unsmuggled(expectsNothing(
			http.MaxBytesHandler(roomFor(env.MaxBody, cmp.Or(env.RoomWithin, 10*time.Second), h), env.MaxBody))),
		ReadHeaderTimeout: headerWithin, ReadTimeout: requestWithin, MaxHeaderBytes: maxHeader, IdleTimeout: idleFor,
	}
}

// expectsNothing refuses a request that wants to hear 100 (Continue) before it sends its body; its sender then sends it without
// (RFC 9110, 10.1.1; curl does by itself, of bodies above a megabyte). Knative's activator and queue-proxy take the 100 for the answer, and
// hand on each later refusal as 200: so none is sent, which takes that the body is not touched.
func expectsNothing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unsmuggled ends a connection after a request in chunks. It may have said a length, too, which net/http drops: what another
// on the way took by that length for the rest of this request must not become a request of its own (RFC 9112, 6.1).
func unsmuggled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// listen serves until ctx ends, and returns when the requests under way are answered, or cut off. Their contexts have
// ctx's values, and not its end.
func listen(ctx context.Context, env Env, h http.Handler, s stop) {
	logger := logging.FromContext(ctx)
	requests, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	server := server(env, h)
	server.BaseContext = func(net.Listener) context.Context { return requests }
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		if s.tell {
			end(ErrStopping)
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.within)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			logger.Warnw("requests were cut off", zap.Error(err)) // what was not acknowledged is delivered again
		}
	}()
	logger.Infow("serving", "port", env.Port)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		logger.Fatalw("serve", zap.Error(err))
	}
	<-stopped // ListenAndServe returns when Shutdown begins
	if env.untold != nil {
		if err := env.untold(context.WithoutCancel(ctx)); err != nil {
			logger.Warnw("metrics or traces were not sent", zap.Error(err))
		}
	}
}
