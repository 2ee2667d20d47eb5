package webhook

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/strictjson"
)

const formType = "application/x-www-form-urlencoded"

// isReadable refuses what is neither JSON nor a form: 415. No sender of the table compresses what it signs.
func isReadable(_ context.Context, _ *Hook, d *Delivery) *Verdict {
	if encoding := d.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refused(http.StatusUnsupportedMediaType, "the body is encoded: send it as it is")
	}
	if kind := contentType(d.Header); kind != formType && !isJSON(kind) {
		return refused(http.StatusUnsupportedMediaType, "the body is neither JSON nor a form")
	}
	return nil
}

// contentType is the body's, of one header; "" is none that can be read.
func contentType(h http.Header) string {
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return ""
	}
	kind, params, err := mime.ParseMediaType(values[0])
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return ""
	}
	return kind
}

func isJSON(kind string) bool { return kind == "application/json" || strings.HasSuffix(kind, "+json") }

// isDecoded reads the body: 422 for one that can't be.
func isDecoded(_ context.Context, h *Hook, d *Delivery) (v *Verdict) {
	var err error
	if isJSON(contentType(d.Header)) {
		d.Payload, err = strictjson.Decode(d.Body)
	} else {
		d.Payload, err = decodeForm(d.Body, h.provider.form)
	}
	if err != nil {
		return refused(http.StatusUnprocessableEntity, "the body can't be read: "+inert.Fit(err.Error(), 200))
	}
	return nil
}

// maxFields is more than any form has.
const maxFields = 256

// decodeForm reads a form: the JSON of the field that has it, or all fields as text. A field that is there twice is an error.
func decodeForm(body []byte, payload string) (any, error) {
	if !utf8.Valid(body) || strings.Count(string(body), "&") > maxFields {
		return nil, errors.New("the form is not UTF-8, or has too many fields")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	for name, v := range values {
		if len(v) != 1 {
			return nil, fmt.Errorf("the field %.60q is there %d times", name, len(v))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(v[0]) {
			return nil, errors.New("a field is not UTF-8")
		}
		fields[name] = v[0]
	}
	if text, ok := fields[payload].(string); ok && payload != "" {
		return strictjson.Decode([]byte(text))
	}
	return fields, nil
}
