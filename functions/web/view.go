package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

//go:embed templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the templates, each with the frame around it.
var pages = parsePages()

func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("frame").Funcs(words).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html"))
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f), ".html")
		if name != "frame" && name != "parts" {
			all[name] = template.Must(template.Must(frame.Clone()).ParseFS(templateFiles, f))
		}
	}
	return all
}

// version is of the assets: a browser keeps those of one version for ever.
var version = func() string {
	sum := sha256.New()
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		b, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err)
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}()

// assets are what pages load, at /assets/VERSION/NAME.
var assets = func() http.Handler {
	sub, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err)
	}
	files := http.StripPrefix("/assets/"+version, http.FileServerFS(sub))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/"+version+"/") && !strings.HasSuffix(r.URL.Path, "/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		files.ServeHTTP(w, r)
	})
}()

// view is a page that is to be shown.
type view struct {
	// Name is the template's, Title what a browser's tab says.
	Name, Title string
	// Trail leads to the page.
	Trail []link
	// Live pages are looked at again by the script.
	Live bool
	Data any
}

type link struct{ Text, Path string }

// framed is a view with what the frame shows.
type framed struct {
	view
	// Space and Object are of the address, User who has signed in.
	Space, Object, User string
	// Form is what a form holds to be taken, Here where to come back to, Said what was just done.
	Form, Here, Said string
	Version, Theme   string
	Now              time.Time
}

// When is a time for people and for programs.
func (f framed) When(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML("<time datetime=\"" + t.Format(time.RFC3339) + "\" title=\"" + t.Format("Mon 2 Jan 2006, 15:04:05 UTC") + "\">" +
		ago(f.Now, t) + "</time>")
}

// chip says how something stands: by a sign, a word and a colour.
func chip(state, text string) template.HTML {
	return template.HTML(`<span class="chip s-` + template.HTMLEscapeString(state) + `"><span class="g" aria-hidden="true">` +
		glyph(state) +
		`</span> ` + template.HTMLEscapeString(text) + `</span>`)
}

// onceMark stands in a form for a key of its own, by which sending it twice does it once. It is filled in after the page's version was
// taken, which it would change each time.
const onceMark = "kf-once-in-this-form"

// said are what was done before a page is shown, by the word in its address.
var said = map[string]string{
	"ran": "The Task was made.", "terminating": "The Task was asked to stop.", "reran": "A new Task was made.",
	"suspended": "The Job is suspended: its schedule runs nothing.", "resumed": "The Job runs on its schedule again.",
}

// render shows a page. One that a browser has already is not sent again.
func (v *visit) render(status int, p view) {
	f := framed{
		view: p, Space: v.space, Object: v.name, User: v.session.User, Version: version, Theme: themeOf(v.r), Now: v.began,
		Here: localPath(v.r.URL.RequestURI()), Said: said[v.r.URL.Query().Get("did")],
	}
	if v.session.ID != "" {
		f.Form = v.Sealer.FormToken(v.session.ID)
	}
	if v.r.Method != http.MethodGet {
		f.Here = localPath(v.r.PostFormValue("back"))
	}
	var b bytes.Buffer
	if err := pages[p.Name].ExecuteTemplate(&b, "frame", f); err != nil {
		http.Error(v.w, "the page can't be made: "+inert.Line(err.Error()), http.StatusInternalServerError)
		return
	}
	body := visible(b.Bytes())
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("ETag", tag)
	h.Set("Vary", "Cookie")
	h.Set("Server-Timing", fmt.Sprintf("page;dur=%.1f", float64(v.Now().Sub(v.began).Microseconds())/1000))
	if status == http.StatusOK && v.r.Header.Get("If-None-Match") == tag {
		v.w.WriteHeader(http.StatusNotModified)
		return
	}
	v.w.WriteHeader(status)
	_, _ = v.w.Write(bytes.ReplaceAll(body, []byte(onceMark), []byte(randomID())))
}

// visible makes a page do nothing but show: what acts in it, or turns text around, wherever it comes from, is shown by its name
// (shared/inert). The templates have no such characters, and escape markup.
func visible(page []byte) []byte {
	out := make([]byte, 0, len(page)+256)
	for line := range bytes.Lines(page) {
		text, end := bytes.CutSuffix(line, []byte("\n"))
		if safe := inert.Append(nil, text); bytes.Equal(safe, text) {
			out = append(out, line...)
			continue
		}
		for _, r := range string(text) { // what is not UTF-8 is U+FFFD
			one := string(r)
			if shown := string(inert.Append(nil, []byte(one))); shown != one {
				one = html.EscapeString(shown)
			}
			out = append(out, one...)
		}
		if end {
			out = append(out, '\n')
		}
	}
	return out
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "dark" || c.Value == "light") {
		return c.Value
	}
	return "auto"
}

// words are what templates say things with.
var words = template.FuncMap{
	"once":   func() string { return onceMark },
	"lines":  func(s string) []string { return strings.Split(s, "\n") },
	"states": func() []string { return states },
	"glyph":  glyph,
	"chip":   chip,
	"rows": func(f framed, rows []Row) any {
		return struct {
			F    framed
			Rows []Row
		}{f, rows}
	},
	"logbox": func(f framed, l logData, task string) any {
		return struct {
			F    framed
			L    logData
			Task string
		}{f, l, task}
	},
	"brief": brief,
	"sum":   func(a, b int) int { return a + b },
	"fit":   func(n int, s string) string { return inert.Fit(strings.Join(strings.Fields(s), " "), n) },
	"title": func(s string) string { return strings.ToUpper(s[:1]) + s[1:] },
}
