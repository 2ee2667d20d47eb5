package main

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// layered is an image of such layers of files. A name with a size, "zeros*9", is a file of so many MiB; "noise*9" one that can't be
// compressed.
func layered(t *testing.T, config v1.Config, layers ...[]string) v1.Image {
	t.Helper()
	img := empty.Image
	for _, files := range layers {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(write(tar.NewWriter(w), files)) }()
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	img, err := mutate.Config(img, config)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func write(w *tar.Writer, files []string) error {
	for _, f := range files {
		file, size, _ := strings.Cut(f, "*")
		if err := w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(size)) << 20}); err != nil {
			return err
		}
		chunk := make([]byte, 1<<20)
		for range size {
			if file == "noise" {
				for i := range chunk {
					chunk[i] = byte(rand.Uint32())
				}
			}
			if _, err := w.Write(chunk); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

// TestTheBestShell, whatever layer brings it, links it, or takes it away.
func TestTheBestShell(t *testing.T) {
	type files = []string
	for name, test := range map[string]struct {
		layers []files
		want   string
	}{
		"none":                  {[]files{{"app"}}, ""},
		"sh":                    {[]files{{"bin/sh"}}, "/bin/sh"},
		"merged /usr":           {[]files{{"./usr/bin/sh"}}, "/usr/bin/sh"},
		"bash of the same":      {[]files{{"bin/sh", "bin/bash"}}, "/bin/bash"},
		"bash of a later layer": {[]files{{"bin/sh"}, {"app"}, {"usr/bin/bash"}}, "/usr/bin/bash"},
		"taken away":            {[]files{{"bin/sh"}, {"bin/.wh.sh"}}, ""},
		"bash taken away":       {[]files{{"bin/sh", "bin/bash"}, {"bin/.wh.bash"}}, "/bin/sh"},
		"all of bin":            {[]files{{"bin/sh"}, {".wh.bin"}}, ""},
		"all in bin":            {[]files{{"usr/bin/sh"}, {"usr/bin/.wh..wh..opq", "usr/bin/app"}}, ""},
		"another bin":           {[]files{{"bin/sh"}, {"opt/bin/.wh.sh", "opt/.wh..wh..opq"}}, "/bin/sh"},
		"brought back":          {[]files{{"bin/sh"}, {"bin/.wh.sh"}, {"bin/sh"}}, "/bin/sh"},
		"another's":             {[]files{{"opt/bin/bash", "bin/shell"}}, ""},
	} {
		got, err := findShell(layered(t, v1.Config{}, test.layers...))
		if got != test.want || err != nil {
			t.Errorf("%s: %q %v, want %q", name, got, err, test.want)
		}
	}
}

// TestALargeLayerIsNotReadForMore: a shell that is there will do.
func TestALargeLayerIsNotReadForMore(t *testing.T) {
	large := "noise*" + strings.Repeat("x", maxMore>>20+1)
	if got, err := findShell(layered(t, v1.Config{}, []string{"bin/sh"}, []string{large, "bin/bash"})); got != "/bin/sh" || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

func TestInspectSaysHowAnImageStarts(t *testing.T) {
	cnb := map[string]string{"io.buildpacks.build.metadata": "{}"}
	for name, test := range map[string]struct {
		config v1.Config
		files  []string
		want   Looked
	}{
		"ENTRYPOINT and CMD": {v1.Config{Entrypoint: []string{"/entry.sh"}, Cmd: []string{"serve"}}, []string{"bin/sh", "bin/bash"},
			Looked{Entrypoint: []string{"/entry.sh"}, Cmd: []string{"serve"}, Shell: v1alpha1.ShellPOSIX, ShellPath: "/bin/bash"}},
		"buildpacks": {v1.Config{Entrypoint: []string{"/cnb/process/web"}, Labels: cnb, Env: []string{"CNB_APP_DIR=/app"}}, []string{"bin/bash"},
			Looked{Entrypoint: []string{"/cnb/process/web"}, Shell: v1alpha1.ShellLauncher, ShellPath: "/bin/bash"}},
		"buildpacks on a small stack": {v1.Config{Entrypoint: []string{"/cnb/process/web"}, Labels: cnb}, []string{"app"},
			Looked{Entrypoint: []string{"/cnb/process/web"}, Shell: v1alpha1.ShellLauncher, Hidden: "/workspace"}},
		"a directory below Tekton's": {v1.Config{Entrypoint: []string{"/a"}, WorkingDir: "/workspace/app"}, []string{"bin/sh"},
			Looked{Entrypoint: []string{"/a"}, Shell: v1alpha1.ShellPOSIX, ShellPath: "/bin/sh", Hidden: "/workspace/app"}},
	} {
		if got := inspect(layered(t, test.config, test.files)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestAnyImageOfAnIndex: amd64's if there is one, else what there is for Linux; what a tag means is the index.
func TestAnyImageOfAnIndex(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	push := func(tag string, platforms ...string) name.Reference {
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/app:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		index := v1.ImageIndex(empty.Index)
		for _, p := range platforms {
			platform, err := v1.ParsePlatform(p)
			if err != nil {
				t.Fatal(err)
			}
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add:        layered(t, v1.Config{Entrypoint: []string{"/" + p}}, []string{"app"}),
				Descriptor: v1.Descriptor{Platform: platform},
			})
		}
		if err := remote.WriteIndex(ref, index); err != nil {
			t.Fatal(err)
		}
		return ref
	}
	for want, platforms := range map[string][]string{
		"/linux/amd64":   {"linux/arm64", "linux/amd64", "windows/amd64"},
		"/linux/arm64":   {"linux/s390x", "linux/arm64", "unknown/unknown"},
		"/linux/riscv64": {"windows/amd64", "linux/riscv64"},
		"":               {"windows/amd64"},
	} {
		ref := push("x"+strings.ReplaceAll(want, "/", "-"), platforms...)
		there, err := remote.Get(ref)
		if err != nil {
			t.Fatal(err)
		}
		got := inspectAny(ref, there)
		switch {
		case want == "" && (!errors.Is(got.Err, errNoLinux) || said(got.Err) != errNoLinux.Error()):
			t.Errorf("%v: %+v", platforms, got)
		case want != "" && (got.Err != nil || !reflect.DeepEqual(got.Entrypoint, []string{want}) || got.Digest != there.Digest.String()):
			t.Errorf("%v: %+v, want %s and the index's digest %s", platforms, got, want, there.Digest)
		}
	}
}

// TestAPushedTagIsLookedAtAgain: by the same name it may be another image.
func TestAPushedTagIsLookedAtAgain(t *testing.T) {
	ref := "registry.example/shop:1"
	app := &v1alpha1.App{}
	app.Spec.Build.Image, app.Spec.Build.UpdateRequests = &ref, 1
	SyncStatus(app, &Looked{Shell: v1alpha1.ShellPOSIX, Digest: "sha256:1"}, time.Unix(1, 0))
	if NeedsLook(app, time.Unix(1, 0)) {
		t.Error("it was looked at")
	}
	app.Generation, app.Spec.Build.UpdateRequests = 2, 2
	if !NeedsLook(app, time.Unix(1, 0)) {
		t.Error("it was pushed again")
	}
}

func TestVariablesThatTheShellLosesAreSaid(t *testing.T) {
	ref := "registry.example/shop:1"
	for path, said := range map[string]bool{"/bin/sh": true, "/bin/bash": false} {
		app := &v1alpha1.App{}
		app.Spec.Build.Image = &ref
		app.Spec.Template.Spec.Containers = []corev1.Container{{Name: v1alpha1.UserContainer, Env: []corev1.EnvVar{{Name: "app.mode"}, {Name: "PLAIN"}}}}
		SyncStatus(app, &Looked{Shell: v1alpha1.ShellPOSIX, ShellPath: path, Digest: "sha256:1"}, time.Unix(1, 0))
		if ready := app.Status.Conditions[0]; ready.Status != "True" || strings.Contains(ready.Message, "app.mode") != said || strings.Contains(ready.Message, "PLAIN") {
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
