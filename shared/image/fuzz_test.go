package image

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// answers is a registry.
type answers func(*http.Request) (int, string, []byte)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, kind, body := f(r)
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {kind}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body)))}, nil
}

// FuzzRegistry: whatever a registry answers, the App gets a way to start its Tasks, or one of the fixed words for why not.
func FuzzRegistry(f *testing.F) {
	digest := func(b []byte) string {
		h, _, err := v1.SHA256(strings.NewReader(string(b)))
		if err != nil {
			f.Fatal(err)
		}
		return h.String()
	}
	config := []byte(`{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/app"]},"rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("a", 64) + `"]}}`)
	f.Add(200, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"CONFIG","size":SIZE},"layers":[{"digest":"LAYER","size":9}]}`, config, []byte("not a tar"))
	f.Add(200, `{"schemaVersion":2,"manifests":[{"digest":"CONFIG","size":SIZE,"platform":{"architecture":"amd64","os":"linux"}}]}`, config, []byte("\x1f\x8b"))
	f.Add(200, `{"config":{"digest":"CONFIG","size":SIZE}}`, []byte(`{"config":{"Entrypoint":["/lifecycle/x"],"Labels":{"io.buildpacks.build.metadata":""}}}`), []byte("\x28\xb5\x2f\xfd"))
	f.Add(200, `{"config":{"size":-1},"layers":[{"digest":"LAYER","size":-9}]}`, []byte("[]"), []byte{})
	f.Add(401, "\x1b[2J 10.0.0.1", []byte{}, []byte{})
	f.Add(500, `{"errors":[{"code":"\u001b","message":"`, []byte{}, []byte{})
	ref, err := name.ParseReference("registry.example/app:1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, manifest string, config, layer []byte) {
		if status = 200 + status%400; status < 200 || status/100 == 3 {
			return
		}
		manifest = strings.NewReplacer("CONFIG", digest(config), "SIZE", fmt.Sprint(len(config)), "LAYER", digest(layer)).Replace(manifest)
		var found Inspection
		img, err := remote.Image(ref, remote.WithRetryStatusCodes(), remote.WithTransport((answers(func(r *http.Request) (int, string, []byte) {
			switch {
			case r.URL.Path == "/v2/":
				return 200, "", nil
			case strings.Contains(r.URL.Path, "/manifests/"):
				return status, string(types.OCIManifestSchema1), []byte(manifest)
			case strings.HasSuffix(r.URL.Path, digest(config)):
				return 200, "", config
			}
			return 200, "", layer
		}))))
		found.Err = err
		if err == nil {
			found = inspect(img)
		}
		if found.Err == nil {
			if !slices.Contains([]v1alpha1.Shell{v1alpha1.ShellPOSIX, v1alpha1.ShellNone, v1alpha1.ShellLauncher}, found.Shell) {
				t.Errorf("%+v", found)
			}
			return
		}
		if why := Reason(found.Err); !strings.HasPrefix(why, "the image") && !strings.HasPrefix(why, "the registry") || len(why) > 100 ||
			strings.ContainsFunc(why, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q", why)
		}
	})
}
