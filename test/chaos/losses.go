package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Loss is what was lost of the Tasks that lived through a fault.
type Loss struct {
	Runs, Begun, Said, Unsaid, Kept, Facts int
}

// String names what there is.
func (l Loss) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{l.Runs, "runs lost or doubled"}, {l.Begun, "commands begun twice"}, {l.Said, "log lines, and said"}, {l.Unsaid, "log lines, unsaid"},
		{l.Kept, "log lines of ended Tasks"}, {l.Facts, "facts"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// span is from a fault until it is got over.
type span struct{ from, to time.Time }

func within(t time.Time, spans []span) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return t.After(s.from) && t.Before(s.to) })
}

// through is what of a State lived at a time of the spans: Tasks, and what was asked for then.
func (s State) through(spans []span) State {
	part := s
	part.Tasks, part.Accepted = nil, nil
	there, lived := map[string]bool{}, map[string]bool{}
	for _, t := range s.Tasks {
		there[t.Key] = true
		if slices.ContainsFunc(spans, func(s span) bool { return t.Created.Before(s.to) && (t.Ended.IsZero() || t.Ended.After(s.from)) }) {
			part.Tasks, lived[t.Key] = append(part.Tasks, t), true
		}
	}
	for _, r := range s.Accepted {
		if lived[r.Key] || !there[r.Key] && within(r.Asked, spans) {
			part.Accepted = append(part.Accepted, r)
		}
	}
	return part
}

// loss counts what of a State is lost.
func (s State) loss() (l Loss) {
	l.Runs, l.Begun = len(oneTask(s).Broken), len(beganOnce(s).Broken)
	l.Said, l.Unsaid = lost(s)
	for _, t := range s.Tasks {
		if lines, looked := s.Kept[t.Name]; looked {
			l.Kept += max(0, s.Wrote[t.file()].Lines-lines)
		}
	}
	for _, b := range told(s).Broken {
		if strings.HasPrefix(b, "untold") {
			l.Facts++
		}
	}
	return l
}

// died names what a fault is about: the functions are one.
func died(fault string) string {
	for _, f := range writers {
		if fault == "kill "+f+" after a write" {
			return "kill a function just after a write"
		}
	}
	return fault
}

// losses is a table of what was lost by each fault, for those who operate it. Faults follow closely on each other, so that what is lost
// stands at each that its Task lived through.
func (o Outcome) losses() string {
	var b strings.Builder
	fmt.Fprintf(&b, "By `%s` (commit and circumstances: [proof.md](proof.md)):\n\n", o.Command)
	fmt.Fprintf(&b, "| fault | times | the first Task asked for after it had ended in: median, longest | lost of the Tasks that lived through it |\n| --- | --- | --- | --- |\n")
	byName, listed := map[string][]Done{}, map[string]bool{}
	for _, d := range o.Done {
		if name := died(d.Fault); d.Err == nil {
			byName[name] = append(byName[name], d)
		}
	}
	for _, f := range faults(o.Broker) {
		name := died(f.Name)
		if len(byName[name]) > 0 && !listed[name] {
			fmt.Fprintf(&b, "| %s | %d | %s |\n", name, len(byName[name]), o.loss(byName[name]))
		}
		listed[name] = true
	}
	return b.String()
}

// loss is the end of a row: how soon all was well again, and what was lost.
func (o Outcome) loss(of []Done) string {
	var spans []span
	var took []time.Duration
	for _, d := range of {
		end := d.End
		if t, known := recovery(d, o.State); known {
			took, end = append(took, t), end.Add(t)
		}
		spans = append(spans, span{d.At, end})
	}
	seconds := "no Task was"
	if slices.Sort(took); len(took) > 0 {
		seconds = fmt.Sprintf("%.0f s, %.0f s", took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
	return fmt.Sprintf("%s | %s", seconds, o.State.through(spans).loss())
}
