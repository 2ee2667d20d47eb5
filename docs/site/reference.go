package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/kf-tasks/kf-tasks/docs/page"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// references make the pages that say what the code says.
var references = []func(root string) ([]*page.Page, error){fields, commands, eventTypes, settings, reasons}

const madePrefix = "docs/reference/"

// made says whether a page is made of the code.
func made(p *page.Page) bool { return strings.HasPrefix(p.Path, madePrefix) }

func makePage(name, text string) *page.Page { return page.Parse(madePrefix+name+".md", []byte(text)) }

// cell is a text that stands in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// prose is a text of comments, in which marks of HTML and Markdown are none.
func prose(text string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`, "[", `\[`).Replace(cell(text))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	fence := "`"
	if strings.Contains(text, "`") {
		fence = "``"
	}
	return fence + cell(text) + fence
}

// commands are the help of each command of kf, as its golden files have it.
func commands(root string) ([]*page.Page, error) {
	files, err := filepath.Glob(filepath.Join(root, "cmd", "kf", "testdata", "help", "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("the help of kf's commands is not there")
	}
	text := "# Commands\n\nWhat `kf COMMAND --help` says of each. [use.md](../use.md) has them in one table, " +
		"[kf.md](../kf.md) what holds for all.\n"
	slices.SortFunc(files, func(a, b string) int { // kf itself comes first
		return strings.Compare(strings.TrimSuffix(filepath.Base(a), "kf.txt"), strings.TrimSuffix(filepath.Base(b), "kf.txt"))
	})
	for _, f := range files {
		said, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		if name != "kf" {
			name = "kf " + name
		}
		about, rest, _ := strings.Cut(string(said), "\nUsage:\n")
		text += "\n## " + name + "\n" + help(about) + "\n```text\nUsage:\n" + strings.TrimRight(rest, "\n") + "\n```\n"
	}
	return []*page.Page{makePage("commands", text)}, nil
}

// help is the text of a command's help: lines that are indented are a block.
func help(text string) string {
	var b strings.Builder
	block := false
	for line := range strings.Lines(text) {
		if is := strings.HasPrefix(line, "  ") || block && line == "\n"; is != block {
			b.WriteString(map[bool]string{true: "\n```text\n", false: "```\n"}[is])
			block = is
		}
		b.WriteString(line)
	}
	if block {
		b.WriteString("```\n")
	}
	return b.String()
}

// eventTypes are those of the catalogue, with their schemas.
func eventTypes(root string) ([]*page.Page, error) {
	text := "# Event types\n\nThe catalogue, with the schema of each type's data. [events.md](../events.md) says who may send what, " +
		"and what is answered.\n\n| type | says |\n| --- | --- |\n"
	names := make([]string, 0, len(events.Catalogue))
	for name := range events.Catalogue {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text += fmt.Sprintf("| [`%s`](#%s) | %s |\n", name, strings.ReplaceAll(name, ".", ""), prose(events.Catalogue[name].Description))
	}
	for _, name := range names {
		schema, err := os.ReadFile(filepath.Join(root, "shared", "events", "schemas", name+".json"))
		if err != nil {
			return nil, err
		}
		text += fmt.Sprintf("\n## %s\nIt says: %s.\n\n```json\n%s```\n", name, prose(events.Catalogue[name].Description), schema)
	}
	return []*page.Page{makePage("event-types", text)}, nil
}

// declarations are those of the Go files of a folder, tests left out.
func declarations(root, dir string) (all []ast.Decl, err error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed.Decls...)
	}
	return all, err
}

// settings are the environment variables of each function, by the structs that read them.
func settings(root string) ([]*page.Page, error) {
	text := "# Settings\n\nEnvironment variables of the functions, with their defaults. " +
		"[operate.md](../operate.md#settings-of-every-function) says how they are set.\n"
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	if len(mains) == 0 {
		return nil, errors.New("there are no functions")
	}
	dirs := []string{"shared/receiver"}
	for _, m := range mains {
		dirs = append(dirs, "functions/"+filepath.Base(filepath.Dir(m)))
	}
	for _, dir := range dirs {
		all, err := declarations(root, dir)
		if err != nil {
			return nil, err
		}
		rows := ""
		for _, d := range all {
			ast.Inspect(d, func(n ast.Node) bool {
				if f, is := n.(*ast.Field); is && f.Tag != nil {
					rows += settingRow(f)
				}
				return true
			})
		}
		title := "## " + filepath.Base(dir) + "\n"
		if dir == "shared/receiver" {
			title = "## Every function\n"
		}
		if rows == "" {
			rows = "None of its own.\n"
		} else {
			rows = "| setting | default | says |\n| --- | --- | --- |\n" + rows
		}
		text += "\n" + title + rows
	}
	return []*page.Page{makePage("settings", text)}, nil
}

func settingRow(f *ast.Field) string {
	raw, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return ""
	}
	tag := reflect.StructTag(raw)
	name := tag.Get("envconfig")
	if name == "" {
		return ""
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", name, code(tag.Get("default")), prose(f.Doc.Text()))
}

// reasons are those of conditions, with what their comments say; what to do about each is in the pages.
func reasons(root string) ([]*page.Page, error) {
	text := "# Reasons\n\nThe reasons of conditions, and what each says in short. What to do about one is in [tasks.md](../tasks.md), " +
		"[jobs.md](../jobs.md), [build.md](../build.md) and [spaces.md](../spaces.md).\n"
	file := filepath.Join(root, "shared", "api", "v1alpha1", "reasons.go")
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, d := range parsed.Decls {
		block, is := d.(*ast.GenDecl)
		if !is || block.Tok != token.CONST {
			continue
		}
		about, more, _ := strings.Cut(strings.TrimSpace(block.Doc.Text()), ". ")
		text += "\n## " + strings.TrimSuffix(cell(about), ".") + "\n" + prose(more) + "\n\n| reason | says |\n| --- | --- |\n"
		for _, spec := range block.Specs {
			v := spec.(*ast.ValueSpec)
			for _, value := range v.Values {
				name, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					return nil, err
				}
				text += fmt.Sprintf("| `%s` | %s |\n", name, prose(v.Comment.Text()))
			}
		}
	}
	return []*page.Page{makePage("reasons", text)}, nil
}
