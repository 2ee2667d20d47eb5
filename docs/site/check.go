package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

var outside = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

// seen is what a page of the site offers, and asks for.
type seen struct{ ids, links []string }

// check follows every link of the site that was written: each leads to a file, and to something in it. Ids are there once.
func check(out string) error {
	all := map[string]seen{}
	err := filepath.WalkDir(out, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(out, at)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		s := seen{}
		if strings.HasSuffix(at, ".html") {
			s, err = look(content)
		}
		all[filepath.ToSlash(rel)] = s
		return err
	})
	errs := []error{err}
	for from, s := range all {
		for i, id := range s.ids {
			if slices.Contains(s.ids[:i], id) {
				errs = append(errs, fmt.Errorf("%s: the id %s is there twice", from, id))
			}
		}
		for _, to := range s.links {
			file, anchor, _ := strings.Cut(to, "#")
			if outside.MatchString(to) {
				continue
			}
			if file = path.Join(path.Dir(from), file); strings.HasPrefix(to, "#") {
				file = from
			}
			if of, is := all[file]; !is || anchor != "" && !slices.Contains(of.ids, anchor) {
				errs = append(errs, fmt.Errorf("%s: the link to %s leads nowhere", from, to))
			}
		}
	}
	return errors.Join(errs...)
}

func look(content []byte) (s seen, err error) {
	doc, err := html.Parse(bytes.NewReader(content))
	if err != nil {
		return s, err
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				s.ids = append(s.ids, a.Val)
			case "href", "src", "action":
				s.links = append(s.links, a.Val)
			}
		}
	}
	return s, nil
}
