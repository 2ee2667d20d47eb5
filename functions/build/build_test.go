package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/image"
)

func TestSyncStatus(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Generation = 2
	SyncStatus(app, nil, time.Unix(1, 0))
	if app.Status.Conditions[0].Reason != v1alpha1.ReasonNoImage || !InSync(app, time.Unix(12, 0)) {
		t.Errorf("without an image: %+v", app.Status)
	}
	app.Spec.Build.Image, app.Generation = &ref, 3
	if InSync(app, time.Time{}) || !NeedsInspection(app, time.Time{}) {
		t.Error("a new image is to be inspected")
	}
	SyncStatus(app, &image.Inspection{Err: errors.New("registry down")}, time.Unix(2, 0))
	if app.Status.Image != ref || app.Status.Conditions[0].Reason != v1alpha1.ReasonImageReady {
		t.Errorf("an image that could not be read runs: %+v", app.Status)
	}
	if !InSync(app, time.Time{}) {
		t.Error("the event of the function's own note of a failure is cause for another inspection")
	}
	if InSync(app, time.Unix(12, 0)) {
		t.Error("an image that could not be read is not inspected again")
	}
	app.Generation = 4
	if !NeedsInspection(app, time.Time{}) {
		t.Error("an App was changed, its credentials maybe, and its image that could not be read is not inspected")
	}
	SyncStatus(app, &image.Inspection{Shell: v1alpha1.ShellPOSIX}, time.Unix(3, 0))
	if !InSync(app, time.Unix(12, 0)) || app.Status.StartCommands.Error != "" {
		t.Errorf("read at last: %+v", app.Status.StartCommands)
	}
	app.Generation = 5
	if InSync(app, time.Time{}) || NeedsInspection(app, time.Time{}) {
		t.Error("a change of the App alone is cause for a status, not for an inspection of an image that was read")
	}
}

// TestInspectionsThatFailBecomeRare: ten seconds after the first, then twice as long each time, to an hour; a new image begins anew.
func TestInspectionsThatFailBecomeRare(t *testing.T) {
	ref, now := "registry.example/shop:1", time.Unix(0, 0)
	app := &v1alpha1.App{}
	app.Spec.Build.Image = &ref
	for _, wait := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600} {
		SyncStatus(app, &image.Inspection{Err: errNotGranted}, now)
		next := now.Add(wait * time.Second)
		if NeedsInspection(app, next.Add(-1)) || !NeedsInspection(app, next) {
			t.Errorf("after %d failures not inspected again after %s: %+v", app.Status.StartCommands.Failures, wait*time.Second, app.Status.StartCommands)
		}
		now = next
	}
	other := "registry.example/shop:2"
	app.Spec.Build.Image = &other
	SyncStatus(app, &image.Inspection{Err: errNotGranted}, now)
	if app.Status.StartCommands.Failures != 1 {
		t.Errorf("another image: %+v", app.Status.StartCommands)
	}
}

func TestWhatToDoAboutARefusal(t *testing.T) {
	ref := "registry.example/shop:1"
	for err, want := range map[error]string{
		errNotGranted:    "kubectl -n team create rolebinding kf-tasks-build-pull --clusterrole=kf-tasks-build-pull",
		image.ErrRefused: "see imagePullSecrets",
	} {
		app := &v1alpha1.App{}
		app.Namespace, app.Spec.Build.Image = "team", &ref
		SyncStatus(app, &image.Inspection{Err: err}, time.Unix(1, 0))
		ready := app.Status.Conditions[0]
		if ready.Status != "True" || ready.Reason != v1alpha1.ReasonRegistryRefused || !strings.Contains(ready.Message, want) {
			t.Errorf("%+v, want %q", ready, want)
		}
	}
}

// TestTooLargeIsAnAnswer: the same image is as large the next time.
func TestTooLargeIsAnAnswer(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Spec.Build.Image = &ref
	SyncStatus(app, &image.Inspection{Err: image.ErrTooLarge}, time.Unix(1, 0))
	app.Generation = 2
	if NeedsInspection(app, time.Unix(1e9, 0)) || app.Status.StartCommands.Error == "" || app.Status.Conditions[0].Status != "True" {
		t.Errorf("%+v", app.Status)
	}
	other := "registry.example/shop:2"
	app.Spec.Build.Image = &other
	if !NeedsInspection(app, time.Time{}) {
		t.Error("another image is not inspected")
	}
}

// TestAPushedTagIsInspectedAgain: by the same name it may be another image.
func TestAPushedTagIsInspectedAgain(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Spec.Build.Image, app.Spec.Build.UpdateRequests = &ref, 1
	SyncStatus(app, &image.Inspection{Shell: v1alpha1.ShellPOSIX, Digest: "sha256:1"}, time.Unix(1, 0))
	if NeedsInspection(app, time.Unix(1, 0)) {
		t.Error("it was inspected")
	}
	app.Generation, app.Spec.Build.UpdateRequests = 2, 2
	if !NeedsInspection(app, time.Unix(1, 0)) {
		t.Error("it was pushed again")
	}
}

func TestVariablesThatTheShellLosesAreSaid(t *testing.T) {
	ref := "registry.example/shop:1"
	for path, told := range map[string]bool{"/bin/sh": true, "/bin/bash": false} {
		app := &v1alpha1.App{}
		app.Spec.Build.Image = &ref
		app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer, Env: []corev1.EnvVar{{Name: "app.mode"}, {Name: "PLAIN"}}}}
		SyncStatus(app, &image.Inspection{Shell: v1alpha1.ShellPOSIX, ShellPath: path, Digest: "sha256:1"}, time.Unix(1, 0))
		if ready := app.Status.Conditions[0]; ready.Status != "True" || strings.Contains(ready.Message, "app.mode") != told || strings.Contains(ready.Message, "PLAIN") {
			t.Errorf("%s: %+v", path, ready)
		}
	}
}

func TestAnAppThatTasksCantHaveIsInvalid(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Spec.Build.Image = &ref
	app.Spec.Template.Spec.HostPID = true
	SyncStatus(app, nil, time.Unix(1, 0))
	if ready := app.Status.Conditions[0]; ready.Status != "False" || ready.Reason != v1alpha1.ReasonInvalidApp || !strings.Contains(ready.Message, "hostPID") {
		t.Errorf("%+v", ready)
	}
}
