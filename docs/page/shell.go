package page

import (
	"regexp"
	"slices"
	"strings"
)

// reserved are words that stand before a command and are none.
var reserved = []string{"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "exec", "export"}

var (
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
)

// Commands are the simple commands of a shell's script, each as its words: those of pipes, lists and $(...) too. Variables are left as they
// stand; redirections, assignments and comments are left out. It knows as much of sh as the pages use: quotes, no here documents.
func Commands(script string) [][]string {
	s := shell{rest: script}
	s.read("")
	return s.commands
}

type shell struct {
	rest     string
	commands [][]string
	words    []string
	word     strings.Builder
	begun    bool // a word has begun, and may be empty
	drop     bool // the next word is a file of a redirection
}

// read reads until the text ends, or until a character of ends.
func (s *shell) read(ends string) {
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case strings.IndexByte(ends, c) >= 0:
			s.endCommand()
			return
		case c == '\\':
			s.escaped()
		case c == '\'':
			text, rest, _ := strings.Cut(s.rest, "'")
			s.rest = rest
			s.add(text)
		case c == '"':
			s.quoted()
		case strings.HasPrefix(string(c)+s.rest, "$("), strings.HasPrefix(string(c)+s.rest, "<("):
			s.substituted()
		case c == '#' && !s.begun:
			_, rest, _ := strings.Cut(s.rest, "\n")
			s.rest = "\n" + rest
		case c == ' ' || c == '\t':
			s.endWord()
		case c == '<' || c == '>':
			s.redirected()
		case strings.IndexByte("\n;|&()", c) >= 0:
			s.endCommand()
		default:
			s.add(string(c))
		}
	}
	s.endCommand()
}

func (s *shell) add(text string) {
	s.word.WriteString(text)
	s.begun = true
}

func (s *shell) escaped() {
	if s.rest == "" {
		return
	}
	if s.rest[0] != '\n' {
		s.add(s.rest[:1])
	}
	s.rest = s.rest[1:]
}

func (s *shell) quoted() {
	s.begun = true
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return
		case c == '\\' && s.rest != "" && strings.IndexByte("$`\"\\\n", s.rest[0]) >= 0:
			s.escaped()
		case c == '$' && strings.HasPrefix(s.rest, "("):
			s.substituted()
		default:
			s.add(string(c))
		}
	}
}

// substituted reads $(...) or <(...): its commands are commands, and what they print is unknown.
func (s *shell) substituted() {
	inner := shell{rest: s.rest[1:]}
	inner.read(")")
	s.rest = inner.rest
	s.commands = append(s.commands, inner.commands...)
	s.add("$(...)")
}

func (s *shell) redirected() {
	if text := s.word.String(); text == "1" || text == "2" {
		s.word.Reset()
		s.begun = false
	}
	s.endWord()
	s.rest = strings.TrimLeft(s.rest, "<>&")
	s.drop = true
}

func (s *shell) endWord() {
	if s.begun && !s.drop {
		s.words = append(s.words, s.word.String())
	}
	s.drop = s.drop && !s.begun
	s.word.Reset()
	s.begun = false
}

func (s *shell) endCommand() {
	s.endWord()
	words := s.words
	for len(words) > 0 && (slices.Contains(reserved, words[0]) || assignment.MatchString(words[0])) {
		words = words[1:]
	}
	if len(words) > 0 && words[0] == "for" { // its words are a list, and no command
		words = nil
	}
	if len(words) > 0 && !slices.Contains([]string{"done", "fi", "}", ":", "."}, words[0]) {
		s.commands = append(s.commands, words)
	}
	s.words, s.drop = nil, false
}
