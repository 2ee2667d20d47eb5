package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

func built(t *testing.T) (dir string, s *site) {
	t.Helper()
	s, err := gather(harness.Root(), "https://source.example/")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func content(t *testing.T, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTheSite is whole: every link of every page leads somewhere, and the reference has what the code has.
func TestTheSite(t *testing.T) {
	dir, s := built(t)
	for file, wants := range map[string][]string{
		"index.html":                 {`<h1 id="kf-tasks">`, `src="img/overview.svg"`, `href="tutorial.html"`},
		"contents.html":              {"every command and every output"},
		"functions/tick.html":        {`href="../operate.html#settings-of-every-function"`, `href="../style.css"`},
		"design.html":                {`href="https://source.example/shared/events/hint.go"`, `<div class="scroll"`},
		"reference/task.html":        {"<code>spec.retries</code>", "from 0; to 100"},
		"reference/app.html":         {"<code>spec.template.spec</code>", "<code>spec.build.image</code>"},
		"reference/commands.html":    {`<h2 id="kf-run-task">`, "--not-before"},
		"reference/event-types.html": {`<h2 id="devkftaskrunv1">`, "&quot;properties&quot;"},
		"reference/settings.html":    {"<code>WORKERS</code>", "<code>MAX_BODY</code>", "<code>4194304</code>"},
		"reference/reasons.html":     {"<code>OutOfMemory</code>", "killed by the kernel"},
		"search-index.js":            {`"h":"tasks.html#a-task-runs-once"`, "outofmemory"},
	} {
		text := content(t, dir, file)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", file, want)
			}
		}
	}
	if len(s.pages) < 40 {
		t.Errorf("only %d pages", len(s.pages))
	}
	if _, err := os.Stat(filepath.Join(dir, "reference", "apps.html")); err == nil {
		t.Error("a kind has two pages")
	}
}

// TestWhatIsWrongWithASiteIsFound by the check of what was written.
func TestWhatIsWrongWithASiteIsFound(t *testing.T) {
	for want, text := range map[string]string{
		"b.html leads nowhere":    `<a href="b.html">`,
		"#there leads nowhere":    `<a href="#there">`,
		"a.html#x leads nowhere":  `<a href="a.html#x">`,
		"the id y is there twice": `<p id="y"><p id="y">`,
		"style.css leads nowhere": `<link href="style.css">`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.html"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := check(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
