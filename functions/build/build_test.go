package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func image(t *testing.T, entrypoint []string, labels map[string]string, files ...string) v1.Image {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f, Typeflag: tar.TypeReg, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.Config(img, v1.Config{Entrypoint: entrypoint, Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestInspect(t *testing.T) {
	for name, test := range map[string]struct {
		img  v1.Image
		want v1alpha1.Shell
	}{
		"plain":       {image(t, []string{"/app"}, nil, "etc/passwd", "bin/sh"), v1alpha1.ShellPOSIX},
		"merged /usr": {image(t, nil, nil, "./usr/bin/sh"), v1alpha1.ShellPOSIX},
		"static":      {image(t, []string{"/app"}, nil, "app"), v1alpha1.ShellNone},
		"buildpacks": {image(t, []string{"/cnb/process/web"}, map[string]string{"io.buildpacks.build.metadata": "{}"}, "bin/sh"),
			v1alpha1.ShellLauncher},
		"Kf's v2 buildpacks": {image(t, []string{"/lifecycle/entrypoint.bash"}, nil, "bin/sh"), v1alpha1.ShellLauncher},
	} {
		if l := inspect(test.img); l.Shell != test.want || l.Err != nil {
			t.Errorf("%s: %q %v, want %q", name, l.Shell, l.Err, test.want)
		}
	}
}

func TestSyncStatus(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Generation = 2
	SyncStatus(app, nil, time.Unix(1, 0))
	if app.Status.Conditions[0].Reason != v1alpha1.ReasonNoImage || !InSync(app, time.Unix(12, 0)) {
		t.Errorf("without an image: %+v", app.Status)
	}
	app.Spec.Build.Image, app.Generation = &ref, 3
	if InSync(app, time.Time{}) || !NeedsLook(app, time.Time{}) {
		t.Error("a new image is to be looked into")
	}
	SyncStatus(app, &Looked{Err: errors.New("registry down")}, time.Unix(2, 0))
	if app.Status.Image != ref || app.Status.Conditions[0].Reason != v1alpha1.ReasonImageReady {
		t.Errorf("an image that could not be read runs: %+v", app.Status)
	}
	if !InSync(app, time.Time{}) {
		t.Error("the event of the function's own note of a failure is cause for another look")
	}
	if InSync(app, time.Unix(12, 0)) {
		t.Error("an image that could not be read is not looked into again")
	}
	app.Generation = 4
	if !NeedsLook(app, time.Time{}) {
		t.Error("an App was changed, its credentials maybe, and its image that could not be read is not looked into")
	}
	SyncStatus(app, &Looked{Shell: v1alpha1.ShellPOSIX}, time.Unix(3, 0))
	if !InSync(app, time.Unix(12, 0)) || app.Status.StartCommands.Error != "" {
		t.Errorf("read at last: %+v", app.Status.StartCommands)
	}
	app.Generation = 5
	if InSync(app, time.Time{}) || NeedsLook(app, time.Time{}) {
		t.Error("a change of the App alone is cause for a status, not for a look into an image that was read")
	}
}

// TestLooksThatFailBecomeRare: ten seconds after the first, then twice as long each time, to an hour; a new image begins anew.
func TestLooksThatFailBecomeRare(t *testing.T) {
	ref, now := "registry.example/shop:1", time.Unix(0, 0)
	app := &v1alpha1.App{}
	app.Spec.Build.Image = &ref
	for _, wait := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600} {
		SyncStatus(app, &Looked{Err: errNotGranted}, now)
		next := now.Add(wait * time.Second)
		if NeedsLook(app, next.Add(-1)) || !NeedsLook(app, next) {
			t.Errorf("after %d failures not looked into again after %s: %+v", app.Status.StartCommands.Failures, wait*time.Second, app.Status.StartCommands)
		}
		now = next
	}
	other := "registry.example/shop:2"
	app.Spec.Build.Image = &other
	if SyncStatus(app, &Looked{Err: errNotGranted}, now); app.Status.StartCommands.Failures != 1 {
		t.Errorf("another image: %+v", app.Status.StartCommands)
	}
}

func TestWhatToDoAboutARefusal(t *testing.T) {
	ref := "registry.example/shop:1"
	for err, want := range map[error]string{
		errNotGranted: "kubectl -n team create rolebinding kf-tasks-build-pull --clusterrole=kf-tasks-build-pull",
		errRefused:    "see imagePullSecrets",
	} {
		app := &v1alpha1.App{}
		app.Namespace, app.Spec.Build.Image = "team", &ref
		SyncStatus(app, &Looked{Err: err}, time.Unix(1, 0))
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
	SyncStatus(app, &Looked{Err: errTooLarge}, time.Unix(1, 0))
	app.Generation = 2
	if NeedsLook(app, time.Unix(1e9, 0)) || app.Status.StartCommands.Error == "" || app.Status.Conditions[0].Status != "True" {
		t.Errorf("%+v", app.Status)
	}
	other := "registry.example/shop:2"
	if app.Spec.Build.Image = &other; !NeedsLook(app, time.Time{}) {
		t.Error("another image is not looked into")
	}
}
