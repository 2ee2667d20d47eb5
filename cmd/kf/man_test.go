package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"
)

var man = flag.String("man", "", "folder to write the manual pages to")

// TestManPages has one for each command, as `make man` writes them.
func TestManPages(t *testing.T) {
	dir := *man
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root := program()
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Title: "KF", Section: "1", Source: "kf-tasks", Manual: "kf"}, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names(), "") {
		file := strings.TrimSuffix("kf-"+name, "-") + ".1"
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range []string{".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH EXAMPLE\n"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s lacks %q", file, part)
			}
		}
	}
}

// TestCompletionScripts: for the shells that docs/kf.md names, and bash reads its own.
func TestCompletionScripts(t *testing.T) {
	page, err := os.ReadFile("../../docs/kf.md")
	if err != nil {
		t.Fatal(err)
	}
	for shell, has := range map[string]string{"bash": "complete -o default", "zsh": "#compdef kf", "fish": "complete -c kf"} {
		out, _, code := kf(t, "completion", shell)
		if code != 0 || !strings.Contains(out, has) {
			t.Errorf("kf completion %s: %d, without %q", shell, code, has)
		}
		if !strings.Contains(string(page), "kf completion "+shell) {
			t.Errorf("docs/kf.md does not say how %s completes", shell)
		}
		if shell == "bash" {
			c := exec.Command("bash", "-n")
			c.Stdin = strings.NewReader(out)
			if said, err := c.CombinedOutput(); err != nil {
				t.Errorf("bash: %s", said)
			}
		}
	}
}
