// Package text shows what Tasks write: lines, and what is said about them, as text, JSON or HTML that does nothing but
// show, whatever a Task wrote.
package text

import (
	"fmt"
	"iter"
	"unicode/utf8"
)

// Sanitize appends text to dst so that showing it does nothing but show it. Colours (ESC [ ... m) are left out, other
// control characters are made visible in caret notation, as cat -v does; so are the 8-bit controls, DEL, and the
// characters that turn the direction of text around. Bytes that are not UTF-8, among them the one-byte form of ESC [,
// become U+FFFD. Tabs stay, and so does nothing else below a space: a carriage return would let a line overwrite itself.
func Sanitize(dst, text []byte) []byte {
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
// that turn the direction of text, so that neither the JSON itself, printed on a terminal, does anything.
func AppendJSON(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
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
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
	}
	return append(dst, '"')
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
	return r >= 0x80 && r < 0xa0 || // C1: terminals take U+009B for ESC [
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || // embeddings, overrides and isolates
		r == 0x2028 || r == 0x2029 // line and paragraph separators
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
