package registry

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// TestARegistryCannotExhaustTheFunction: whoever makes an App names the registry, which answers as it likes.
func TestARegistryCannotExhaustTheFunction(t *testing.T) {
	const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	endless := func(w http.ResponseWriter) {
		for chunk := bytes.Repeat([]byte(" "), 1<<20); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	manifest := func(size string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			fmt.Fprintf(w, `{"schemaVersion": 2, "config": {"digest": %q, "size": %s}, "layers": []}`, digest, size)
		}
	}
	for name, c := range map[string]struct {
		manifest func(http.ResponseWriter)
		want     error
	}{
		"endless manifest":                 {endless, ErrLongAnswer},
		"configuration of a terabyte":      {manifest("1000000000000"), ErrLongConfig},
		"configuration of an unknown size": {manifest("-1"), ErrLongConfig},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, "/manifests/"):
					c.manifest(w)
				case strings.Contains(r.URL.Path, "/blobs/"):
					endless(w)
				}
			}))
			defer server.Close()
			if err := lookAt(t, strings.TrimPrefix(server.URL, "http://")+"/app:1"); !errors.Is(err, c.want) {
				t.Errorf("%.200v, want %v", err, c.want)
			}
		})
	}
}

// TestABlobMayBeLong, and may come from elsewhere: it is streamed.
func TestABlobMayBeLong(t *testing.T) {
	long := strings.Repeat("x", 3*maxAnswer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "/store/1?signature=2", http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, long)
	}))
	defer server.Close()
	client := &http.Client{Transport: Transport()}
	for path, want := range map[string]error{"/v2/x/blobs/sha256:aa": nil, "/v2/x/blobs/sha256:aa?service=a-token-server": ErrLongAnswer, "/store/1": ErrLongAnswer} {
		r, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if !errors.Is(err, want) || want == nil && len(b) != len(long) || len(b) > len(long) {
			t.Errorf("%s: %d bytes, %v; want %v", path, len(b), err, want)
		}
	}
}

// TestNoRegistryIsLookedForOnTheLink: that is where clouds give the node's credentials away.
func TestNoRegistryIsLookedForOnTheLink(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "[fe80::1]:5000", "[::ffff:169.254.169.254]:80", "0.0.0.0:80", "224.0.0.1:80"} {
		if err := lookAt(t, host+"/latest/meta-data:1"); !errors.Is(err, ErrLinkLocal) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func lookAt(t *testing.T, image string) error {
	t.Helper()
	ref, err := name.ParseReference(image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref, remote.WithContext(t.Context()), remote.WithTransport(Transport()))
	if err != nil {
		return err
	}
	return CheckConfig(img)
}

// TestALayerIsReadInLittleMemory: one of zstd says itself how much of it is to be kept, and may say half a gigabyte.
func TestALayerIsReadInLittleMemory(t *testing.T) {
	layer := func(window int) v1.Layer {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(z)
		const size = 32 << 20
		if err := w.WriteHeader(&tar.Header{Name: "zeros", Size: size, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 1<<20)
		for range size >> 20 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755}), w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		return static.NewLayer(b.Bytes(), types.OCILayerZStd)
	}
	for window, want := range map[int]error{maxWindow: nil, 128 << 20: zstd.ErrWindowSizeExceeded} {
		l := layer(window)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := readAll(l)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, want) {
			t.Errorf("a window of %d MiB: %v", window>>20, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*maxWindow {
			t.Errorf("a window of %d MiB: reading it took %d MiB", window>>20, took>>20)
		}
	}
}

func readAll(l v1.Layer) error {
	r, err := Open(l)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// TestReason: what an App's status says is ours, and the same each time, whatever a registry, a port or an id was.
func TestReason(t *testing.T) {
	answered := func(status int, body string) error {
		return &transport.Error{StatusCode: status, Errors: []transport.Diagnostic{{Code: "DENIED", Message: body}}}
	}
	for want, err := range map[string]error{
		"the registry answers 404 (Not Found)":        fmt.Errorf("read: %w", answered(404, "\x1b[2Jcall 555-0100")),
		"the registry answers 299":                    answered(299, "x"),
		"the registry does not answer in time":        fmt.Errorf("GET https://r:41303/v2/: %w", context.DeadlineExceeded),
		"the registry's name is not known":            &net.OpError{Op: "dial", Err: &net.DNSError{Name: "r", IsNotFound: true}},
		"the registry's address takes no connections": &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"the registry's certificate is not trusted":   &tls.CertificateVerificationError{Err: errors.New("x")},
		ErrLinkLocal.Error():                          &net.OpError{Op: "dial", Err: ErrLinkLocal},
		ErrLongAnswer.Error():                         fmt.Errorf("read: %w", ErrLongAnswer),
		"the image can't be read":                     errors.New("sha256:1234 from 10.0.0.1:41303: what they say"),
	} {
		if got := Reason(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
