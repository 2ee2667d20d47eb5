package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kf-tasks/kf-tasks/docs/page"
)

// site is all pages, those that are made of the code included, and how they are found.
type site struct {
	root, source string
	pages        []*page.Page
	sections     []page.Section
	files        map[string]bool // of the project, that pages show: images
}

// gather reads the pages, makes the reference, and orders both.
func gather(root, source string) (*site, error) {
	pages, err := page.All(root)
	if err != nil {
		return nil, err
	}
	sections, err := page.Sections(pages)
	if err != nil {
		return nil, err
	}
	s := &site{root: root, source: source, pages: pages, sections: sections, files: map[string]bool{}}
	for _, reference := range references {
		made, err := reference(root)
		if err != nil {
			return nil, err
		}
		for _, p := range made {
			s.pages = append(s.pages, p)
			s.list("Reference", p)
		}
	}
	for _, p := range pages {
		switch dir := path.Dir(p.Path); {
		case path.Dir(dir) == "functions":
			s.list("Functions", p)
		case s.listed(p.Path) || p.Path == page.Index || p.Path == "README.md":
		default:
			s.list("Decisions and why", p)
		}
	}
	if dead := page.Dead(root, pages); len(dead) > 0 {
		return nil, errors.New(strings.Join(dead, "\n"))
	}
	return s, nil
}

func (s *site) listed(at string) bool {
	return slices.ContainsFunc(s.sections, func(of page.Section) bool {
		return slices.ContainsFunc(of.Entries, func(e page.Entry) bool { return e.Path == at })
	})
}

// list adds a page to a section, which it makes if there is none of the title.
func (s *site) list(title string, p *page.Page) {
	i := slices.IndexFunc(s.sections, func(of page.Section) bool { return of.Title == title })
	if i < 0 {
		i = len(s.sections)
		s.sections = append(s.sections, page.Section{Title: title})
	}
	s.sections[i].Entries = append(s.sections[i].Entries, page.Entry{Path: p.Path, Title: p.Title})
}

// address is where a page is in the site, from its top.
func address(at string) string {
	switch {
	case at == "README.md":
		return "index.html"
	case at == page.Index:
		return "contents.html"
	case path.Base(at) == "README.md":
		return strings.TrimPrefix(path.Dir(at), "shared/") + ".html"
	}
	return strings.ToLower(strings.TrimPrefix(strings.TrimSuffix(at, ".md"), "docs/")) + ".html"
}

// up leads from a page to the top of the site.
func up(at string) string { return strings.Repeat("../", strings.Count(address(at), "/")) }

// href is what a link of a page is in the site.
func (s *site) href(p *page.Page, to string) string {
	file, anchor, outside := p.Target(to)
	if outside {
		return to
	}
	if anchor != "" {
		anchor = "#" + anchor
	}
	for _, q := range s.pages {
		if q.Path == file || q.Path == file+"/README.md" {
			return up(p.Path) + address(q.Path) + anchor
		}
	}
	if strings.HasSuffix(file, ".svg") || strings.HasSuffix(file, ".png") {
		s.files[file] = true
		return up(p.Path) + strings.TrimPrefix(file, "docs/")
	}
	return s.source + file + anchor
}

// write writes the site, and looks at it as a reader's browser does.
func (s *site) write(out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	put := func(at string, content []byte) error {
		to := filepath.Join(out, filepath.FromSlash(at))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	}
	var index []hit
	for _, p := range s.pages {
		html, err := s.render(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Path, err)
		}
		if err := put(address(p.Path), html); err != nil {
			return err
		}
		index = append(index, hits(p)...)
	}
	for file := range s.files {
		content, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(file)))
		if err != nil {
			return err
		}
		if err := put(strings.TrimPrefix(file, "docs/"), content); err != nil {
			return err
		}
	}
	for _, name := range []string{"style.css", "site.js"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		if err := put(name, content); err != nil {
			return err
		}
	}
	if err := put("search-index.js", searchScript(index)); err != nil {
		return err
	}
	return check(out)
}
