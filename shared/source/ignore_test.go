package source

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestIgnore has the rules of gitignore(5), one by one.
func TestIgnore(t *testing.T) {
	for _, c := range []struct{ lines, out, in string }{
		{"*.log", "a.log d/a.log", "a.logs log"},
		{"/a", "a", "d/a"},
		{"d/a", "d/a", "a e/d/a"},
		{"d/", "d/ e/d/", "d"},
		{"*.log\n!a.log", "b.log", "a.log d/a.log"},
		{"!a\na", "a", ""},
		{"**/a", "a d/a d/e/a", "ab"},
		{"d/**", "d/a d/e/a", "d d/"},
		{"d/**/a", "d/a d/e/a d/e/f/a", "a e/d/a"},
		{"d/*/a", "d/e/a", "d/a d/e/f/a"},
		{"# a\n\\#b\n\\!c", "#b !c", "# a"},
		{"a  \nb\\ \nc\\ \\  ", "a b\u00a0", "c"},
		{"[a-c]x\n[!a-c]y\n[[:digit:]]z", "ax dy 1z", "dx ay az"},
		{"a\r\nb\r", "a b", "b\r"},
		{"\xef\xbb\xbfa", "a", ""},
		{"\n \n!\n/\n", "", "a !"},
		{"a\\", "", "a a\\"},
		{"[a", "", "a [a"},
	} {
		i := ParseIgnore([]byte(c.lines))
		for want, paths := range map[bool]string{true: c.out, false: c.in} {
			for _, path := range strings.FieldsFunc(paths, func(r rune) bool { return r == ' ' }) {
				path = strings.ReplaceAll(path, "\u00a0", " ")
				name, folder := strings.CutSuffix(path, "/")
				if got := i.Excludes(name, folder); got != want {
					t.Errorf("%q: %q left out: %t, want %t", c.lines, path, got, want)
				}
			}
		}
	}
}

// TestIgnoreIsGits: whatever the lines, git leaves out the same, in thousands of random files of lines and paths.
func TestIgnoreIsGits(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git to compare with")
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	random := func(alphabet []string, most int) string {
		var s strings.Builder
		for range 1 + r.IntN(most) {
			s.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		return s.String()
	}
	parts := []string{"a", "b", "ab", "*", "**", "/", "?", "[ab]", "[!a]", "[^b-]", "[]a]", "[[:alpha:]]", "[[:x]", "[a-", "\\", " ", "\\ ", "#", "!", "ü", "-", "\r", ".", "/**/", "**/", "]", "[b-a]", "\\*"}
	names := []string{"a", "b", "ab", "/", "/", "*", " ", "#", "!", "ü", "-", "[", "]", ".b", "\\", "\r"}
	for round := range 25 {
		dir := t.TempDir()
		command(t, dir, nil, git, "init", "-q")
		var lines []string
		for range 1 + r.IntN(3) {
			line := random(parts, 5)
			if r.IntN(4) == 0 {
				line = "!" + line
			}
			lines = append(lines, line)
		}
		text := strings.Join(lines, "\n")
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths := map[string]bool{}
		for range 40 {
			path := filepath.Clean(strings.Trim(random(names, 5), "/"))
			if path != "." && path != ".." && !strings.HasPrefix(path, ".git") {
				paths[path] = os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o700) == nil && r.IntN(2) == 0
			}
		}
		var in bytes.Buffer
		for path, folder := range paths {
			at := filepath.Join(dir, path)
			if folder {
				_ = os.Mkdir(at, 0o700)
			} else {
				_ = os.WriteFile(at, nil, 0o600)
			}
			if _, err := os.Lstat(at); err == nil {
				fmt.Fprintf(&in, "%s\x00", path)
			}
		}
		out := command(t, dir, in.Bytes(), git, "-c", "core.ignorecase=false", "check-ignore", "--no-index", "-z", "--stdin")
		theirs := map[string]bool{}
		for path := range strings.SplitSeq(out, "\x00") {
			theirs[path] = true
		}
		i := ParseIgnore([]byte(text))
		for path := range strings.SplitSeq(strings.TrimSuffix(in.String(), "\x00"), "\x00") {
			if path == "" {
				continue
			}
			ours := leftOut(t, i, dir, path)
			if ours != theirs[path] {
				t.Errorf("seed %d, round %d: %q leaves out %q: %t, git %t", seed, round, text, path, ours, theirs[path])
			}
		}
	}
}

// leftOut looks at a path as the walk does: from the top, not into what is left out.
func leftOut(t *testing.T, i Ignore, dir, path string) bool {
	t.Helper()
	for n := range len(path) + 1 {
		if n < len(path) && path[n] != '/' {
			continue
		}
		info, err := os.Lstat(filepath.Join(dir, path[:n]))
		if err != nil {
			t.Fatal(err)
		}
		if i.Excludes(path[:n], info.IsDir()) {
			return true
		}
	}
	return false
}

func command(t *testing.T, dir string, in []byte, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Stdin = dir, bytes.NewReader(in)
	c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := c.Output()
	if err != nil && c.ProcessState.ExitCode() != 1 { // check-ignore's for: none of them
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}
