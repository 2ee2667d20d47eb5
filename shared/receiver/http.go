package receiver

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ErrStopping is the cause of the end of a request's context when the function is told to stop.
var ErrStopping = errors.New("the function is being stopped")

// ServeHTTP serves a function that answers requests instead of events, until ctx ends. The contexts of requests under way
// end with it, by ErrStopping, and it returns when they are answered. GET /healthz answers 200.
//
// Answers let a browser show them and send their forms, and nothing else, unless h sets other headers. One has no time
// limit here: what it is about may last (a log that is followed).
func ServeHTTP(ctx context.Context, env Env, h http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("/", guarded(answerHeaders(withToken(h))))
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	listen(ctx, env, mux, stop{within: 10 * time.Second, tell: true})
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
