package main

import (
	"bytes"
	"embed"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"

	"github.com/kf-tasks/kf-tasks/docs/page"
)

//go:embed assets
var assets embed.FS

var layout = template.Must(template.ParseFS(assets, "assets/page.html"))

// markdown renders what package page has read.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(nodes{}, 100))))

// view is what the layout is filled with.
type view struct {
	Title, Up, Source string
	Front             bool
	Body              template.HTML
	Sections          []section
	Outline           []item
}

type section struct {
	Title string
	Items []item
}

type item struct {
	Title, Href string
	Here        bool
}

func (s *site) render(p *page.Page) ([]byte, error) {
	_ = ast.Walk(p.Doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Link:
			if entering {
				n.Destination = []byte(s.href(p, string(n.Destination)))
			}
		case *ast.Image:
			if entering {
				n.Destination = []byte(s.href(p, string(n.Destination)))
			}
		}
		return ast.WalkContinue, nil
	})
	var body bytes.Buffer
	if err := markdown.Renderer().Render(&body, p.Source, p.Doc); err != nil {
		return nil, err
	}
	v := view{Title: p.Title, Up: up(p.Path), Front: p.Path == "README.md"}
	v.Body = template.HTML(body.String()) // by goldmark, which lets no markup through
	if !made(p) {
		v.Source = s.source + p.Path
	}
	for _, of := range s.sections {
		next := section{Title: of.Title}
		for _, e := range of.Entries {
			next.Items = append(next.Items, item{e.Title, v.Up + address(e.Path), e.Path == p.Path})
		}
		v.Sections = append(v.Sections, next)
	}
	for _, h := range p.Headings {
		if h.Level == 2 {
			v.Outline = append(v.Outline, item{Title: h.Text, Href: "#" + h.Anchor})
		}
	}
	var html bytes.Buffer
	err := layout.Execute(&html, v)
	return html.Bytes(), err
}

// nodes renders what is otherwise here than by goldmark itself: headings have a link to themselves, tables scroll, comments are left out.
type nodes struct{}

func (nodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, heading)
	r.Register(extast.KindTable, around(`<div class="scroll" tabindex="0" role="region" aria-label="table"><table>`, "</table></div>\n"))
	r.Register(ast.KindHTMLBlock, nothing)
	r.Register(ast.KindRawHTML, nothing)
}

func around(open, end string) renderer.NodeRendererFunc {
	return func(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
		text := end
		if entering {
			text = open
		}
		_, err := w.WriteString(text)
		return ast.WalkContinue, err
	}
}

func nothing(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

func heading(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	level := string("0123456"[n.(*ast.Heading).Level])
	id, _ := n.AttributeString("id")
	anchor := template.HTMLEscapeString(string(id.([]byte)))
	text := "<h" + level + ` id="` + anchor + `">`
	if !entering {
		text = ` <a class="anchor" href="#` + anchor + `" aria-label="link to this section">#</a></h` + level + ">\n"
	}
	_, err := w.WriteString(text)
	return ast.WalkContinue, err
}
