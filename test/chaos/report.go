package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Outcome is what a report is made of.
type Outcome struct {
	Command string   // that runs it again
	Says    []string // of the circumstances
	Broker  string
	Phases  []Phase
	Ends    []time.Time // of the phases
	Done    []Done
	NotDone []NotDone
	Refused []string // what was asked for and never accepted
	State   State
}

// Report writes it as a page of tables, and says whether all that this Broker can promise holds.
func Report(o Outcome) (page string, holds bool) {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("`%s`: %s.\n", o.Command, strings.Join(o.Says, ", "))
	var parts []State
	for i, p := range o.Phases { // a Task for an instant before all of them, or after, is of the first, or of the last
		from, to := p.From, o.Ends[i]
		if i == 0 {
			from = time.Time{}
		}
		if i == len(o.Phases)-1 {
			to = to.AddDate(1, 0, 0)
		}
		parts = append(parts, o.State.during(from, to))
	}
	o.sums(say, parts)
	holds = o.promises(say, parts)
	o.faults(say)
	if len(o.Refused) > 0 {
		holds = false
		say("\nAsked for for %s, and never accepted:\n\n- %s", patience, strings.Join(o.Refused, "\n- "))
	}
	return b.String(), holds
}

func (o Outcome) sums(say func(string, ...any), parts []State) {
	say("| resync | faults | Tasks | instants | lost | doubled | off schedule | log lines lost, said | without a word | seconds from the last fault until all was settled | the slowest first Task after a fault, seconds |")
	say("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for i, p := range o.Phases {
		s := parts[i]
		broken := func(check func(State) Finding, how string) (n int) {
			for _, text := range check(s).Broken {
				if strings.HasPrefix(text, how) {
					n++
				}
			}
			return n
		}
		faults := 0
		for _, d := range o.Done {
			if d.Phase == i && d.Err == nil {
				faults++
			}
		}
		said, unsaid := lost(s)
		settled := "never"
		if !p.Settled.IsZero() {
			settled = fmt.Sprintf("%.0f", p.Settled.Sub(p.Last).Seconds())
		}
		if p.Hanging > 0 {
			settled += fmt.Sprintf(" (%d waited for resync)", p.Hanging)
		}
		say("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s | %s |", p.Name, faults, len(s.Tasks), instants(s).Checked,
			broken(oneTask, "lost")+broken(instants, "lost"), broken(oneTask, "doubled")+broken(instants, "doubled")+len(beganOnce(s).Broken),
			len(onSchedule(s).Broken), said, unsaid, settled, slowest(o.Done, i, o.State))
	}
}

// lost are the log lines that are missing of Tasks that were stopped: where that is said, and where not.
func lost(s State) (said, unsaid int) {
	for _, t := range s.Tasks {
		if !t.Termination.Finished() || t.Termination.Log == v1alpha1.LogNone {
			continue
		}
		for n := 1; n <= s.Wrote[t.file()].Lines; n++ {
			switch {
			case s.Delivered[t.Name][n]:
			case t.Termination.Log == v1alpha1.LogIncomplete && t.Termination.Message != "":
				said++
			default:
				unsaid++
			}
		}
	}
	return said, unsaid
}

// recovery is how long after a fault was over the first Task that was asked for after it had ended.
func recovery(d Done, s State) (time.Duration, bool) {
	created := map[string]Seen{}
	for _, t := range s.Tasks {
		created[t.Key] = t
	}
	first := Run{}
	for _, r := range s.Accepted {
		if r.Asked.After(d.End) && !r.Stop && (first.Key == "" || r.Asked.Before(first.Asked)) {
			first = r
		}
	}
	t := created[first.Key]
	if first.Key == "" || t.Ended.IsZero() {
		return 0, false
	}
	return max(0, t.Ended.Sub(d.End)), true
}

func slowest(done []Done, phase int, s State) string {
	worst, of := time.Duration(0), ""
	for _, d := range done {
		if took, known := recovery(d, s); d.Phase == phase && d.Err == nil && known && took > worst {
			worst, of = took, d.Fault
		}
	}
	if of == "" {
		return ""
	}
	return fmt.Sprintf("%.0f, after: %s", worst.Seconds(), of)
}

