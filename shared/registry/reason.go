package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Reason says why an image could not be read, for an App's status: in words of ours, which are the same each time. What a
// registry answers is its own text, and where a redirect led is nobody's business; the log has both.
func Reason(err error) string {
	var (
		answer      *transport.Error
		name        *net.DNSError
		timeout     net.Error
		certificate *tls.CertificateVerificationError
	)
	for _, ours := range []error{ErrLinkLocal, ErrLongAnswer, ErrLongConfig} {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	switch {
	case errors.As(err, &answer) && http.StatusText(answer.StatusCode) == "":
		return fmt.Sprintf("the registry answers %d", answer.StatusCode)
	case errors.As(err, &answer):
		return fmt.Sprintf("the registry answers %d (%s)", answer.StatusCode, http.StatusText(answer.StatusCode))
	case errors.As(err, &name) && name.IsNotFound:
		return "the registry's name is not known"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the registry does not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the registry's address takes no connections"
	case errors.As(err, &certificate):
		return "the registry's certificate is not trusted"
	}
	return "the image can't be read"
}
