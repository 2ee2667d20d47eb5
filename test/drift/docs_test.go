package drift

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/docs/page"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

func pages(t *testing.T) []*page.Page {
	t.Helper()
	all, err := page.All(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestNoLinkIsDead: files, and headings in pages.
func TestNoLinkIsDead(t *testing.T) {
	for _, dead := range page.Dead(harness.Root(), pages(t)) {
		t.Error(dead)
	}
}

// TestEveryPageIsInASection of the index, which is the navigation of the site.
func TestEveryPageIsInASection(t *testing.T) {
	sections, err := page.Sections(pages(t))
	if err != nil {
		t.Error(err)
	}
	want := []string{"Tutorial", "How-to", "Reference", "Operations", "Migration", "Decisions and why"}
	for i, s := range sections {
		if i >= len(want) || s.Title != want[i] {
			t.Errorf("section %d is %q, want %q", i, s.Title, want)
		}
	}
}

// TestFilesInPagesAreThoseFiles: a block that says which file it is, is that file.
func TestFilesInPagesAreThoseFiles(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if name := b.Marked("file"); name != "" {
				found++
				text, err := os.ReadFile(filepath.Join(harness.Root(), filepath.FromSlash(name)))
				if err != nil || strings.TrimSpace(string(text)) != strings.TrimSpace(b.Text) {
					t.Errorf("%s:%d: the block is not what %s has (%v)", p.Path, b.Line, name, err)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no such block found")
	}
}
