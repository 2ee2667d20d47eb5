package main

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// Looked is what was found in an image; Err says why nothing was.
type Looked struct {
	Entrypoint []string
	Shell      v1alpha1.Shell
	Err        error
}

// errRefused is a registry's answer that the credentials that the image was asked for with, or none, do not do.
var errRefused = errors.New("the registry refuses the credentials of the Space")

var errNoName = errors.New("spec.build.image is not the name of an image")

// errNotGranted is the same where there may be credentials that the function may not read.
var errNotGranted = fmt.Errorf("%w, or asks for some", errRefused)

// Grant is the command by which a Space lets build read its pull secrets.
func Grant(namespace string) string {
	return "kubectl -n " + namespace +
		" create rolebinding kf-tasks-build-pull --clusterrole=kf-tasks-build-pull --serviceaccount=kf-tasks:build"
}

// Image is the image that an App's Tasks are to run, "" if it names none.
func Image(app *v1alpha1.App) string {
	if app.Spec.Build.Image == nil {
		return ""
	}
	return *app.Spec.Build.Image
}

// NeedsLook says whether the App's image is to be looked into now. One that could not be read is so again when the App
// was changed (its credentials, maybe) or, at a retry, it is time. It is not at any other event, for which retry is zero:
// the function's own note of the failure is one, and would be the cause of the next look.
func NeedsLook(app *v1alpha1.App, retry time.Time) bool {
	was := app.Status.StartCommands
	switch {
	case Image(app) == "":
		return false
	case was.Image != Image(app):
		return true
	}
	return was.Error != "" && (app.Status.ObservedGeneration != app.Generation || !retry.IsZero() && !retry.Before(nextLook(was)))
}

// nextLook is when an image that could not be read is due again: ten seconds after the first failure, and twice as long
// after each one more, for a registry that is down comes back, and one that refuses seldom changes its mind.
func nextLook(was v1alpha1.StartCommandStatus) time.Time {
	if was.LookedAt == nil || was.Failures < 1 {
		return time.Time{}
	}
	wait := time.Hour
	if n := was.Failures - 1; n < 9 { // 10 s * 2^9 is more than an hour
		wait = 10 * time.Second << n
	}
	return was.LookedAt.Add(wait)
}

// InSync says whether the App's status says all that its spec asks for, so that nothing need be done.
func InSync(app *v1alpha1.App, retry time.Time) bool {
	return app.DeletionTimestamp != nil || app.Status.ObservedGeneration == app.Generation && !NeedsLook(app, retry)
}

// said is why an image could not be read: nothing that a registry says reaches an App's status.
func said(err error) string {
	for _, ours := range []error{errNotGranted, errRefused, errTooLarge, errNoName} {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	return registry.Reason(err)
}

// SyncStatus writes what Tasks need of an App into its status. looked is nil when the image was looked into before.
func SyncStatus(app *v1alpha1.App, looked *Looked, now time.Time) {
	s := &app.Status
	s.ObservedGeneration = app.Generation
	s.Image = Image(app)
	s.ServiceAccountName = app.Spec.Template.Spec.ServiceAccountName
	s.Instances.Representation = ""
	if app.Spec.Instances.Stopped {
		s.Instances.Representation = "stopped"
	}
	if looked != nil {
		failures := s.StartCommands.Failures + 1
		if s.StartCommands.Image != s.Image {
			failures = 1
		}
		s.StartCommands = v1alpha1.StartCommandStatus{Container: looked.Entrypoint, Shell: looked.Shell, Image: s.Image}
		if looked.Err != nil {
			s.StartCommands.Error, s.StartCommands.Failures, s.StartCommands.LookedAt = said(looked.Err), failures, &metav1.Time{Time: now}
		}
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonImageReady}
	switch {
	case s.Image == "":
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoImage
		ready.Message = "spec.build.image names no image: push the App with --docker-image"
	case looked != nil && errors.Is(looked.Err, errNotGranted):
		ready.Reason = v1alpha1.ReasonRegistryRefused
		ready.Message = "a shell is assumed: " + looked.Err.Error() + ", and build may read none here; to let it: " + Grant(app.Namespace)
	case looked != nil && errors.Is(looked.Err, errRefused):
		ready.Reason = v1alpha1.ReasonRegistryRefused
		ready.Message = "a shell is assumed: " + looked.Err.Error() + ": see imagePullSecrets of the App and of its service account"
	}
	if app.Unreadable != "" {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonInvalidApp
		ready.Message = app.Unreadable + ": change it, and the App's Tasks can run"
	}
	v1alpha1.SetCondition(app, &s.Conditions, ready, now)
}
