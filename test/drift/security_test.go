package drift

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestSecurityNamesTestsThatAreThere: docs/security.md says of each threat which test would fail without what stops it.
func TestSecurityNamesTestsThatAreThere(t *testing.T) {
	declared := declaredTests(t)
	threats, _, _ := strings.Cut(read(t, "docs", "security.md"), "\n## What remains")
	rows := 0
	for line := range strings.Lines(threats) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who ") || strings.HasPrefix(line, "| --- ") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test of %.80s", line)
		}
		for _, m := range names {
			if !declared[m[1]] {
				t.Errorf("docs/security.md names %s, which is not there", m[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d threats", rows)
	}
}

// TestEveryAttackIsInTheDocs, and each that is there is made; the answers are compared where they are made.
func TestEveryAttackIsInTheDocs(t *testing.T) {
	var made, told []string
	files, _ := filepath.Glob(filepath.Join(harness.Root(), "test", "*", "attack*_test.go"))
	for _, f := range files {
		for _, m := range regexp.MustCompile(`(?:attack\.New\(|\t\t\{)"([a-z0-9-]+)", "?[a-z]`).
			FindAllStringSubmatch(read(t, "test", filepath.Base(filepath.Dir(f)), filepath.Base(f)), -1) {
			made = append(made, m[1])
		}
	}
	_, attacks, _ := strings.Cut(read(t, "docs", "security.md"), "\n## Attacks")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| .+ \\| .+ \\| (.+) \\|$").FindAllStringSubmatch(attacks, -1) {
		told = append(told, m[1])
	}
	slices.Sort(made)
	slices.Sort(told)
	if !slices.Equal(made, told) {
		t.Errorf("made are\n%v\ndocs/security.md has\n%v", made, told)
	}
	if len(slices.Compact(made)) != len(told) || len(told) < 40 {
		t.Errorf("%d attacks, %d of their own names", len(told), len(slices.Compact(made)))
	}
}
