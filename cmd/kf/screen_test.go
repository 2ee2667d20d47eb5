package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
				x.Name == "io" && s.Sel.Name == "WriteString" || x.Name == "tabwriter") ||
				s.Sel.Name == "OutOrStdout" || s.Sel.Name == "ErrOrStderr" {
				t.Errorf("%s writes past the screen", set.Position(s.Pos()))
			}
			return true
		})
	}
}
