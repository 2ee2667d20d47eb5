package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/kf-tasks/kf-tasks/docs/page"
)

// hit is a section of a page, as it is searched for: Words are all its words once, in small letters, Begins is how it begins.
type hit struct {
	Page   string `json:"p"`
	Title  string `json:"t"`
	Href   string `json:"h"`
	Begins string `json:"b"`
	Words  string `json:"w"`
}

// hits are the sections of a page.
func hits(p *page.Page) (all []hit) {
	current, text := hit{Page: p.Title, Title: p.Title, Href: address(p.Path)}, ""
	end := func() {
		current.Begins = begins(text)
		current.Words = words(current.Title + " " + text)
		all = append(all, current)
		text = ""
	}
	for n := p.Doc.FirstChild(); n != nil; n = n.NextSibling() {
		if _, is := n.(*ast.Heading); !is {
			text += " " + page.Text(n, p.Source)
			continue
		}
		i := slices.IndexFunc(p.Headings, func(h page.Heading) bool { return h.Node == n })
		if h := p.Headings[i]; h.Level > 1 {
			end()
			current = hit{Page: p.Title, Title: h.Text, Href: address(p.Path) + "#" + h.Anchor}
		}
	}
	end()
	return all
}

func begins(text string) string {
	short := strings.Join(strings.Fields(text), " ")
	if len(short) > 160 {
		short = strings.ToValidUTF8(short[:160], "") + " ..."
	}
	return short
}

var notWords = regexp.MustCompile(`[^a-z0-9_.@/-]+`)

func words(text string) string {
	all := notWords.Split(strings.ToLower(text), -1)
	for i, w := range all {
		all[i] = strings.Trim(w, "./-")
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// searchScript is the index as a script: so it is also read where the site is a folder of files.
func searchScript(index []hit) []byte {
	b, err := json.Marshal(index)
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return append(append([]byte("searchIndex("), b...), []byte(");\n")...)
}
