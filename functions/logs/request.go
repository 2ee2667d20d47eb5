package main

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

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
	Options              follow.Options
	Timestamps           bool
	As                   string
	Token                string
}

// pageTail is how many lines a page begins with if nothing else is asked for: a browser keeps them all.
const pageTail = 1000

// Parse reads a request. The error is the caller's fault.
func Parse(r *http.Request, now time.Time) (Request, error) {
	q := Request{Namespace: r.PathValue("namespace"), Task: r.PathValue("task"), App: r.PathValue("app"), Token: token(r)}
	v := r.URL.Query()
	for name := range v {
		switch name {
		case "follow", "tail", "since", "timestamps", "format":
		default:
			return q, fmt.Errorf("there is no parameter %q: follow, tail, since, timestamps and format are", name)
		}
	}
	var err error
	if q.As, err = as(v.Get("format"), r.Header.Get("Accept")); err != nil {
		return q, err
	}
	if q.Timestamps, err = boolean(v, "timestamps", false); err != nil {
		return q, err
	}
	if q.Options.Follow, err = boolean(v, "follow", q.As == asPage); err != nil {
		return q, err
	}
	if s := v.Get("tail"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 || q.App != "" && n > tasklog.MaxTail {
			return q, fmt.Errorf("tail must be a number of lines, and at most %d for an App, not %q", tasklog.MaxTail, s)
		}
		q.Options.Tail = &n
	} else if q.As == asPage {
		n := int64(pageTail)
		q.Options.Tail = &n
	}
	if s := v.Get("since"); s != "" {
		if q.Options.Since, err = since(s, now); err != nil {
			return q, err
		}
	}
	return q, nil
}

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
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("since must be a duration such as 10m, or a time such as 2026-07-01T12:00:00Z, not %q", s)
	}
	return t, nil
}

// as says how to answer: as format says, else the first in Accept that is known.
func as(format, accept string) (string, error) {
	switch format {
	case asText, asJSON, asPage:
		return format, nil
	case "":
	default:
		return "", fmt.Errorf("format must be text, json or html, not %q", format)
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		switch kind {
		case "text/plain", "*/*", "text/*":
			return asText, nil
		case "application/json", "application/x-ndjson", "application/jsonl":
			return asJSON, nil
		case "text/html", "application/xhtml+xml":
			return asPage, nil
		}
	}
	return asText, nil
}

// token is the caller's: from the header, or from the form of the page. Not from the address, which is kept in
// histories and logs.
func token(r *http.Request) string {
	kind, t, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(t)
	}
	if r.Method == http.MethodPost {
		return strings.TrimSpace(r.PostFormValue("token"))
	}
	return ""
}
