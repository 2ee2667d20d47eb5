// Package page reads the Markdown pages of this project: their headings, what they link to, and their fenced blocks.
package page

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Markdown is the dialect of all pages: GitHub's.
var Markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

// Page is a Markdown file.
type Page struct {
	// Path is its place, from the root of the project, with slashes.
	Path string
	// Title is its first heading.
	Title string
	// Headings, Links, Blocks and Codes are what it has, in their order.
	Headings []Heading
	Links    []Link
	Blocks   []Block
	// Codes are the spans of code in its text.
	Codes []Code

	Source []byte
	Doc    ast.Node
}

// Heading is one, with the anchor that a link to it names.
type Heading struct {
	Level        int
	Text, Anchor string
	Node         *ast.Heading
}

// Link is where a page points to.
type Link struct {
	To   string
	Line int
}

// Code is a span of code.
type Code struct {
	Text string
	Line int
}

// Block is a fenced block.
type Block struct {
	// Lang is the first word after the fence; Marker is the comment right before the block, without its marks.
	Lang, Marker, Text string
	Line               int
}

// Marked is what the block's marker says of something, such as why it is not run; "" if it says nothing of it.
func (b Block) Marked(what string) string {
	says, is := strings.CutPrefix(b.Marker, what+":")
	if !is {
		return ""
	}
	return strings.TrimSpace(says)
}

// folders are where pages are.
var folders = []string{"*.md", "docs/*.md", "functions/*/README.md", "shared/*/README.md", "builder/README.md", "test/README.md"}

// All reads every page of the project, in the order of their paths.
func All(root string) (pages []*Page, err error) {
	for _, pattern := range folders {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			source, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			rel, err := filepath.Rel(root, f)
			if err != nil {
				return nil, err
			}
			pages = append(pages, Parse(filepath.ToSlash(rel), source))
		}
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("there are no pages in %s", root)
	}
	slices.SortFunc(pages, func(a, b *Page) int { return strings.Compare(a.Path, b.Path) })
	return pages, nil
}

// Parse reads one page.
func Parse(at string, source []byte) *Page {
	p := &Page{Path: at, Source: source, Doc: Markdown.Parser().Parse(text.NewReader(source))}
	taken := map[string]int{}
	_ = ast.Walk(p.Doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.see(n, taken)
		}
		return ast.WalkContinue, nil
	})
	return p
}

func (p *Page) see(n ast.Node, taken map[string]int) {
	switch n := n.(type) {
	case *ast.Heading:
		h := Heading{n.Level, plain(n, p.Source), "", n}
		h.Anchor = anchor(h.Text, taken)
		n.SetAttributeString("id", []byte(h.Anchor))
		p.Headings = append(p.Headings, h)
		if p.Title == "" {
			p.Title = h.Text
		}
	case *ast.Link:
		p.Links = append(p.Links, Link{string(n.Destination), p.line(n)})
	case *ast.Image:
		p.Links = append(p.Links, Link{string(n.Destination), p.line(n)})
	case *ast.CodeSpan:
		p.Codes = append(p.Codes, Code{plain(n, p.Source), p.line(n)})
	case *ast.FencedCodeBlock:
		b := Block{Lang: string(n.Language(p.Source)), Text: lines(n, p.Source), Line: p.line(n)}
		if before, is := n.PreviousSibling().(*ast.HTMLBlock); is {
			b.Marker = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(lines(before, p.Source)), "<!--"), "-->"))
		}
		p.Blocks = append(p.Blocks, b)
	}
}

// line is the number of the line that a node, or the block that it is in, begins in.
func (p *Page) line(n ast.Node) int {
	for ; n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
			return 1 + bytes.Count(p.Source[:n.Lines().At(0).Start], []byte("\n"))
		}
	}
	return 0
}

func lines(n ast.Node, source []byte) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		b.Write(segment.Value(source))
	}
	return b.String()
}

// Text is all that a node says, blocks of code included.
func Text(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch {
		case !entering || n.Kind() == ast.KindHTMLBlock:
		case n.Kind() == ast.KindFencedCodeBlock || n.Kind() == ast.KindCodeBlock:
			b.WriteString(" " + lines(n, source))
		case n.Type() == ast.TypeInline && n.Kind() == ast.KindText:
			b.Write(n.(*ast.Text).Segment.Value(source))
			if n.(*ast.Text).SoftLineBreak() {
				b.WriteByte(' ')
			}
		case n.Type() == ast.TypeBlock:
			b.WriteByte(' ')
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// plain is the text of a node, without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// anchor is how GitHub names a heading: in small letters, blanks as hyphens, without what is no letter, digit, hyphen or underscore;
// a second of its name has -1.
func anchor(heading string, taken map[string]int) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	n := taken[name]
	taken[name]++
	if n > 0 {
		return fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

// Has says whether a link to an anchor of the page arrives.
func (p *Page) Has(anchor string) bool {
	return anchor == "" || slices.ContainsFunc(p.Headings, func(h Heading) bool { return h.Anchor == anchor })
}

var elsewhere = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

// Target is the file that a link of a page points to, from the root of the project, and the anchor in it; outside is true for one
// that leaves the project.
func (p *Page) Target(to string) (file, anchor string, outside bool) {
	if elsewhere.MatchString(to) {
		return to, "", true
	}
	file, anchor, _ = strings.Cut(to, "#")
	if file == "" {
		return p.Path, anchor, false
	}
	return path.Join(path.Dir(p.Path), file), anchor, false
}

// Dead says which links of the pages lead nowhere.
func Dead(root string, pages []*Page) (dead []string) {
	for _, p := range pages {
		for _, l := range p.Links {
			file, anchor, outside := p.Target(l.To)
			if outside {
				continue
			}
			at := fmt.Sprintf("%s:%d: the link to %s leads nowhere", p.Path, l.Line, l.To)
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
				dead = append(dead, at)
				continue
			}
			i := slices.IndexFunc(pages, func(q *Page) bool { return q.Path == file })
			if anchor != "" && (i < 0 || !pages[i].Has(anchor)) {
				dead = append(dead, at+": there is no such heading")
			}
		}
	}
	return dead
}
