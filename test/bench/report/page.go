package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// result is what one line of a benchmark's output says, of all its runs.
type result struct {
	name   string
	values map[string][]float64 // by unit
}

// line is a result as go test prints it (golang.org/design/14313-benchmark-format): name, iterations, and pairs of value and unit.
var line = regexp.MustCompile(`(?m)^Benchmark(\S+)\s+\d+((?:\s+[-+.\deE]+ \S+)+)$`)

// results reads a benchmark's output. The units come in the order in which they were printed first, without the time of the whole benchmark,
// which here is that of its preparation too.
func results(output string) (all []*result, units []string) {
	for _, m := range line.FindAllStringSubmatch(output, -1) {
		name := named(m[1])
		i := slices.IndexFunc(all, func(r *result) bool { return r.name == name })
		if i < 0 {
			i, all = len(all), append(all, &result{name: name, values: map[string][]float64{}})
		}
		pairs := strings.Fields(m[2])
		for k := 0; k+1 < len(pairs); k += 2 {
			unit := pairs[k+1]
			value, err := strconv.ParseFloat(pairs[k], 64)
			if err != nil || unit == "ns/op" {
				continue
			}
			if !slices.Contains(units, unit) {
				units = append(units, unit)
			}
			all[i].values[unit] = append(all[i].values[unit], value)
		}
	}
	return slices.DeleteFunc(all, func(r *result) bool { return len(r.values) == 0 }), units
}

// named is a benchmark's name as people read it: without the number of processors, and with spaces where go test writes none.
func named(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			name = name[:i]
		}
	}
	if _, sub, ok := strings.Cut(name, "/"); ok {
		name = sub
	}
	return strings.NewReplacer("_", " ", "/", ", ").Replace(name)
}

// spread is the least, the middle and the most of some values.
func spread(values []float64) (least, middle, most float64) {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		middle = (v[n/2-1] + v[n/2]) / 2
	} else {
		middle = v[n/2]
	}
	return v[0], middle, v[len(v)-1]
}

// write writes the page and its plots from the benchmarks' outputs: docs/bench.md, and the plots beside their outputs in docs/bench.
func write(out string) error {
	var page bytes.Buffer
	fmt.Fprint(&page, `# Benchmarks

Written by `+"`make bench`"+` (`+"`SIZE=small make bench`"+` for a short one) from what the benchmarks in [test/bench](../test/README.md) print, which is kept in docs/bench/raw.
A figure is the median of the runs, and in brackets the least and the most. A ratio compares two things in one run on one API server, so it holds on
a busy machine too, more or less; the load is said at each. Other figures are of that machine as busy as it was.

`)
	for _, b := range benches {
		output, err := os.ReadFile(filepath.Join(out, "raw", b.name+".txt"))
		if os.IsNotExist(err) {
			output, err = []byte("not measured: "+cmp.Or(b.cannot(), "no run of it is kept in docs/bench/raw: it was left out by -only")+"\n"), nil
		}
		if err != nil {
			return err
		}
		if err := section(&page, out, b, string(output)); err != nil {
			return err
		}
	}
	return os.WriteFile(out+".md", page.Bytes(), 0o644)
}

func section(page *bytes.Buffer, out string, b bench, output string) error {
	fmt.Fprintf(page, "## %s\n%s\n\n", b.title, b.says)
	if why, is := strings.CutPrefix(output, "not measured: "); is {
		fmt.Fprintf(page, "**Not measured**: %s.\n\n", strings.TrimSpace(why))
		return nil
	}
	all, units := results(output)
	fmt.Fprintf(page, "| | %s |\n|%s\n", strings.Join(units, " | "), strings.Repeat(" --- |", len(units)+1))
	for _, r := range all {
		fmt.Fprintf(page, "| %s |", r.name)
		for _, unit := range units {
			fmt.Fprintf(page, " %s |", cell(r.values[unit]))
		}
		fmt.Fprintln(page)
	}
	fmt.Fprintln(page)
	if b.plot != "" {
		if err := os.WriteFile(filepath.Join(out, b.name+".svg"), plot(b, all), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(page, "![%s: %s](%s/%s.svg)\n\n", b.title, b.plot, filepath.Base(out), b.name)
	}
	said := func(key string) string {
		for l := range strings.Lines(output) {
			if value, ok := strings.CutPrefix(l, key+": "); ok {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	fmt.Fprintf(page, "`%s`, %s UTC, commit %s, %s; load average %s before, %s after.\n\n", said("command"), said("date"), said("commit"), said("machine"),
		said("load average at the start"), said("load average at the end"))
	return nil
}

func cell(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	least, middle, most := spread(values)
	if least == most {
		return figure(middle)
	}
	return fmt.Sprintf("%s (%s to %s)", figure(middle), figure(least), figure(most))
}

// figure writes a value with three digits that count.
func figure(v float64) string {
	if v >= 1000 || v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
