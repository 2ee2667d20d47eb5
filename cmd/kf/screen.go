package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// screen is the one way to the user's terminal. A format is this program's; what stands for its verbs, and in the
// cells of a table, may be anybody's words: the name of a Task, an image's error, what an API server says of them. It
// is made inert and one row.
type screen struct{ out, err io.Writer }

// printf writes what the user asked for.
func (s screen) printf(format string, args ...any) {
	for i := range args {
		args[i] = harmless{args[i]}
	}
	fmt.Fprintf(s.out, format, args...)
}

// progress writes a line of what is going on, apart from what the user asked for.
func (s screen) progress(format string, args ...any) {
	for i := range args {
		args[i] = harmless{args[i]}
	}
	fmt.Fprintf(s.err, format+"\n", args...)
}

// failure writes why the program fails, and what to do about it: one row, red where a terminal shows it.
func (s screen) failure(err error, help string) {
	word := "Error:"
	if coloured(s.err) {
		word = "\x1b[1;31mError:\x1b[0m"
	}
	text := inert.Line(err.Error())
	if help != "" {
		text += "; " + inert.Line(help)
	}
	fmt.Fprintln(s.err, word, text)
}

// coloured says whether colours are for somebody's eyes: on a terminal, unless NO_COLOR (no-color.org) is set. They never
// say what the words do not.
func coloured(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// document writes text of several lines that programs read, JSON for example: what is made inert of it is marked.
func (s screen) document(text string) {
	for line := range strings.Lines(text) {
		body, ended := strings.CutSuffix(line, "\n")
		line = string(inert.Append(nil, []byte(body)))
		if ended {
			line += "\n"
		}
		fmt.Fprint(s.out, line)
	}
}

// HandleWarningHeader shows what the API server warns of (rest.WarningHandler), which client-go writes past the screen.
func (s screen) HandleWarningHeader(code int, _, message string) {
	if code == 299 && message != "" {
		s.progress("Warning: %s", message)
	}
}

// harmless is a value that is formatted as ever, and then made inert.
type harmless struct{ any }

func (i harmless) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, inert.Line(fmt.Sprintf(fmt.FormatString(f, verb), i.any)))
}

// widest is how many columns of the terminal a cell of a table may take. A name has 63 characters at most, a command or a
// display name may have thousands: the object itself shows them whole.
const widest = 80

// table writes rows, the first of which is the header, with their columns in line.
func (s screen) table(rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			row[i] = inert.Fit(row[i], widest)
			widths[i] = max(widths[i], inert.Columns(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-inert.Columns(cell)+3))
		}
		if _, err := fmt.Fprintln(s.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}
