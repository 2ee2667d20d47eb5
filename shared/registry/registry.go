// Package registry reads images from registries that are not trusted: whoever may make an App chooses the registry, and so
// where a function connects to and what it is answered.
package registry

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxAnswer bounds a manifest, a token, an error: read at once and then parsed, where `{}` becomes a hundred bytes.
	// Real manifests have a few dozen KiB; registries need to take four MiB at most (OCI distribution-spec, "Pushing Manifests").
	maxAnswer = 256 << 10
	// maxConfig bounds an image's configuration. The labels of buildpacks are its largest part.
	maxConfig = 1 << 20
	// maxWindow is what a layer of zstd may have its reader keep in memory (RFC 8878, 3.1.1.1.2: decoders should take 8 MiB).
	maxWindow = 8 << 20
)

var (
	ErrLinkLocal  = errors.New("no registry is served at an address of the link itself")
	ErrLongAnswer = fmt.Errorf("the registry answers with more than %d KiB where a manifest or a token belongs", maxAnswer>>10)
	ErrLongConfig = fmt.Errorf("the image's configuration is said to be larger than %d KiB", maxConfig>>10)
)

// Transport is how registries are reached.
func Transport() http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: noLinkLocal}).DialContext
	return short{t}
}

// noLinkLocal refuses link-local addresses, where clouds serve the credentials of a machine to whoever runs on it. It is
// asked about each address that is connected to, whatever name, redirect or token server led there.
func noLinkLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	if ip := to.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return ErrLinkLocal
	}
	return nil
}

// short cuts off all answers but blobs, which are streamed.
type short struct{ http.RoundTripper }

var blob = regexp.MustCompile(`^/v2/.+/blobs/[a-z0-9]+:[0-9a-f]+$`)

func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	first := r // that a redirect answers: a blob may come from a store with paths of its own
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	if answer.StatusCode != http.StatusOK || first.URL.RawQuery != "" || !blob.MatchString(first.URL.Path) {
		answer.Body = &shortBody{answer.Body, maxAnswer}
	}
	return answer, nil
}

// shortBody fails where io.LimitReader would end: half a manifest is none.
type shortBody struct {
	io.ReadCloser
	left int
}

func (b *shortBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		if n, err := b.ReadCloser.Read(make([]byte, 1)); n == 0 {
			return 0, err
		}
		return 0, ErrLongAnswer
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// layer is an opened layer's tar.
type layer struct {
	io.Reader
	close []func() error
}

func (l layer) Close() (err error) {
	for _, c := range l.close {
		err = errors.Join(err, c())
	}
	return err
}

// Open reads a layer in little memory: of zstd's decoders the one of go-containerregistry keeps as much as the layer asks for.
func Open(l v1.Layer) (io.ReadCloser, error) {
	raw, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(raw)
	magic, _ := r.Peek(4) // a shorter one is no archive, which its reader says
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return layer{z, []func() error{z.Close, raw.Close}}, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878, 3.1.1
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return layer{z, []func() error{z.IOReadCloser().Close, raw.Close}}, nil
	}
	return layer{r, []func() error{raw.Close}}, nil
}

// CheckConfig keeps a configuration that is said to be huge, or of unknown size, from being read.
func CheckConfig(img v1.Image) error {
	m, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("read the image's manifest: %w", err)
	}
	if m.Config.Size < 0 || m.Config.Size > maxConfig {
		return ErrLongConfig
	}
	return nil
}
