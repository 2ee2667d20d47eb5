package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// bounded gives up a request that is not answered, to the last byte, in time: the API server may have died with the
// request, or a middlebox have forgotten the connection, and the handler would wait for ever. Streams have no end by
// their nature, and a log is bounded to its first byte only; rest.Config's Timeout would cut them off, too.
func bounded(limit time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		if limit <= 0 {
			return next
		}
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if streams(r) {
				return next.RoundTrip(r)
			}
			ctx, cancel := context.WithCancelCause(r.Context())
			late := time.AfterFunc(limit, func() { cancel(errUnanswered) })
			resp, err := next.RoundTrip(r.WithContext(ctx))
			if err != nil {
				late.Stop()
				cancel(nil)
				return nil, unanswered(ctx, err)
			}
			if strings.HasSuffix(r.URL.Path, "/log") { // is read as fast as its taker takes it
				late.Stop()
			}
			resp.Body = &bounding{resp.Body, ctx, func() { late.Stop(); cancel(nil) }}
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

// unanswered is the error to report for one of a request whose context has ended.
func unanswered(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errUnanswered) {
		return errUnanswered
	}
	return err
}

// streams says whether the answer lasts as long as the client wants: a watch, or a log that is followed.
func streams(r *http.Request) bool {
	q := r.URL.Query()
	return q.Get("watch") == "true" || q.Get("watch") == "1" || q.Get("follow") == "true"
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// bounding is the body of an answer that is to come to its last byte in time.
type bounding struct {
	io.ReadCloser
	ctx context.Context
	end func()
}

func (b *bounding) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = unanswered(b.ctx, err)
	}
	return n, err
}

func (b *bounding) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
