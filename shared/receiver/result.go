package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	"knative.dev/pkg/logging"
)

// The one table of what an outcome becomes:
//
//	done, done already, or nothing to do        200      the sender is finished
//	the event can never be handled (Permanent)  422      straight to the dead-letter sink
//	its sender is not known (Unauthenticated)   401      the same
//	its sender has not the right (Forbidden)    403      the same
//	anything else: network, 409, 429, 5xx,      503      the sender tries again, with backoff; ApiServerSource and
//	403 while rights are being mended ...                PingSource retry 503 but neither 500 nor 409
//
// Errors of the API server are all of the last kind: a right can be granted, an object mended, a quota raised.

// permanent is an error that no retry of the same request can mend, and its status.
type permanent struct {
	error
	status int
}

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no retry can mend: the event itself is bad.
func Permanent(err error) error { return mark(err, http.StatusUnprocessableEntity) }

// Unauthenticated marks an error about credentials that are missing or not valid: with others, it might go.
func Unauthenticated(err error) error { return mark(err, http.StatusUnauthorized) }

// Forbidden marks the refusal of a sender who is known and lacks the right. It is not tried again by itself: what was
// asked for would else be done whenever somebody grants the right for another reason.
func Forbidden(err error) error { return mark(err, http.StatusForbidden) }

// WithStatus marks an error that no retry of the same request can mend, and that has a status of its own, such as 404.
func WithStatus(status int, err error) error { return mark(err, status) }

// Unreadable marks an error about a request that is not what it should be: 413 of a body that is too large, 408 of one that did not
// come, else 400.
func Unreadable(err error) error {
	status := http.StatusBadRequest
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err, status = fmt.Errorf("the body is larger than %d bytes", large.Limit), http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		status = http.StatusRequestTimeout
	}
	return mark(err, status)
}

func mark(err error, status int) error {
	if err == nil {
		return nil
	}
	return permanent{err, status}
}

// IsPermanent says whether the error was marked by one of these.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// Status is the status that Result answers an error with.
func Status(err error) int {
	var p permanent
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &p):
		return p.status
	}
	return http.StatusServiceUnavailable
}

// Result turns a handler's error into the answer to its sender, and logs it, once.
func Result(ctx context.Context, err error) cloudevents.Result {
	var p permanent
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		logging.FromContext(ctx).Errorw("refused", zap.Int("status", p.status), zap.Error(err))
		return cloudevents.NewHTTPResult(p.status, "%s", err.Error())
	default:
		logging.FromContext(ctx).Warnw("not done; to be tried again", zap.Error(err))
		return cloudevents.NewHTTPResult(http.StatusServiceUnavailable, "%s", err.Error())
	}
}

// Refuse answers a request that is no event with an error: as Result says, by a problem document.
func Refuse(ctx context.Context, w http.ResponseWriter, err error) { refuse(w, Result(ctx, err)) }
