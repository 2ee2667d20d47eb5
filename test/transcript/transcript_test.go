package transcript

import (
	"strings"
	"testing"
)

func TestDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		page, printed string
		same          bool
	}{
		"ids, times and columns": {"shop-w6fv7   3    fails   6s\nNext 2026-12-01T02:30Z", "shop-2wd9h 3 fails 1m20s\nNext 2027-01-05T02:30Z", true},
		"progress":               {"Task shop-w6fv7: Pending\nTask shop-w6fv7: Succeeded", "Task shop-abcde: Running\nTask shop-abcde: Succeeded", true},
		"days and zones":         {"  Mon 2026-11-30 02:30 CET", "  Thu 2027-06-03 02:30 CEST", true},
		"another end":            {"Task shop-w6fv7: Succeeded", "Task shop-abcde: Failed", false},
		"left out":               {"...\nb\n...", "a\nb\nc", true},
		"left out is nothing":    {"...\nb\n...", "b", true},
		"left out, not there":    {"...\nb\n...", "a\nc", false},
		"one line more":          {"a", "a\nb", false},
		"one line less":          {"a\nb", "a", false},
		"another number":         {"Packed 4 files, 643 bytes", "Packed 5 files, 643 bytes", false},
	} {
		err := Step{"kf", strings.Split(c.page, "\n")}.Differs(strings.Split(c.printed, "\n"))
		if (err == nil) != c.same {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParse(t *testing.T) {
	steps := Parse("said before\n\x1b[1m$ kf tasks\x1b[0m\na\nb\n\n$ kf apps\n")
	if len(steps) != 2 || steps[0].Command != "kf tasks" || strings.Join(steps[0].Output, "|") != "a|b|" || steps[1].Command != "kf apps" || steps[1].Output != nil {
		t.Errorf("%q", steps)
	}
}

func TestCompareFindsWhatIsNotShown(t *testing.T) {
	page := "<!-- printed by make demo -->\n```console\n$ kf a\nx\n\n$ kf b\ny\n```\n"
	for log, want := range map[string]string{
		"$ kf a\nx\n$ kf other\nz\n$ kf b\ny\n": "",
		"$ kf a\nx\n$ kf b\nz\n":                "$ kf b",
		"$ kf a\nx\n":                           "kf b was not run",
	} {
		err := Compare(page, "make demo", log)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", log, err)
		}
	}
	if err := Compare("nothing", "make demo", ""); err == nil {
		t.Error("a page without the block passes")
	}
}
