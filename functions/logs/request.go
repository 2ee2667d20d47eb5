package main

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// Kinds of answers.
const (
	asText = "text"
	asJSON = "json"
	asPage = "html"
)

// Request is what a caller asks for.
type Request struct {
	Namespace, Task, App string
	UID                  types.UID // of the Task, "" is the one that is there, or was last
	Query                url.Values
	Options              follow.Options
	Timestamps           bool
	As                   string
	Token                string
}

var parameters = []string{"follow", "tail", "since", "timestamps", "format", "uid"}

// pageTail is how many lines a page begins with if nothing else is asked for: a browser keeps them all.
const pageTail = "1000"

// Parse reads a request. The error is the caller's fault.
func Parse(r *http.Request, now time.Time) (Request, error) {
	v := r.URL.Query()
	q := Request{Namespace: r.PathValue("namespace"), Task: r.PathValue("task"), App: r.PathValue("app"), Query: v, Token: token(r)}
	for name := range v {
		if !slices.Contains(parameters, name) {
			return q, fmt.Errorf("there is no parameter %q: there are %s", name, strings.Join(parameters, ", "))
		}
	}
	var errs [6]error
	q.As, errs[0] = as(v.Get("format"), r.Header.Get("Accept"))
	q.Timestamps, errs[1] = boolean(v, "timestamps", false)
	q.Options.Follow, errs[2] = boolean(v, "follow", q.As == asPage)
	q.Options.Tail, errs[3] = tail(v, q)
	q.Options.Since, errs[4] = since(v.Get("since"), now)
	q.UID, errs[5] = uid(v.Get("uid"))
	return q, errors.Join(errs[:]...)
}

func tail(v url.Values, q Request) (*int64, error) {
	s := v.Get("tail")
	if q.As == asPage && s == "" && !v.Has("since") {
		s = pageTail
	}
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || q.App != "" && n > tasklog.MaxTail {
		return nil, fmt.Errorf("tail must be a number of lines, and at most %d for an App, not %q", tasklog.MaxTail, s)
	}
	return &n, nil
}

// uid is that of a Task: a UUID, as the API server makes it. It becomes part of a path.
func uid(s string) (types.UID, error) {
	if s != "" && !uuid.MatchString(s) {
		return "", fmt.Errorf("uid must be that of a Task, such as 0b3c6f0e-2f0a-4f5e-9f0e-1c2d3e4f5a6b, not %q", s)
	}
	return types.UID(s), nil
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func boolean(v url.Values, name string, otherwise bool) (bool, error) {
	if !v.Has(name) {
		return otherwise, nil
	}
	s := v.Get(name)
	if s == "" {
		return true, nil // ?follow
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%s must be true or false, not %q", name, s)
	}
	return b, nil
}

func since(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("since must be a duration such as 10m, or a time such as 2026-07-01T12:00:00Z, not %q", s)
	}
	return t, nil
}

// accepted are the media types that say how to answer.
var accepted = map[string]string{
	"text/plain": asText, "text/*": asText, "*/*": asText,
	"application/json": asJSON, "application/x-ndjson": asJSON, "application/jsonl": asJSON,
	"text/html": asPage, "application/xhtml+xml": asPage,
}

// as says how to answer: as format says, else the first in Accept that is known.
func as(format, accept string) (string, error) {
	if format != "" {
		if !slices.Contains([]string{asText, asJSON, asPage}, format) {
			return "", fmt.Errorf("format must be text, json or html, not %q", format)
		}
		return format, nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, err := mime.ParseMediaType(part)
		if as := accepted[kind]; err == nil && as != "" {
			return as, nil
		}
	}
	return asText, nil
}

// token is the caller's: from the header, or from the form of the page. Not from the address, which is kept in
// histories and logs.
func token(r *http.Request) string {
	kind, t, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if len(r.Header.Values("Authorization")) > 1 {
		return "" // a proxy and this program might each believe another
	}
	if strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(t)
	}
	if r.Method == http.MethodPost {
		return strings.TrimSpace(r.PostFormValue("token"))
	}
	return ""
}
