package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/kballard/go-shellquote"
)

// hostile clears the screen, forges a row, turns the text around, and does it all again by the 8-bit controls.
const hostile = "ok\x1b[2J\x1b[1;1Hfake\nrow\r\u009b2J\u202eevil\tend\x7f"

func TestForeignTextIsInertAndOneRow(t *testing.T) {
	var out, errs bytes.Buffer
	s := screen{&out, &errs}
	s.printf("%s|%q|%v|%d|%[1]s\n", hostile, hostile, errors.New(hostile), 7)
	s.progress("Error: %v %s", errors.New(hostile), 3*time.Second)
	s.progress("%+v", struct{ Name string }{hostile})
	if err := s.table([][]string{{"Name", "Reason"}, {hostile, hostile}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), errs.String()} {
		if i := strings.IndexFunc(text, func(r rune) bool {
			return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069)
		}); i >= 0 {
			t.Errorf("%q is still there in %q", text[i], text)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d rows, want 3: %q", n, out.String())
	}
	if n := strings.Count(errs.String(), "\n"); n != 2 {
		t.Errorf("%d rows, want 2: %q", n, errs.String())
	}
	if !strings.Contains(errs.String(), "Error: ok^[[2J^[[1;1Hfake^Jrow^M") || !strings.Contains(errs.String(), " 3s\n") {
		t.Errorf("the text can't be read: %q", errs.String())
	}
}

func TestColumnsLineUpOnATerminal(t *testing.T) {
	var out bytes.Buffer
	if err := (screen{out: &out}).table([][]string{
		{"Name", "ID", "Why"},
		{"日報", "1", "wide"},
		{"cafe\u0301", "22", "combined"}, // e and an accent
		{"", "", ""},
		{"long-name", "3", ""},
	}); err != nil {
		t.Fatal(err)
	}
	want := "Name        ID   Why\n" +
		"日報        1    wide\n" +
		"cafe\u0301        22   combined\n" +
		"\n" +
		"long-name   3\n"
	if out.String() != want {
		t.Errorf("\n%s\nwant\n%s", out.String(), want)
	}
}

// TestAllTextGoesThroughTheScreen: no other file of the program writes to the terminal by itself.
func TestAllTextGoesThroughTheScreen(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if name == "screen.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := s.X.(*ast.Ident)
			if x != nil && (x.Name == "fmt" && (strings.HasPrefix(s.Sel.Name, "Fprint") || strings.HasPrefix(s.Sel.Name, "Print")) ||
				x.Name == "io" && s.Sel.Name == "WriteString" || x.Name == "tabwriter" || x.Name == "log" || x.Name == "klog" && s.Sel.Name != "SetLogger" ||
				x.Name == "os" && strings.HasPrefix(s.Sel.Name, "Std") && name != "main.go") ||
				s.Sel.Name == "OutOrStdout" || s.Sel.Name == "ErrOrStderr" {
				t.Errorf("%s writes past the screen", set.Position(s.Pos()))
			}
			return true
		})
	}
}

// terminal is written to by a command, and by requests that it has left behind.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// TestCommandsAreInert runs the examples of every command against API servers that put escape sequences wherever kf may look.
func TestCommandsAreInert(t *testing.T) {
	q := strings.Trim(strconv.QuoteToASCII(hostile), `"`) // as JSON has it, but for \x1b and \x7f
	q = strings.NewReplacer(`\x1b`, `\u001b`, `\x7f`, `\u007f`).Replace(q)
	condition := `{"type":"%s","status":"False","reason":"` + q + `","message":"` + q + `","lastTransitionTime":"2026-11-23T12:00:00Z"}`
	object := `{"apiVersion":"kf.dev/v1alpha1","kind":"Task","metadata":{"name":"` + q + `","namespace":"` + q + `","uid":"u","generation":1},` +
		`"spec":{"displayName":"` + q + `","command":"` + q + `","appRef":{"name":"shop"},"schedule":"` + q + `","build":{"image":"` + q + `"}},` +
		`"status":{"observedGeneration":1,"id":7,"conditions":[` + fmt.Sprintf(condition, "Ready") + "," + fmt.Sprintf(condition, "Succeeded") + `],` +
		`"startCommands":{"error":"` + q + `"}}}`
	answers := map[string]func(r *http.Request) (int, string){
		"objects": func(r *http.Request) (int, string) {
			switch {
			case strings.Contains(r.Header.Get("Accept"), "as=Table"):
				return 200, `{"apiVersion":"meta.k8s.io/v1","kind":"Table","columnDefinitions":[{"name":"` + q + `","type":"string"},{"name":"ID","type":"integer"}],` +
					`"rows":[{"cells":["` + q + `",1]},{"cells":["` + q + `",null]}]}`
			case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "s"):
				return 200, `{"apiVersion":"kf.dev/v1alpha1","kind":"TaskList","metadata":{},"items":[` + object + `]}`
			}
			return 200, object
		},
		"refusals": func(*http.Request) (int, string) {
			return 403, `{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"` + q + `","details":{"name":"` + q + `"}}`
		},
		"faults": func(*http.Request) (int, string) { return 400, hostile },
	}
	t.Chdir(t.TempDir()) // import's examples read files
	if err := os.WriteFile("crontab.txt", []byte("* * * * * echo "+strings.NewReplacer("\n", "", "\x00", "").Replace(hostile)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, answer := range answers {
		for _, name := range names() {
			ctx, cancel := context.WithCancel(t.Context())
			var asked atomic.Int32 // a request that the wait left behind may still come
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 3 {
					cancel() // a wait that will not end
				}
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Warning", `299 - "`+strings.ReplaceAll(q, `\`, `\\`)+`"`)
				status, body := answer(r)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}))
			for line := range strings.Lines(command(name).Example) {
				words, err := shellquote.Split(strings.TrimSpace(line))
				if err != nil || len(words) == 0 || words[0] != "kf" {
					continue
				}
				var out terminal
				run(ctx, screen{&out, &out}, append(words[1:], "--space", "demo", "--kubeconfig", kubeconfig(t, server.URL)))
				if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf) }) {
					t.Errorf("%s: %q printed %q", what, words, out.String())
				}
			}
			if asked.Load() == 0 && name != "version" { // which asks no cluster
				t.Errorf("%s: kf %s asked for nothing", what, name)
			}
			server.Close()
			cancel()
		}
	}
}

func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],`+
		`"users":[{"name":"u","user":{}}],"clusters":[{"name":"c","cluster":{"server":"`+server+`"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
