package main

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// Trailers of an answer about one Task, for whoever can read them.
const trailerOutcome, trailerExitCode = "Kf-Task-Outcome", "Kf-Task-Exit-Code"

// answer is a response under way.
type answer struct {
	w        http.ResponseWriter
	flush    *http.ResponseController
	q        Request
	kind     string
	format   text.Format
	begun    bool
	position tasklog.Position
	status   *text.Status
}

func newAnswer(w http.ResponseWriter, q Request) *answer {
	a := &answer{w: w, flush: http.NewResponseController(w), q: q}
	options := text.Options{Timestamps: q.Timestamps, Task: q.App != ""}
	switch q.As {
	case asJSON:
		a.kind, a.format = "application/x-ndjson", text.NewJSON(w)
	case asPage:
		a.kind, a.format = "text/html; charset=utf-8", text.NewHTML(w, options)
	default:
		a.kind, a.format = "text/plain; charset=utf-8", text.NewPlain(w, options)
	}
	return a
}

// begin sends the head, so that the caller, and all that is in between, know that the answer is under way.
func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	h := a.w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("X-Accel-Buffering", "no") // nginx and its kin hold streams back otherwise
	if a.q.Task != "" {
		h.Set("Trailer", trailerOutcome+", "+trailerExitCode)
	}
	a.w.WriteHeader(http.StatusOK)
	if a.q.As == asPage {
		head(a.w, a.q)
		fmt.Fprintln(a.w, "<main><pre>")
	}
}

func (a *answer) output() tasklog.Output {
	return a.position.Of(tasklog.Output{
		Entry: func(e text.Entry) error {
			a.begin()
			if e.Status != nil {
				a.status = e.Status
			}
			return a.format.Entry(e)
		},
		Idle: func(string) {
			a.begin()
			_ = a.format.Flush()
			_ = a.flush.Flush()
		},
	})
}

// end closes the answer. cut says that it ends, for the reason err, before its log does.
func (a *answer) end(err error, cut bool) {
	a.begin()
	next := ""
	if cut {
		next = a.next()
		err = fmt.Errorf("%w, and the log may go on: ask for %s", err, next)
	}
	if err != nil {
		_ = a.format.Entry(text.Entry{Task: a.q.Task, Note: "the stream ends here: " + err.Error()})
	}
	_ = a.format.Flush()
	if a.q.As == asPage {
		foot(a.w, next)
	}
	if a.q.Task != "" && a.status != nil {
		a.w.Header().Set(trailerOutcome, a.status.Reason)
		if a.status.ExitCode != nil {
			a.w.Header().Set(trailerExitCode, strconv.Itoa(int(*a.status.ExitCode)))
		}
	}
}

// next is the query of an answer that goes on where this one ends.
func (a *answer) next() string {
	v := maps.Clone(a.q.Query)
	since := a.position.Since(a.q.App != "")
	if since.IsZero() {
		return "?" + v.Encode()
	}
	v.Del("tail")
	v.Set("since", since.UTC().Format(time.RFC3339Nano))
	return "?" + strings.ReplaceAll(v.Encode(), "%3A", ":") // it needs no escape (RFC 3986, 3.4)
}
