package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 7, 1, 12, 0, 0, 5, time.FixedZone("", 3600))

func exit(n int32) *int32 { return &n }

func line(text string) Entry {
	return Entry{Task: "hello", ID: "7", Pod: "hello-pod", Line: Line{Time: at, Container: "step", Text: []byte(text)}}
}

// pieces are a line that was too long to be held.
func pieces() []Entry {
	first, last := line("one "), line("line")
	first.More, last.Continued = true, true
	return []Entry{first, last}
}

// TestFormats: each format shows each kind of entry, and none lets through what acts.
func TestFormats(t *testing.T) {
	const stamp = "2026-07-01T11:00:00.000000005Z"
	failed := Entry{Task: "hello", ID: "7", Status: &Status{Ended: true, Reason: "Failed", Message: "bad <b>\x1b[2J", ExitCode: exit(3), Duration: 2 * time.Second}}
	for _, c := range []struct {
		name    string
		entries []Entry
		options Options
		plain   string
		html    string
		json    string
	}{
		{"a line", []Entry{line("a <b>\x1b[1m\a")}, Options{},
			"a <b>^G\n",
			"a &lt;b&gt;^G\n",
			`{"type":"line","task":"hello","id":"7","pod":"hello-pod","time":"` + stamp + `","container":"step","text":"a <b>\u001b[1m\u0007"}` + "\n"},
		{"with time and Task", []Entry{line("a")}, Options{Timestamps: true, Task: true},
			stamp + " hello | a\n",
			"<i>" + stamp + "</i> <i>hello</i> a\n", ""},
		{"a long line, in pieces, has one head and one end", pieces(), Options{Task: true},
			"hello | one line\n",
			"<i>hello</i> one line\n",
			`{"type":"line","task":"hello","id":"7","pod":"hello-pod","time":"` + stamp + `","container":"step","text":"one ","more":true}` + "\n" +
				`{"type":"line","task":"hello","id":"7","pod":"hello-pod","time":"` + stamp + `","container":"step","text":"line","continued":true}` + "\n"},
		{"a note", []Entry{{Task: "hello", Note: "a \x1b[2J gap <"}}, Options{},
			"[kf] hello: a ^[[2J gap <\n",
			"<b>hello: a ^[[2J gap &lt;</b>\n",
			`{"type":"note","task":"hello","text":"a \u001b[2J gap <"}` + "\n"},
		{"a failure", []Entry{failed}, Options{},
			"[kf] hello (ID 7): Failed, exit code 3, 2s: bad <b>^[[2J\n",
			"<b>hello (ID 7): Failed, exit code 3, 2s: bad &lt;b&gt;^[[2J</b>\n",
			`{"type":"outcome","task":"hello","id":"7","ended":true,"reason":"Failed","message":"bad <b>\u001b[2J","exitCode":3,"duration":"2s"}` + "\n"},
		{"a success does not say so twice", []Entry{{Task: "hello", Status: &Status{Ended: true, Reason: "Succeeded", Message: "all is well", ExitCode: exit(0)}}}, Options{},
			"[kf] hello: Succeeded, exit code 0\n", "<b>hello: Succeeded, exit code 0</b>\n", ""},
		{"what has not ended", []Entry{{Task: "hello", Status: &Status{Reason: "Pending"}}}, Options{},
			"[kf] hello: Pending\n", "<b>hello: Pending</b>\n",
			`{"type":"outcome","task":"hello","ended":false,"reason":"Pending"}` + "\n"},
	} {
		for _, f := range []struct {
			name, want string
			of         func(w *bytes.Buffer) Format
		}{
			{"plain", c.plain, func(w *bytes.Buffer) Format { return NewPlain(w, c.options) }},
			{"html", c.html, func(w *bytes.Buffer) Format { return NewHTML(w, c.options) }},
			{"json", c.json, func(w *bytes.Buffer) Format { return NewJSON(w) }},
		} {
			if f.want == "" {
				continue
			}
			var out bytes.Buffer
			format := f.of(&out)
			for _, e := range c.entries {
				if err := format.Entry(e); err != nil {
					t.Fatal(err)
				}
			}
			if out.Len() != 0 {
				t.Errorf("%s, %s: sent before Flush", c.name, f.name)
			}
			if err := format.Flush(); err != nil || out.String() != f.want {
				t.Errorf("%s, %s:\ngot  %s\nwant %s", c.name, f.name, out.String(), f.want)
			}
			for row := range strings.Lines(out.String()) {
				if f.name == "json" && !json.Valid([]byte(row)) {
					t.Errorf("%s: not JSON: %s", c.name, row)
				}
			}
		}
	}
}
