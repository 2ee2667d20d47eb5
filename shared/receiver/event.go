package receiver

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	strict "sigs.k8s.io/json"

	"github.com/kf-tasks/kf-tasks/shared/strictjson"
)

// refusal is why a request is no event that can be handled, and the status that says so.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refused(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// ReadEvent reads the event of a request. It is as strict as the specification where that can be read in two ways: what
// two readers understand differently passes one's check and is carried out by the other.
func ReadEvent(r *http.Request) (*cloudevents.Event, error) {
	in, body, err := read(r)
	switch {
	case err != nil:
		return nil, err
	case in == batched:
		return nil, refused(http.StatusUnsupportedMediaType, "a batch is many events: post one")
	}
	return parse(r.Context(), r.Header, body, in)
}

// read reads a request that has one event or many.
func read(r *http.Request) (in mode, body []byte, err error) {
	if r.Method != http.MethodPost {
		return 0, nil, refused(http.StatusMethodNotAllowed, "post a CloudEvent; GET is for /healthz alone")
	}
	if err := attributesOnce(r.Header); err != nil {
		return 0, nil, err
	}
	if in, err = modeOf(r.Header); err != nil {
		return 0, nil, err
	}
	if body, err = io.ReadAll(r.Body); err != nil {
		return 0, nil, unread(err)
	}
	return in, body, nil
}

// parse reads one event.
func parse(ctx context.Context, h http.Header, body []byte, in mode) (*cloudevents.Event, error) {
	if in == structured {
		if err := envelope(body); err != nil {
			return nil, err
		}
	}
	e, err := binding.ToEvent(ctx, cehttp.NewMessage(h, io.NopCloser(bytes.NewReader(body))))
	switch {
	case errors.Is(err, binding.ErrUnknownEncoding):
		return nil, refused(http.StatusUnsupportedMediaType,
			"this is no CloudEvent: send Ce-* headers, or application/cloudevents+json")
	case err != nil:
		return nil, refused(http.StatusBadRequest, "this is no CloudEvent: %v", err)
	}
	if err := e.Validate(); err != nil {
		return nil, refused(http.StatusBadRequest, "this is no CloudEvent: %v", err)
	}
	return e, sound(e, h, in)
}

// attributesOnce decodes the headers that are attributes of an event, in place. The SDK does not: sent in structured mode,
// or by a sender that encodes as it must, one event would have two ids (CloudEvents' HTTP binding 1.0.2, 3.1.3.2;
// cloudevents/sdk-go#1331).
func attributesOnce(h http.Header) error {
	for name, values := range h {
		attribute := strings.HasPrefix(name, "Ce-")
		if (attribute || name == "Content-Type") && len(values) > 1 {
			return refused(http.StatusBadRequest, "the header %s is there %d times", name, len(values))
		}
		if attribute {
			values[0] = decoded(values[0])
		}
	}
	return nil
}

// decoded undoes the encoding of an attribute in a header: first a quoted string's (RFC 9110, 5.6.4), of older senders, then
// one round of percent-encoding. A percent sign that begins no code stands for itself: not every sender encodes it.
func decoded(v string) string {
	if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
		v = quotedPair.ReplaceAllString(v[1:len(v)-1], "$1")
	}
	return percentCode.ReplaceAllStringFunc(v, func(code string) string {
		b, _ := hex.DecodeString(code[1:])
		return string(b)
	})
}

var (
	quotedPair  = regexp.MustCompile(`\\(.)`)
	percentCode = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// mode is how a request holds its events (CloudEvents' HTTP binding 1.0.2, 3).
type mode int

const (
	binary     mode = iota // attributes in headers, data in the body
	structured             // an event in the body
	batched                // a list of events in the body
)

func modeOf(h http.Header) (mode, error) {
	if coding := strings.Join(h.Values("Content-Encoding"), ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		return 0, refused(http.StatusUnsupportedMediaType, "the body is encoded as %q: send it as it is", coding)
	}
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return binary, nil // of the data, whatever it may be
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return 0, refused(http.StatusUnsupportedMediaType, "the body is in %q: send UTF-8", charset)
	}
	switch {
	case kind == cloudevents.ApplicationCloudEventsBatchJSON:
		return batched, nil
	case kind == cloudevents.ApplicationCloudEventsJSON:
		return structured, nil
	case strings.HasPrefix(kind, "application/cloudevents"):
		return 0, refused(http.StatusUnsupportedMediaType,
			"the format %s is not known: send application/cloudevents+json, or application/cloudevents-batch+json", kind)
	}
	return binary, nil
}

// unread says why a body could not be read.
func unread(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return refused(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refused(http.StatusRequestTimeout, "the request was not whole within %s", requestWithin)
	}
	return refused(http.StatusBadRequest, "the body can't be read: %v", err)
}

var attributeName = regexp.MustCompile(`^(data_base64|[a-z0-9]+)$`)

// envelope checks an event in JSON before the SDK reads it, which takes the last of two values for one name, and all
// for read at a name that is empty.
func envelope(body []byte) error {
	if err := sane(body); err != nil {
		return err
	}
	var attributes map[string]any
	twice, err := strict.UnmarshalStrict(body, &attributes)
	if err = errors.Join(append(twice, err)...); err != nil {
		return refused(http.StatusBadRequest, "this is no CloudEvent in JSON: %v", err)
	}
	for name := range attributes {
		if !attributeName.MatchString(name) {
			return refused(http.StatusBadRequest, "%q is no name of an attribute: those are of small letters and digits", name)
		}
	}
	return nil
}

// sound checks what an event says, however it came.
func sound(e *cloudevents.Event, h http.Header, in mode) error {
	attributes := map[string]string{"Id": e.ID(), "Source": e.Source(), "Type": e.Type(), "Subject": e.Subject()}
	if in == structured {
		for name, value := range attributes {
			if header := h.Values("Ce-" + name); len(header) > 0 && header[0] != value {
				return refused(http.StatusBadRequest, "the header Ce-%s says another thing than the event in the body", name)
			}
		}
	}
	for name, value := range e.Extensions() {
		if s, ok := value.(string); ok {
			attributes[name] = s
		}
	}
	for name, value := range attributes {
		if !utf8.ValidString(value) || strings.ContainsFunc(value, unfit) {
			return refused(http.StatusBadRequest, "the attribute %s has characters that no attribute may have", strings.ToLower(name))
		}
	}
	kind, _, _ := mime.ParseMediaType(e.DataContentType())
	if kind == "" || kind == "application/json" || strings.HasSuffix(kind, "+json") {
		return sane(e.Data())
	}
	return nil
}

// unfit says of a character that it may not be in an attribute (CloudEvents 1.0.2, type String).
func unfit(r rune) bool {
	return unicode.IsControl(r) || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe
}

// sane refuses JSON that can't be read, or costs too much to.
func sane(data []byte) error {
	if err := strictjson.Check(data); err != nil {
		return refused(http.StatusBadRequest, "%v", err)
	}
	return nil
}
