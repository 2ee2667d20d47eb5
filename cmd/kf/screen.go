package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// screen is the one way to the user's terminal. A format is this program's; what stands for its verbs, and in the
// cells of a table, may be anybody's words: the name of a Task, an image's error, what an API server says of them. It
// is made inert and one row, as a terminal obeys an escape sequence from wherever it comes (CVE-2021-25743).
type screen struct{ out, err io.Writer }

// printf writes what the user asked for.
func (s screen) printf(format string, args ...any) {
	for i := range args {
		args[i] = inert{args[i]}
	}
	fmt.Fprintf(s.out, format, args...)
}

// progress writes a line of what is going on, apart from what the user asked for.
func (s screen) progress(format string, args ...any) {
	for i := range args {
		args[i] = inert{args[i]}
	}
	fmt.Fprintf(s.err, format+"\n", args...)
}

// inert is a value that is formatted as ever, and then made inert.
type inert struct{ any }

func (i inert) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, inertText(fmt.Sprintf(fmt.FormatString(f, verb), i.any)))
}

// inertText shows a text in one row, and does nothing else to the terminal.
func inertText(s string) string {
	return strings.ReplaceAll(string(text.Sanitize(nil, []byte(s))), "\t", " ")
}

// table writes rows, the first of which is the header, with their columns in line.
func (s screen) table(rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			row[i] = inertText(row[i])
			widths[i] = max(widths[i], cells(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-cells(cell)+3))
		}
		if _, err := fmt.Fprintln(s.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// cells is how many columns of a terminal a text takes: two for the wide characters of East Asia (UAX #11), none for
// what is put on the character before it.
func cells(s string) (n int) {
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}
