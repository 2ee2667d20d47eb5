package main

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Looked is what was found in an image; Err says why nothing was.
type Looked struct {
	Entrypoint []string
	Shell      v1alpha1.Shell
	Err        error
}

// Image is the image that an App's Tasks are to run, "" if it names none.
func Image(app *v1alpha1.App) string {
	if app.Spec.Build.Image == nil {
		return ""
	}
	return *app.Spec.Build.Image
}

// NeedsLook says whether the App's image is to be looked into now. One that could not be read is so again when the App
// was changed (its credentials, maybe) or it is time to retry. It is not at any other event: the function's own note of
// the failure is one, and would be the cause of the next look.
func NeedsLook(app *v1alpha1.App, retry bool) bool {
	was := app.Status.StartCommands
	switch {
	case Image(app) == "":
		return false
	case was.Image != Image(app):
		return true
	}
	return was.Error != "" && (retry || app.Status.ObservedGeneration != app.Generation)
}

// InSync says whether the App's status says all that its spec asks for, so that nothing need be done.
func InSync(app *v1alpha1.App, retry bool) bool {
	return app.DeletionTimestamp != nil || app.Status.ObservedGeneration == app.Generation && !NeedsLook(app, retry)
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
		s.StartCommands = v1alpha1.StartCommandStatus{Container: looked.Entrypoint, Shell: looked.Shell, Image: s.Image}
		if looked.Err != nil {
			s.StartCommands.Error = looked.Err.Error()
		}
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonImageReady}
	if s.Image == "" {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoImage
		ready.Message = "spec.build.image names no image: push the App with --docker-image"
	}
	v1alpha1.SetCondition(app, &s.Conditions, ready, now)
}
