package main

import (
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// Exit codes, which scripts rely on; docs/kf.md has the table.
const (
	exitFailed      = 1   // what was asked for could not be done, or the Task that was waited for did not succeed
	exitUsage       = 2   // the command line is wrong: nothing was asked of the cluster
	exitNotFound    = 3   // the App, Task or Job is not there
	exitForbidden   = 4   // the cluster does not know the user, or the user may not
	exitUnreachable = 5   // no kubeconfig, or no answer
	exitNotWaited   = 125 // of --wait, whose other codes are the Task's own: kf itself failed
)

// exitCode ends the program with a Task's own exit code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("the Task exited with code %d", int(e)) }

// coded is an error that says how the program exits.
type coded struct {
	code int
	error
}

func (c coded) Unwrap() error { return c.error }

func notFound(format string, args ...any) error {
	return coded{exitNotFound, fmt.Errorf(format, args...)}
}

// codeOf is how the program exits for an error; asked says whether the cluster was asked for anything.
func codeOf(err error, asked bool) int {
	var own coded
	var network *url.Error
	switch {
	case errors.As(err, &own):
		return own.code
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return exitForbidden
	case apierrors.IsNotFound(err):
		return exitNotFound
	case errors.As(err, &network) || apierrors.IsServiceUnavailable(err):
		return exitUnreachable
	case !asked:
		return exitUsage
	}
	return exitFailed
}

// advice is what to do about an error that others wrote; those of this program say it themselves.
func advice(err error, space string) string {
	var network *url.Error
	switch {
	case apierrors.IsUnauthorized(err):
		return "the cluster does not take the credentials of your kubeconfig: log in again"
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("your role lacks that; who administers the Space grants it: "+
			"kubectl -n %s create rolebinding NAME --clusterrole=edit --user=YOU", space)
	case apierrors.IsNotFound(err) && apierrors.ReasonForError(err) == "NotFound" && client.Nameless(err):
		return "the cluster does not know such objects: `kf doctor` says what of the installation is missing"
	case errors.As(err, &network) || apierrors.IsServiceUnavailable(err):
		return "is the cluster up, and the context right (kubectl config current-context)? `kf doctor` looks part by part"
	case apierrors.IsConflict(err):
		return "somebody else changed it meanwhile: say it again"
	}
	return ""
}
