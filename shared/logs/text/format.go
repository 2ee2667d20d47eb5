// Package text shows what Tasks write: lines, and what is said about them, as text, JSON or HTML that does nothing but
// show, whatever a Task wrote.
package text

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strconv"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Entry is something to show: a line, a note about the lines, or how a Task stands.
type Entry struct {
	Task string
	ID   string
	Pod  string
	Line
	// Note, when set, is said by the reader and not by the Task; there is no Line then.
	Note string
	// Status, when set, is the last of its Task; there is no Line then.
	Status *Status
}

// Line is a line that a container wrote, or a piece of one that is too long to be held: then it goes on in the next
// entry (More), or began in the one before (Continued).
type Line struct {
	Time            time.Time
	Container       string
	Text            []byte
	More, Continued bool
}

// Status is how a Task ended, or how it stands.
type Status struct {
	Ended    bool
	Reason   string
	Message  string
	ExitCode *int32
	Duration time.Duration
}

// Format writes entries.
type Format interface {
	Entry(Entry) error
	// Flush sends on what is held back.
	Flush() error
}

// buffer is how much a Format holds back at most.
const buffer = 32 << 10

// Plain writes lines as they are, made safe to show. What the reader says itself begins with "[kf] ".
type Plain struct {
	w    *bufio.Writer
	opts Options
	buf  []byte
}

// Options say what to put before a line.
type Options struct {
	Timestamps bool
	// Task names the line's Task: for the lines of several.
	Task bool
}

// NewPlain returns a Format that writes lines to w.
func NewPlain(w io.Writer, o Options) *Plain {
	return &Plain{w: bufio.NewWriterSize(w, buffer), opts: o}
}

// Entry writes one entry.
func (t *Plain) Entry(e Entry) error {
	b := t.buf[:0]
	if e.Note != "" || e.Status != nil {
		b = append(append(b, "[kf] "...), inert.Append(nil, []byte(remark(e)))...)
		b = append(b, '\n')
	} else {
		if !e.Continued {
			if t.opts.Timestamps {
				b = append(e.Time.UTC().AppendFormat(b, stampFormat), ' ')
			}
			if t.opts.Task {
				b = append(append(b, inert.Line(e.Task)...), " | "...)
			}
		}
		b = inert.Append(b, e.Text)
		if !e.More {
			b = append(b, '\n')
		}
	}
	t.buf = b
	_, err := t.w.Write(b)
	return err
}

// Flush sends on what is held back.
func (t *Plain) Flush() error { return t.w.Flush() }

const stampFormat = "2006-01-02T15:04:05.000000000Z07:00"

// remark puts a note or a status into words.
func remark(e Entry) string {
	if e.Note != "" {
		if e.Task != "" {
			return e.Task + ": " + e.Note
		}
		return e.Note
	}
	o := e.Status
	s := e.Task
	if e.ID != "" {
		s += " (ID " + e.ID + ")"
	}
	s += ": " + o.Reason
	if o.ExitCode != nil {
		s += ", exit code " + strconv.Itoa(int(*o.ExitCode))
	}
	if o.Duration > 0 {
		s += ", " + o.Duration.String()
	}
	if o.Message != "" && o.Reason != "Succeeded" {
		s += ": " + o.Message
	}
	return s
}

// JSON writes one object for each entry, of type line, note or outcome. Control characters of a line are escaped: the
// text is the Task's own, and harmless as it stands.
type JSON struct {
	w   *bufio.Writer
	buf []byte
}

// NewJSON returns a Format that writes JSON lines to w.
func NewJSON(w io.Writer) *JSON { return &JSON{w: bufio.NewWriterSize(w, buffer)} }

// Entry writes one entry.
func (j *JSON) Entry(e Entry) error {
	b := append(j.buf[:0], `{"type":"`...)
	switch {
	case e.Status != nil:
		b = append(b, "outcome"...)
	case e.Note != "":
		b = append(b, "note"...)
	default:
		b = append(b, "line"...)
	}
	b = inert.AppendJSON(append(b, `","task":`...), []byte(e.Task))
	if e.ID != "" {
		b = inert.AppendJSON(append(b, `,"id":`...), []byte(e.ID))
	}
	if e.Pod != "" {
		b = inert.AppendJSON(append(b, `,"pod":`...), []byte(e.Pod))
	}
	switch {
	case e.Status != nil:
		o := e.Status
		b = strconv.AppendBool(append(b, `,"ended":`...), o.Ended)
		b = inert.AppendJSON(append(b, `,"reason":`...), []byte(o.Reason))
		if o.Message != "" {
			b = inert.AppendJSON(append(b, `,"message":`...), []byte(o.Message))
		}
		if o.ExitCode != nil {
			b = strconv.AppendInt(append(b, `,"exitCode":`...), int64(*o.ExitCode), 10)
		}
		if o.Duration > 0 {
			b = inert.AppendJSON(append(b, `,"duration":`...), []byte(o.Duration.String()))
		}
	case e.Note != "":
		b = inert.AppendJSON(append(b, `,"text":`...), []byte(e.Note))
	default:
		b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
		b = inert.AppendJSON(append(b, `","container":`...), []byte(e.Container))
		b = inert.AppendJSON(append(b, `,"text":`...), e.Text)
		if e.More {
			b = append(b, `,"more":true`...)
		}
		if e.Continued {
			b = append(b, `,"continued":true`...)
		}
	}
	b = append(b, '}', '\n')
	j.buf = b
	_, err := j.w.Write(b)
	return err
}

// Flush sends on what is held back.
func (j *JSON) Flush() error { return j.w.Flush() }

// HTML writes entries as the inside of a <pre>.
type HTML struct {
	w    *bufio.Writer
	opts Options
}

// NewHTML returns a Format that writes escaped lines to w.
func NewHTML(w io.Writer, o Options) *HTML { return &HTML{bufio.NewWriterSize(w, buffer), o} }

// Entry writes one entry.
func (h *HTML) Entry(e Entry) error {
	var err error
	if e.Note != "" || e.Status != nil {
		_, err = fmt.Fprintf(h.w, "<b>%s</b>\n", html.EscapeString(string(inert.Append(nil, []byte(remark(e))))))
		return err
	}
	if !e.Continued {
		if h.opts.Timestamps {
			fmt.Fprintf(h.w, "<i>%s</i> ", e.Time.UTC().Format(stampFormat))
		}
		if h.opts.Task {
			fmt.Fprintf(h.w, "<i>%s</i> ", html.EscapeString(inert.Line(e.Task)))
		}
	}
	_, err = h.w.WriteString(html.EscapeString(string(inert.Append(nil, e.Text))))
	if !e.More {
		err = h.w.WriteByte('\n')
	}
	return err
}

// Flush sends on what is held back.
func (h *HTML) Flush() error { return h.w.Flush() }
