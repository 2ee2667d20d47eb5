package main

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
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

// NeedsLook says whether the App's image is yet to be looked into.
func NeedsLook(app *v1alpha1.App) bool {
	if app.Status.StartCommands.Error != "" {
		return Image(app) != "" // the registry may answer by now
	}
	return Image(app) != "" && app.Status.StartCommands.Image != Image(app)
}

// Settled says whether the App's status says all that its spec asks for, so that nothing need be done.
func Settled(app *v1alpha1.App) bool {
	return app.DeletionTimestamp != nil || app.Status.ObservedGeneration == app.Generation && !NeedsLook(app)
}

// Settle writes what Tasks need of an App into its status. looked is nil when the image was looked into before.
func Settle(app *v1alpha1.App, looked *Looked, now time.Time) {
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
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "ImageReady",
		ObservedGeneration: app.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if s.Image == "" {
		ready.Status, ready.Reason = metav1.ConditionFalse, "NoImage"
		ready.Message = "spec.build.image names no image: push the App with --docker-image"
	}
	meta.SetStatusCondition(&s.Conditions, ready)
}
