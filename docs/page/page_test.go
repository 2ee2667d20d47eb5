package page

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sample = "# A page\n\nSee [there](b.md#two-words), [here](#why-task-why-app-id), [out](https://example.com/x#y) and ![it](img/x.svg), or `kf tasks`.\n\n" +
	"## why TASK, why APP ID\n\n## `a_b` & c\n\n## Twice\n\n## Twice\n\n" +
	"<!-- not run: it needs a node -->\n```sh\nkf tasks shop\n```\n\n- a list\n\n  ```yaml\n  a: 1\n  ```\n"

func TestParse(t *testing.T) {
	p := Parse("docs/a.md", []byte(sample))
	var anchors, links []string
	for _, h := range p.Headings {
		anchors = append(anchors, h.Anchor)
	}
	for _, l := range p.Links {
		links = append(links, l.To)
	}
	if want := []string{"a-page", "why-task-why-app-id", "a_b--c", "twice", "twice-1"}; !slices.Equal(anchors, want) {
		t.Errorf("anchors %q, want %q", anchors, want)
	}
	if want := []string{"b.md#two-words", "#why-task-why-app-id", "https://example.com/x#y", "img/x.svg"}; !slices.Equal(links, want) {
		t.Errorf("links %q, want %q", links, want)
	}
	if p.Title != "A page" || len(p.Codes) != 2 || p.Codes[0].Text != "kf tasks" || p.Links[0].Line != 3 {
		t.Errorf("%q, %+v, %+v", p.Title, p.Codes, p.Links)
	}
	if len(p.Blocks) != 2 || p.Blocks[0].Marked("not run") != "it needs a node" || p.Blocks[0].Text != "kf tasks shop\n" || p.Blocks[0].Line != 15 ||
		p.Blocks[1].Lang != "yaml" || p.Blocks[1].Text != "a: 1\n" || p.Blocks[1].Marked("not run") != "" {
		t.Errorf("%+v", p.Blocks)
	}
}

func TestDead(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"docs/README.md": "# Docs\n## How-to\n- [A](a.md): a.\n",
		"docs/a.md":      sample,
		"docs/b.md":      "# B\n## Two words\n[up](../functions/x/main.go) [dir](../functions/x) [no](../functions/y)\n[no](a.md#three) [no](../functions/x/main.go#L3)",
		"docs/img/x.svg": "", "functions/x/main.go": "",
	} {
		at := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := All(root)
	if err != nil {
		t.Fatal(err)
	}
	dead := Dead(root, pages)
	want := []string{"docs/b.md:3: the link to ../functions/y ", "docs/b.md:3: the link to a.md#three ", "docs/b.md:3: the link to ../functions/x/main.go#L3 "}
	if len(dead) != len(want) {
		t.Fatalf("%q", dead)
	}
	for i := range want {
		if !strings.HasPrefix(dead[i], want[i]) {
			t.Errorf("%q, want %q", dead[i], want[i])
		}
	}
	if _, err := Sections(pages); err == nil || !strings.Contains(err.Error(), "docs/b.md is in no section") || !strings.Contains(err.Error(), "- [B](b.md)") {
		t.Errorf("a page that is in no section: %v", err)
	}
	sections, err := Sections(pages[:2])
	if err != nil || len(sections) != 1 || sections[0].Title != "How-to" || sections[0].Entries[0] != (Entry{"docs/a.md", "A"}) {
		t.Errorf("%+v, %v", sections, err)
	}
}
