// Package attack runs attempts to get what one has no right to, and holds docs/security.md to the answers that they got.
package attack

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kf-tasks/kf-tasks/test/harness"
)

var update = flag.Bool("update", false, "write the answers that attacks got into docs/security.md")

// Row is one attempt.
type Row struct {
	id, attacker, act string
	try               func(t *testing.T) (answer string)
}

// New is an attempt. Its id is that of a row in docs/security.md, and the subtest's name; the attacker is who they are by
// what they hold.
func New(id, attacker, act string, try func(t *testing.T) (answer string)) Row {
	return Row{id, attacker, act, try}
}

// Run makes each attempt, prints its row, and compares the answer with what docs/security.md says. Names that are random
// in a test must not be in an answer.
func Run(t *testing.T, rows []Row) {
	t.Helper()
	page := filepath.Join(harness.Root(), "docs", "security.md")
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			line := fmt.Sprintf("| `%s` | %s | %s | %s |", r.id, r.attacker, r.act, r.try(t))
			t.Log(line)
			doc, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for said := range strings.Lines(string(doc)) {
				said = strings.TrimSuffix(said, "\n")
				if said == line || !strings.HasPrefix(said, "| `"+r.id+"` |") {
					continue
				}
				if !*update {
					t.Errorf("docs/security.md says\n%s\nand it is\n%s", said, line)
					continue
				}
				if err := os.WriteFile(page, bytes.ReplaceAll(doc, []byte(said), []byte(line)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
