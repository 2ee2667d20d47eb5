// Package inert makes text from others do nothing but show, wherever it is shown: on a terminal, which obeys an escape
// sequence from wherever it comes (CVE-2021-25743), in a log, in an answer, in a condition's message.
package inert

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Line is a text of others in one row.
func Line(s string) string {
	return strings.ReplaceAll(string(Append(nil, []byte(s))), "\t", " ")
}

// Fit is a text of others in one row of at most so many columns, its end left out for an ellipsis if it is longer.
func Fit(s string, columns int) string {
	s = Line(s)
	end, taken := 0, 0 // of what fits beside an ellipsis
	for i, r := range s {
		n := cells(r)
		if taken+n > columns {
			return s[:end] + "…"
		}
		if taken += n; taken < columns {
			end = i + utf8.RuneLen(r)
		}
	}
	return s
}

// Columns is how many columns of a terminal a text takes.
func Columns(s string) (n int) {
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// cells is how many columns a character takes: two for the wide ones of East Asia (UAX #11), none for what is put on the
// character before it.
func cells(r rune) int {
	switch kind := width.LookupRune(r).Kind(); {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Append appends text to dst so that showing it does nothing but show it. Colours (ESC [ ... m) are left out, other
// control characters are made visible in caret notation, as cat -v does; so are, by their number, the 8-bit controls and
// the characters that are not seen: those that turn the direction of text around, that end a line, or have no width. Bytes
// that are not UTF-8, among them the one-byte form of ESC [, become U+FFFD. Tabs stay, and so does nothing else below a
// space: a carriage return would let a line overwrite itself.
func Append(dst, text []byte) []byte {
	skip := 0 // of a colour that began before plain
	for plain, rest := range specials(text) {
		dst = append(dst, plain[skip:]...)
		skip = 0
		switch r, size := utf8.DecodeRune(rest); {
		case size == 0:
		case r == '\t' || r == '"' || r == '\\':
			dst = append(dst, byte(r))
		case r == 0x1b:
			if n := colour(rest); n > 0 {
				skip = n - 1
			} else {
				dst = append(dst, '^', '[')
			}
		case r == '\r' && len(rest) == 1: // a line end of the other kind
		case r < ' ':
			dst = append(dst, '^', byte(r)+'@')
		case r == 0x7f:
			dst = append(dst, '^', '?')
		case r == utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		default:
			dst = fmt.Appendf(dst, "<U+%04X>", r)
		}
	}
	return dst
}

// AppendJSON appends text as a JSON string. Unlike encoding/json it escapes DEL, the 8-bit controls and the characters
// that are not seen, so that neither the JSON itself, printed on a terminal, does anything.
func AppendJSON(dst, text []byte) []byte {
	dst = append(dst, '"')
	for plain, rest := range specials(text) {
		dst = append(dst, plain...)
		switch r, size := utf8.DecodeRune(rest); {
		case size == 0:
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		default:
			dst = appendEscaped(dst, r)
		}
	}
	return append(dst, '"')
}

// appendEscaped appends a character as JSON escapes it.
func appendEscaped(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendEscaped(appendEscaped(dst, high), low)
	}
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// JSONWriter is for what writes JSON by itself, a whole value at a time, and leaves in its strings what acts: a logger.
type JSONWriter struct{ io.Writer }

// Write writes JSON, with what acts in its strings escaped.
func (w JSONWriter) Write(json []byte) (int, error) {
	var out []byte
	for plain, rest := range specials(json) {
		out = append(out, plain...)
		switch r, size := utf8.DecodeRune(rest); {
		case size == 0:
		case r == utf8.RuneError:
			out = append(out, "\uFFFD"...)
		case r >= 0x7f:
			out = appendEscaped(out, r)
		default: // the JSON's own
			out = append(out, byte(r))
		}
	}
	if _, err := w.Writer.Write(out); err != nil {
		return 0, err
	}
	return len(json), nil
}

// specials ranges over the characters of text that may not be copied as they stand: those that act rather than show, what
// is not UTF-8, and what JSON escapes. It yields what is plain before each, and the text from it on; at last what is plain
// after all of them, and nothing.
func specials(text []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(plain, rest []byte) bool) {
		start, i := 0, 0 // of what is plain and not yet yielded, and of what is not yet looked at
		for i < len(text) {
			c, size := text[i], 1
			if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
				i++
				continue
			}
			if c >= utf8.RuneSelf {
				var r rune
				if r, size = utf8.DecodeRune(text[i:]); size > 1 && !isControl(r) {
					i += size
					continue
				}
			}
			if !yield(text[start:i], text[i:]) {
				return
			}
			i += size
			start = i
		}
		yield(text[start:], nil)
	}
}

// isControl says of a character from U+0080 on whether it acts rather than shows.
func isControl(r rune) bool {
	switch {
	case r < 0xa0: // C1: terminals take U+009B for ESC [
		return true
	case r == '\u200c' || r == '\u200d': // join letters of Persian and Hindi, and what emoji are made of
		return false
	case r == '\u2028' || r == '\u2029': // line and paragraph separators
		return true
	}
	// Marks, embeddings, overrides and isolates of direction; spaces without width; tags.
	return unicode.Is(unicode.Cf, r)
}

// colour returns the length of the SGR sequence that b begins with, 0 if there is none.
func colour(b []byte) int {
	if len(b) < 3 || b[1] != '[' {
		return 0
	}
	for i := 2; i < len(b) && i < 64; i++ {
		switch c := b[i]; {
		case c == 'm':
			return i + 1
		case c >= '0' && c <= '9' || c == ';' || c == ':':
		default:
			return 0
		}
	}
	return 0
}
