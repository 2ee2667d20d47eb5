package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// Index is the page that lists the others, by section.
const Index = "docs/README.md"

// Section is a heading of the index, with the pages that are listed under it.
type Section struct {
	Title   string
	Entries []Entry
}

// Entry is a page of the index, and what it says of it.
type Entry struct {
	Path, Title string
}

// Sections are those of the index. Each page of docs/ has to be in one, and in no more.
func Sections(pages []*Page) (sections []Section, err error) {
	i := slices.IndexFunc(pages, func(p *Page) bool { return p.Path == Index })
	if i < 0 {
		return nil, fmt.Errorf("there is no %s", Index)
	}
	index, listed := pages[i], map[string]bool{Index: true}
	_ = ast.Walk(index.Doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		heading, isHeading := n.(*ast.Heading)
		link, isLink := n.(*ast.Link)
		switch {
		case entering && isHeading && heading.Level == 2:
			sections = append(sections, Section{Title: plain(n, index.Source)})
		case entering && isLink && len(sections) > 0:
			file, _, _ := index.Target(string(link.Destination))
			if listed[file] {
				err = fmt.Errorf("%s lists %s twice", Index, file)
			}
			listed[file] = true
			last := &sections[len(sections)-1]
			last.Entries = append(last.Entries, Entry{file, plain(n, index.Source)})
		}
		return ast.WalkContinue, nil
	})
	for _, p := range pages {
		if strings.HasPrefix(p.Path, "docs/") && !listed[p.Path] {
			return nil, fmt.Errorf("%s is in no section: add a line for it to %s, such as - [%s](%s): what it is for",
				p.Path, Index, p.Title, strings.TrimPrefix(p.Path, "docs/"))
		}
	}
	return sections, err
}
