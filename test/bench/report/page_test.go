package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const output = `command: go test
goos: linux
BenchmarkCreate/a_command_event-2         	       1	1234567 ns/op	         0.5000 of-raw	       120.0 /s
--- BENCH: BenchmarkCreate-2
    create_test.go:1: BenchmarkOf 1 2 x
BenchmarkCreate/a_command_event-2         	       1	1234567 ns/op	         0.7000 of-raw	       140.0 /s
BenchmarkCreate/a_command_event-2         	       1	1234567 ns/op	         0.6000 of-raw	       130.0 /s
BenchmarkNothing-2	       1	1234567 ns/op
PASS
`

func TestResults(t *testing.T) {
	all, units := results(output)
	if len(all) != 1 || all[0].name != "a command event" || !slices.Equal(units, []string{"of-raw", "/s"}) {
		t.Fatalf("%+v %v", all, units)
	}
	if got := cell(all[0].values["of-raw"]); got != "0.6 (0.5 to 0.7)" {
		t.Error(got)
	}
	if svg := string(plot(bench{title: "a < b", plot: "of-raw"}, all)); !strings.Contains(svg, ">0.6</text>") || !strings.Contains(svg, "a &lt; b") {
		t.Error(svg)
	}
}

// TestWhatIsNotMeasuredSaysSo: what was not measured says so in its place.
func TestWhatIsNotMeasuredSaysSo(t *testing.T) {
	dir := t.TempDir() + "/bench"
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	page := read(t, dir+".md")
	if n := strings.Count(page, "**Not measured**"); n != len(benches) {
		t.Errorf("%d of %d say so:\n%s", n, len(benches), page)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
