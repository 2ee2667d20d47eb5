package source

import (
	"fmt"
	"strings"
)

// posix are the classes that have a name, as git has them: of ASCII.
var posix = map[string]func(c byte) bool{
	"alnum":  func(c byte) bool { return letter(c) || digit(c) },
	"alpha":  letter,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  digit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return c >= 'a' && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !letter(c) && !digit(c) },
	"space":  func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' },
	"upper":  func(c byte) bool { return c >= 'A' && c <= 'Z' },
	"xdigit": func(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// class is a set of bytes.
type class [256]bool

// between adds a range, which is empty when it is the wrong way round.
func (s *class) between(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s[c] = true
	}
}

// readClass reads the class that a pattern begins with ([a-z], [!a], [[:digit:]]), and says how long it is; false if it never ends, or
// names a class that there is not: then the pattern matches nothing.
func readClass(pattern string) (s class, length int, ok bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	previous := byte(0) // what a range may begin with
	for first := true; i < len(pattern); i, first = i+1, false {
		c := pattern[i]
		switch {
		case c == ']' && !first:
			for c := range s {
				s[c] = s[c] != negated
			}
			return s, i + 1, true
		case c == '-' && previous != 0 && i+1 < len(pattern) && pattern[i+1] != ']':
			if i++; pattern[i] == '\\' {
				i++
			}
			if i == len(pattern) {
				return s, 0, false
			}
			s.between(previous, pattern[i])
			previous = 0
		case strings.HasPrefix(pattern[i:], "[:"):
			name, _, ends := strings.Cut(pattern[i+2:], "]")
			of, known := posix[strings.TrimSuffix(name, ":")]
			switch {
			case !ends || strings.HasSuffix(name, ":") && !known:
				return s, 0, false
			case !strings.HasSuffix(name, ":"): // it is no name after all, but a [ and what follows
				s['['], previous = true, '['
				continue
			}
			for c := range s {
				s[c] = s[c] || of(byte(c))
			}
			i += 2 + len(name)
			previous = 0
		default:
			if c == '\\' {
				i++
			}
			if i == len(pattern) {
				return s, 0, false
			}
			s[pattern[i]], previous = true, pattern[i]
		}
	}
	return s, 0, false
}

// expression is the class in a regular expression.
func (s class) expression() string {
	var members strings.Builder
	for c, in := range s {
		if in {
			fmt.Fprintf(&members, `\x%02x`, c)
		}
	}
	if members.Len() == 0 {
		return `[^\x00-\x{10FFFF}]` // nothing
	}
	return `[` + members.String() + `]`
}
