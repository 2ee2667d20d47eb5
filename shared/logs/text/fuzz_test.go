package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
)

// FuzzFormats: whatever a Task is called, writes and ends with, each entry is one row of text or JSON, and text in a page.
func FuzzFormats(f *testing.F) {
	f.Add("shop-1", "7", "plain", "", "Failed", "the command exited with code 3")
	f.Add("\x1b[2J", "\n", "</pre><script>alert(1)</script>", "<b>note\n", "<!--", "\u202e\u009b2J\r\n\x00\xff")
	f.Fuzz(func(t *testing.T, task, id, line, note, reason, message string) {
		exit := int32(3)
		entries := []Entry{
			{Task: task, ID: id, Pod: task, Line: Line{Time: time.Unix(0, 0), Container: task, Text: []byte(strings.ReplaceAll(line, "\n", ""))}},
			{Task: task, Note: "n" + note},
			{Task: task, ID: id, Status: &Status{Ended: true, Reason: reason, Message: message, ExitCode: &exit}},
		}
		var plain, lines, page bytes.Buffer
		for _, format := range []Format{NewPlain(&plain, Options{Task: true}), NewJSON(&lines), NewHTML(&page, Options{Task: true})} {
			for _, e := range entries {
				if err := format.Entry(e); err != nil {
					t.Fatal(err)
				}
			}
			_ = format.Flush()
		}
		for _, out := range []string{plain.String(), lines.String(), page.String()} {
			if n := strings.Count(out, "\n"); n != len(entries) || strings.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
				t.Errorf("%d rows: %q", n, out)
			}
		}
		for row := range strings.Lines(lines.String()) {
			var v map[string]any
			if err := json.Unmarshal([]byte(row), &v); err != nil || v["task"] != string([]rune(task)) {
				t.Errorf("%q: %v", row, err)
			}
		}
		for z := html.NewTokenizer(&page); ; {
			switch kind := z.Next(); kind {
			case html.ErrorToken:
				return
			case html.StartTagToken, html.EndTagToken:
				if name, more := z.TagName(); more || string(name) != "b" && string(name) != "i" {
					t.Errorf("a tag %s", name)
				}
			case html.TextToken:
			default:
				t.Errorf("%v in the page", kind)
			}
		}
	})
}
