package image

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

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

func TestInspect(t *testing.T) {
	cnb := map[string]string{"io.buildpacks.build.metadata": "{}"}
	for name, test := range map[string]struct {
		config v1.Config
		files  []string
		want   v1alpha1.Shell
	}{
		"plain":              {v1.Config{Entrypoint: []string{"/app"}}, []string{"etc/passwd", "bin/sh"}, v1alpha1.ShellPOSIX},
		"merged /usr":        {v1.Config{}, []string{"./usr/bin/sh"}, v1alpha1.ShellPOSIX},
		"static":             {v1.Config{Entrypoint: []string{"/app"}}, []string{"app"}, v1alpha1.ShellNone},
		"buildpacks":         {v1.Config{Entrypoint: []string{"/cnb/process/web"}, Labels: cnb}, []string{"bin/sh"}, v1alpha1.ShellLauncher},
		"Kf's v2 buildpacks": {v1.Config{Entrypoint: []string{"/lifecycle/entrypoint.bash"}}, []string{"bin/sh"}, v1alpha1.ShellLauncher},
	} {
		if found := inspect(layered(t, test.config, test.files)); found.Shell != test.want || found.Err != nil {
			t.Errorf("%s: %q %v, want %q", name, found.Shell, found.Err, test.want)
		}
	}
}

func TestInspectSaysHowAnImageStarts(t *testing.T) {
	cnb := map[string]string{"io.buildpacks.build.metadata": "{}"}
	for name, test := range map[string]struct {
		config v1.Config
		files  []string
		want   Inspection
	}{
		"ENTRYPOINT and CMD": {v1.Config{Entrypoint: []string{"/entry.sh"}, Cmd: []string{"serve"}}, []string{"bin/sh", "bin/bash"},
			Inspection{Entrypoint: []string{"/entry.sh"}, Cmd: []string{"serve"}, Shell: v1alpha1.ShellPOSIX, ShellPath: "/bin/bash"}},
		"buildpacks": {v1.Config{Entrypoint: []string{"/cnb/process/web"}, Labels: cnb, Env: []string{"CNB_APP_DIR=/app"}}, []string{"bin/bash"},
			Inspection{Entrypoint: []string{"/cnb/process/web"}, Shell: v1alpha1.ShellLauncher, ShellPath: "/bin/bash"}},
		"buildpacks on a small stack": {v1.Config{Entrypoint: []string{"/cnb/process/web"}, Labels: cnb}, []string{"app"},
			Inspection{Entrypoint: []string{"/cnb/process/web"}, Shell: v1alpha1.ShellLauncher, Hidden: "/workspace"}},
		"a directory below Tekton's": {v1.Config{Entrypoint: []string{"/a"}, WorkingDir: "/workspace/app"}, []string{"bin/sh"},
			Inspection{Entrypoint: []string{"/a"}, Shell: v1alpha1.ShellPOSIX, ShellPath: "/bin/sh", Hidden: "/workspace/app"}},
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
		case want == "" && (!errors.Is(got.Err, errNoLinux) || Reason(got.Err) != errNoLinux.Error()):
			t.Errorf("%v: %+v", platforms, got)
		case want != "" && (got.Err != nil || !reflect.DeepEqual(got.Entrypoint, []string{want}) || got.Digest != there.Digest.String()):
			t.Errorf("%v: %+v, want %s and the index's digest %s", platforms, got, want, there.Digest)
		}
	}
}

// TestARefusalIsToldFromOtherAnswers: what to do about it is the Space's affair, and who calls says it.
func TestARefusalIsToldFromOtherAnswers(t *testing.T) {
	for status, refused := range map[int]bool{http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(status)
			}
		}))
		defer server.Close()
		ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/app:1")
		if err != nil {
			t.Fatal(err)
		}
		found := Inspect(t.Context(), ref, authn.NewMultiKeychain(), http.DefaultTransport)
		if found.Err == nil || errors.Is(found.Err, ErrRefused) != refused || refused && Reason(found.Err) != ErrRefused.Error() {
			t.Errorf("%d: %v", status, found.Err)
		}
	}
}