// promises is a row for each, and says whether they hold.
func (o Outcome) promises(say func(string, ...any), parts []State) (holds bool) {
	holds = true
	say("\n| promise | checked, resync on | broken | checked, off | broken | of these |")
	say("| --- | --- | --- | --- | --- | --- |")
	var details []string
	for _, p := range promises {
		row := "| " + p.Name
		var notes []string
		for i, s := range parts {
			if i < len(parts)-1 {
				s.Hanging = nil // what hangs is looked for at the end
			}
			f := p.Check(s)
			row += fmt.Sprintf(" | %d | %d", f.Checked, len(f.Broken))
			if f.Note != "" {
				notes = append(notes, o.Phases[i].Name+": "+f.Note)
			}
			for _, b := range f.Broken[:min(20, len(f.Broken))] {
				details = append(details, fmt.Sprintf("%s (resync %s): %s", p.Name, o.Phases[i].Name, b))
			}
			if p.Forgets && o.Broker == inMemory {
				continue
			}
			holds = holds && len(f.Broken) == 0
		}
		if p.Forgets && o.Broker == inMemory {
			notes = append(notes, "the Broker in memory forgets what it held when it dies: not promised on it")
		}
		say("%s | %s |", row, strings.Join(notes, "; "))
	}
	if len(details) > 0 {
		say("\nBroken:\n\n- %s", strings.Join(details, "\n- "))
	}
	return holds
}

func (o Outcome) faults(say func(string, ...any)) {
	say("\n| fault | done, resync on | off | could not be done | the first Task after it ended in, seconds |")
	say("| --- | --- | --- | --- | --- |")
	byName := map[string][]Done{}
	for _, d := range o.Done {
		byName[d.Fault] = append(byName[d.Fault], d)
	}
	for _, f := range faults(o.Broker) {
		var times [2]int
		nothing := 0
		var took []string
		slices.SortFunc(byName[f.Name], func(a, b Done) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
		for _, d := range byName[f.Name] {
			if d.Err != nil {
				nothing++
				continue
			}
			times[d.Phase]++
			if t, known := recovery(d, o.State); known {
				took = append(took, fmt.Sprintf("%.0f", t.Seconds()))
			}
		}
		say("| %s | %d | %d | %d | %s |", f.Name, times[0], times[1], nothing, strings.Join(took, ", "))
	}
	for _, n := range o.NotDone {
		say("| %s | not done | not done | | %s |", n.Name, n.Why)
	}
}

// again is the command that makes the same plan under the same load.
func again(o options, broker string) string {
	command := fmt.Sprintf("make chaos MINUTES=%g SEED=%d EVERY=%s", o.length.Minutes(), o.seed, o.every)
	if broker == jetStream {
		command += " BROKER=" + broker
	}
	return command
}

// tell writes the report.
func (r *record) tell(s State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := Outcome{
		Command: again(r.options, r.broker),
		Says: []string{r.began.UTC().Format("2006-01-02 15:04 UTC"), fmt.Sprintf("%s in all", time.Since(r.began).Round(time.Second)), "commit " + r.commit, "Broker " + r.broker,
			"etcd with fsync", fmt.Sprintf("something asked for every %s: %d asked, in %d tries", r.every, len(r.load.ledger)+len(r.load.refused), r.load.tries),
			machine(), fmt.Sprintf("its load average %s before, %s after", r.average, average())},
		Broker: r.broker, Phases: r.phases, Ends: []time.Time{r.phases[1].From, time.Now()}, Done: r.done, NotDone: notDone(r.broker),
		Refused: r.load.refused, State: s,
	}
	page, holds := Report(o)
	fmt.Println(page)
	if err := os.MkdirAll(filepath.Dir(r.report), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.report, []byte("# Chaos\n\n"+page), 0o644); err != nil {
		return err
	}
	if err := errors.Join(fill(r.proof, r.broker, page), fill(r.lost, "what is lost, "+r.broker, o.losses())); err != nil {
		return err
	}
	if !holds {
		return errBroken
	}
	return nil
}
