package source

import (
	"bytes"
	"regexp"
	"strings"
)

// Ignore says which files of a folder are left out, by the rules of gitignore(5), for one file at the root of the folder. It does
// what `git check-ignore` does, byte for byte, which the libraries that there are do not (go-git has no [!a], no \#, no comments):
// they differ in classes, escapes, trailing spaces and `**`. The zero Ignore leaves nothing out.
type Ignore struct{ rules []rule }

// rule is one line.
type rule struct {
	pattern *regexp.Regexp
	keep    bool // !: what an earlier line left out is kept
	folder  bool // a slash at the end: only folders are meant
	base    bool // no slash elsewhere: the last part of a path is looked at, at any depth
}

// Defaults is what Cloud Foundry leaves out of a push wherever it stands, before the lines of the ignore file.
const Defaults = ".cfignore\n.kfignore\n.DS_Store\n.git\n.gitignore\n.hg\n.svn\n_darcs\n"

// ParseIgnore reads the lines of an ignore file. There are no wrong ones: what can't match anything, as in git, does not.
func ParseIgnore(text []byte) (i Ignore) {
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
		if r, ok := parseRule(string(line)); ok {
			i.rules = append(i.rules, r)
		}
	}
	return i
}

func parseRule(line string) (r rule, ok bool) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if strings.HasPrefix(line, "#") {
		return rule{}, false
	}
	line = trimSpaces(line)
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.folder = strings.CutSuffix(line, "/")
	r.base = !strings.Contains(line, "/")
	if line = strings.TrimPrefix(line, "/"); line == "" {
		return rule{}, false
	}
	text, ok := expression(line, !r.base)
	if !ok {
		return rule{}, false
	}
	var err error
	r.pattern, err = regexp.Compile(`(?s)\A` + text + `\z`)
	return r, err == nil // one that is too long
}

// trimSpaces takes the spaces at the end away, but for those after a backslash.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			if i++; i == len(line) {
				return line
			}
		}
		end = i + 1
	}
	return line[:end]
}

// Excludes says whether a file or a folder is left out, by the last line that means it. Path is relative to the folder that is
// walked, with slashes. What is in a folder that is left out is left out with it, which the caller sees to by not walking it.
func (i Ignore) Excludes(path string, folder bool) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for n := len(i.rules) - 1; n >= 0; n-- {
		r, name := i.rules[n], path
		if r.folder && !folder {
			continue
		}
		if r.base {
			name = base
		}
		if r.pattern.MatchString(latin1(name)) {
			return !r.keep
		}
	}
	return false
}

// latin1 makes each byte a character, for git compares bytes: `?` is half of an ü.
func latin1(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// expression turns a pattern into a regular expression (git's wildmatch.c says what it means); false if it matches nothing.
func expression(pattern string, slashes bool) (string, bool) {
	var out strings.Builder
	literal := strings.IndexAny(pattern, `*?[\`) // git compares what stands before it apart, and looks at the rest alone
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			stars := i
			for i+1 < len(pattern) && pattern[i+1] == '*' {
				i++
			}
			rest := pattern[i+1:]
			bounded := (stars == literal || pattern[stars-1] == '/') && (rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`))
			switch {
			case slashes && (i == stars || !bounded):
				out.WriteString(`[^/]*`)
			case slashes && strings.HasPrefix(rest, "/"):
				out.WriteString(`(?:.*/)?`) // no folder, too
				i++
			default:
				out.WriteString(`.*`)
			}
		case '?':
			if slashes {
				out.WriteString(`[^/]`)
			} else {
				out.WriteString(`.`)
			}
		case '[':
			members, length, ok := readClass(pattern[i:])
			if !ok {
				return "", false
			}
			if slashes {
				members['/'] = false // nor does any other wildcard stand for it
			}
			out.WriteString(members.expression())
			i += length - 1
		case '\\':
			if i++; i == len(pattern) {
				return "", false
			}
			out.WriteString(quote(pattern[i]))
		default:
			out.WriteString(quote(c))
		}
	}
	return out.String(), true
}

func quote(c byte) string { return regexp.QuoteMeta(string(rune(c))) }
