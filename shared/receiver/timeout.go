package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// bounded gives up a request that is not answered, to the last byte, in time: the API server may have died with the
// request, or a middlebox have forgotten the connection, and the handler would wait for ever. Streams have no end by
// their nature; rest.Config's Timeout would cut them off, too.
func bounded(limit time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		if limit <= 0 {
			return next
		}
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if streams(r) {
				return next.RoundTrip(r)
			}
			ctx, cancel := context.WithTimeoutCause(r.Context(), limit, errUnanswered)
			resp, err := next.RoundTrip(r.WithContext(ctx))
			if err != nil {
				cancel()
				if errors.Is(context.Cause(ctx), errUnanswered) {
					err = errUnanswered
				}
				return nil, err
			}
			resp.Body = &untilClosed{resp.Body, cancel}
			return resp, nil
		})
	}
}

// errUnanswered passes with time, so the handler's answer is 503.
var errUnanswered = errTimeout("not answered within API_TIMEOUT")

// errTimeout is a timeout to net/http and client-go, as an expired deadline is.
type errTimeout string

func (e errTimeout) Error() string { return string(e) }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// streams says whether the answer lasts as long as the client wants: a watch, or a log that is followed.
func streams(r *http.Request) bool {
	q := r.URL.Query()
	return q.Get("watch") == "true" || q.Get("watch") == "1" || q.Get("follow") == "true"
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// untilClosed is a body that ends its request's context when it has been read.
type untilClosed struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *untilClosed) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
