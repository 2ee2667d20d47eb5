package main

import (
	"runtime/debug"
	"testing"
)

// TestADocumentNamesWhatIsInTheProgram: each module once, what replaces one in its place, and the program depends on each.
func TestADocumentNamesWhatIsInTheProgram(t *testing.T) {
	d := describe(&debug.BuildInfo{GoVersion: "go1.26.4", Main: debug.Module{Path: "example.com/kf"}, Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0"},
		{Path: "example.com/b", Version: "v2.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v2.0.1"}},
	}}, "kf-linux-amd64", "v0.1.0", "5ca1ab1e")
	want := map[string]string{"kf-linux-amd64": "v0.1.0", "stdlib": "1.26.4", "example.com/a": "v1.0.0", "example.com/fork": "v2.0.1"}
	if len(d.Packages) != len(want) || len(d.Relationships) != len(want) {
		t.Fatalf("%d packages, %d relationships, want %d of each", len(d.Packages), len(d.Relationships), len(want))
	}
	ids := map[string]bool{}
	for i, p := range d.Packages {
		if want[p.Name] != p.Version || ids[p.ID] || d.Relationships[i].To != p.ID {
			t.Errorf("%+v, %+v", p, d.Relationships[i])
		}
		ids[p.ID] = true
	}
	if d.Packages[0].Sums[0].Value != "5ca1ab1e" || d.Packages[2].Refs[0].Locator != "pkg:golang/example.com/a@v1.0.0" {
		t.Errorf("%+v", d.Packages)
	}
}
