package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/image"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

var errNoName = errors.New("spec.build.image is not the name of an image")

// errNotGranted is a refusal where there may be credentials that the function may not read.
var errNotGranted = fmt.Errorf("%w, or asks for some", image.ErrRefused)

// Grant is the command by which a Space lets build read its pull secrets.
func Grant(namespace string) string {
	return "kubectl -n " + namespace +
		" create rolebinding kf-tasks-build-pull --clusterrole=kf-tasks-build-pull --serviceaccount=kf-tasks:build"
}

// Image is the image that an App's Tasks are to run, "" if there is none: the one that it names, or the last that was built. One that
// is built from source keeps the image that it had until then. The one that Kf's CLI names while it pushes is none.
func Image(app *v1alpha1.App) string {
	image := app.Status.Image
	if !app.FromSource() {
		image = ptr.Deref(app.Spec.Build.Image, "")
	}
	if image == v1alpha1.PlaceholderImage {
		return ""
	}
	return image
}

// NeedsInspection says whether the App's image is to be inspected now. One that could not be read is so again when the App
// was changed (its credentials, maybe) or, at a retry, it is time. It is not at any other event, for which retry is zero:
// the function's own note of the failure is one, and would be the cause of the next inspection.
func NeedsInspection(app *v1alpha1.App, retry time.Time) bool {
	was := app.Status.StartCommands
	switch {
	case Image(app) == "":
		return false
	case was.Image != Image(app):
		return true
	case !app.FromSource() && was.UpdateRequests != app.Spec.Build.UpdateRequests: // pushed again, a tag may mean another image
		return true
	}
	if was.Error == image.ErrTooLarge.Error() {
		return false // that is an answer: the same image is as large the next time
	}
	return was.Error != "" && (app.Status.ObservedGeneration != app.Generation || !retry.IsZero() && !retry.Before(nextInspection(was)))
}

// sameInspection is how near two notes of a failure are that are of one inspection, which two deliveries have shared.
const sameInspection = 2 * time.Second

// nextInspection is when an image that could not be read is due again: ten seconds after the first failure, and twice as long
// after each one more, for a registry that is down comes back, and one that refuses seldom changes its mind.
func nextInspection(was v1alpha1.StartCommandStatus) time.Time {
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
	return app.DeletionTimestamp != nil ||
		app.Status.ObservedGeneration == app.Generation && !NeedsInspection(app, retry) && Next(app).Action == Nothing
}

// reason is why an image could not be read, for an App's status.
func reason(err error) string {
	for _, ours := range []error{errNotGranted, errNoName} {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	return image.Reason(err)
}

// noteInspection writes what an inspection found, or that it failed, into the status of an App whose image it was.
func noteInspection(app *v1alpha1.App, found image.Inspection, now time.Time) {
	s := &app.Status
	failures := s.StartCommands.Failures + 1
	if s.StartCommands.Image != s.Image || s.StartCommands.UpdateRequests != app.Spec.Build.UpdateRequests {
		failures = 1
	} else if was := s.StartCommands.LookedAt; was != nil && now.Sub(was.Time) < sameInspection {
		failures = s.StartCommands.Failures
	}
	known := s.StartCommands
	s.StartCommands = v1alpha1.StartCommandStatus{
		Container: found.Entrypoint, Args: found.Cmd, Shell: found.Shell, ShellPath: found.ShellPath,
		Image: s.Image, UpdateRequests: app.Spec.Build.UpdateRequests, Digest: found.Digest,
		Hidden: found.Hidden,
	}
	processes := s.Processes
	s.Processes = found.Processes
	if found.Err != nil && found.Digest == "" && known.Image == s.Image { // better than an assumption is what was there before
		s.StartCommands.Container, s.StartCommands.Args = known.Container, known.Args
		s.StartCommands.Shell, s.StartCommands.ShellPath, s.StartCommands.Hidden = known.Shell, known.ShellPath, known.Hidden
		s.Processes = processes
	}
	if found.Err != nil {
		s.StartCommands.Error, s.StartCommands.Failures, s.StartCommands.LookedAt = reason(found.Err), failures, &metav1.Time{Time: now}
	}
}

// SyncStatus writes what Tasks need of an App into its status. found is nil when the image was inspected before.
func SyncStatus(app *v1alpha1.App, found *image.Inspection, now time.Time) {
	s := &app.Status
	s.ObservedGeneration = app.Generation
	s.Image = Image(app)
	s.ServiceAccountName = app.Spec.Template.Spec.ServiceAccountName
	s.Instances.Representation = ""
	if app.Spec.Instances.Stopped {
		s.Instances.Representation = "stopped"
	}
	if found != nil {
		noteInspection(app, *found, now)
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonImageReady}
	switch {
	case s.Image == "" && app.FromSource():
		ready = notBuilt(s.Conditions)
	case s.Image == "":
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoImage
		ready.Message = "spec.build names no image and no source: push the App with --docker-image, or from a folder"
	case found != nil && errors.Is(found.Err, errNotGranted):
		ready.Reason = v1alpha1.ReasonRegistryRefused
		ready.Message = "a shell is assumed: " + found.Err.Error() + ", and build may read none here; to let it: " + Grant(app.Namespace)
	case found != nil && errors.Is(found.Err, image.ErrRefused):
		ready.Reason = v1alpha1.ReasonRegistryRefused
		ready.Message = "a shell is assumed: " + found.Err.Error() + ": see imagePullSecrets of the App and of its service account"
	}
	if ready.Message == "" && s.StartCommands.Error != "" {
		ready.Message = "a shell is assumed: " + s.StartCommands.Error
	}
	if hidden := s.StartCommands.Hidden; hidden != "" && ready.Message == "" {
		ready.Message = "the image has the App in " + hidden + ", where Tekton mounts an empty directory: its Tasks see no file of it. " +
			"Build it with another directory, such as pack build --workspace /app"
	}
	if lost := pipelinerun.LostVariables(app); len(lost) > 0 && ready.Message == "" {
		ready.Message = "the image's " + s.StartCommands.ShellPath + " hands no variable of such a name on to a command: " +
			strings.Join(lost, ", ") + ": bash in the image does, or another name"
	}
	if !app.Spec.Instances.Stopped && ready.Message == "" {
		ready.Message = "its Tasks run; nothing serves it here"
	}
	if s.StartCommands.Error == errNoName.Error() && !app.FromSource() { // which no registry can mend
		s.Image, ready.Status, ready.Reason = "", metav1.ConditionFalse, v1alpha1.ReasonInvalidApp
		ready.Message = errNoName.Error() + ": push the App with another"
	}
	if err := pipelinerun.Fit(app); err != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonInvalidApp
		ready.Message = err.Error() + ": change it, and the App's Tasks can run"
	}
	if app.Unreadable != "" {
		ready.Status, ready.Reason = metav1.ConditionFalse, v1alpha1.ReasonInvalidApp
		ready.Message = app.Unreadable + ": change it, and the App's Tasks can run"
	}
	v1alpha1.SetCondition(app, &s.Conditions, ready, now)
}
