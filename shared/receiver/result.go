package receiver

import (
	"context"
	"errors"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/zap"
	"knative.dev/pkg/logging"
)

// The one table of what an outcome becomes:
//
//	done, done already, or nothing to do        200      the sender is finished
//	the event can never be handled (Permanent)  422      straight to the dead-letter sink
//	anything else: network, 409, 429, 5xx,      503      the sender tries again, with backoff; ApiServerSource and
//	403 while rights are being mended ...                PingSource retry 503 but neither 500 nor 409
//
// Errors of the API server are all of the last kind: a right can be granted, an object mended, a quota raised.

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no retry can mend: the event itself is bad.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent says whether the error was marked by Permanent.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// Result turns a handler's error into the answer to its sender, and logs it, once.
func Result(ctx context.Context, err error) cloudevents.Result {
	switch {
	case err == nil:
		return nil
	case IsPermanent(err):
		logging.FromContext(ctx).Errorw("refused", zap.Error(err))
		return cloudevents.NewHTTPResult(http.StatusUnprocessableEntity, "%s", err.Error())
	default:
		logging.FromContext(ctx).Warnw("not done; to be tried again", zap.Error(err))
		return cloudevents.NewHTTPResult(http.StatusServiceUnavailable, "%s", err.Error())
	}
}
