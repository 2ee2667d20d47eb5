package drift

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// declaredTests are the names of all tests.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(harness.Root(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != harness.Root() {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range declaration.FindAllStringSubmatch(string(b), -1) {
			declared[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return declared
}

// TestDesignNamesTestsThatAreThere: docs/design.md names, for each promise, the tests that would fail without it.
func TestDesignNamesTestsThatAreThere(t *testing.T) {
	declared := declaredTests(t)
	promises := 0
	for line := range strings.Lines(read(t, "docs", "design.md")) {
		if !regexp.MustCompile(`^\| \d+[a-z]? \|`).MatchString(line) {
			continue
		}
		promises++
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
		for _, m := range names {
			if !declared[m[1]] {
				t.Errorf("docs/design.md names %s, which is not there", m[1])
			}
		}
		if len(names) == 0 && !strings.Contains(strings.ToLower(line), "not yet") && !strings.Contains(line, "not tested yet") {
			t.Errorf("docs/design.md has a promise without a test: %.80s", line)
		}
	}
	if promises < 13 {
		t.Errorf("docs/design.md has %d promises", promises)
	}
}

// TestFunctionsAreDescribedAlike: who knows one function's README finds their way in all; and what it says to try is tried
// by a POST, for a GET does nothing.
func TestFunctionsAreDescribedAlike(t *testing.T) {
	for _, name := range functions(t) {
		readme, at := read(t, "functions", name, "README.md"), 0
		for _, part := range []string{"# " + name + "\n", "**In**", "**Does**", "**Out**", "**May touch**", "**Settings**", "**Try it**", "curl "} {
			next := strings.Index(readme[at:], part)
			if next < 0 {
				t.Errorf("functions/%s/README.md lacks %q, or has it elsewhere than the others", name, part)
				break
			}
			at += next
		}
		if _, try, _ := strings.Cut(readme, "curl "); name != "logs" && name != "web" && !strings.Contains(try, "-X POST") && !strings.Contains(try, "-d '") {
			t.Errorf("functions/%s/README.md tries the function by a GET", name)
		}
	}
}

// TestTheMapNamesEveryFolder: docs/extend.md says of each folder which question it answers.
func TestTheMapNamesEveryFolder(t *testing.T) {
	page := read(t, "docs", "extend.md")
	for _, glob := range []string{"cmd/*", "functions/*", "shared/*", "config", "docs", "hack", "test", "tools"} {
		found, err := filepath.Glob(filepath.Join(harness.Root(), glob))
		if err != nil || len(found) == 0 {
			t.Errorf("%s: %d found, %v", glob, len(found), err)
		}
		for _, dir := range found {
			if rel, _ := filepath.Rel(harness.Root(), dir); !strings.Contains(page, "](../"+rel) {
				t.Errorf("docs/extend.md does not name %s: say in its table which question it answers", rel)
			}
		}
	}
}

// TestThePictureShowsEveryFunction: docs/img/overview.svg is written by hand, so a new function is easily left out.
func TestThePictureShowsEveryFunction(t *testing.T) {
	picture := read(t, "docs", "img", "overview.svg")
	for _, name := range functions(t) {
		if !strings.Contains(picture, ">"+name+"</text>") {
			t.Errorf("docs/img/overview.svg does not show functions/%s: add a row to it", name)
		}
	}
	if !strings.Contains(picture, "prefers-color-scheme: dark") {
		t.Error("docs/img/overview.svg has no colours for dark pages")
	}
}
