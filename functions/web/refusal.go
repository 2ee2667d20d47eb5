package main

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refusal is an error with the status to answer, in words that are shown as they are.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func notFound(format string, args ...any) error {
	return refusal{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// answers say what an error becomes: the first that applies. The API server's own words, which name the right that is missing or the field
// that is wrong, follow the sentence.
var answers = []struct {
	is     func(error) bool
	status int
	text   string
}{
	{apierrors.IsForbidden, http.StatusForbidden, "You may not do or see this. Ask who runs the cluster for the right that this names."},
	{apierrors.IsNotFound, http.StatusNotFound, "It is not there, or not any more."},
	{apierrors.IsInvalid, http.StatusUnprocessableEntity, "The cluster does not take this as it stands."},
	{apierrors.IsBadRequest, http.StatusUnprocessableEntity, "The cluster does not take this as it stands."},
	{apierrors.IsConflict, http.StatusConflict, "It was changed, or made anew, since you looked. Look again."},
	{apierrors.IsTooManyRequests, http.StatusServiceUnavailable, "The cluster has too much to do. Try again in a moment."},
	{func(error) bool { return true }, http.StatusServiceUnavailable, "The cluster can't be asked now. Try again in a moment."},
}

// refusalOf is what an error is answered with.
func refusalOf(err error) refusal {
	var own refusal
	if errors.As(err, &own) {
		return own
	}
	for _, a := range answers {
		if a.is(err) {
			return refusal{a.status, a.text + "\n" + err.Error()}
		}
	}
	panic("the last answer is to all")
}
