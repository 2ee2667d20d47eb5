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

// TestDesignNamesTestsThatAreThere: docs/design.md names, for each promise, the tests that would fail without it.
func TestDesignNamesTestsThatAreThere(t *testing.T) {
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
	promises := 0
	for line := range strings.Lines(read(t, "docs", "design.md")) {
		if !regexp.MustCompile(`^\| \d+ \|`).MatchString(line) {
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
