package task

import (
	"time"

	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// Position is how far an Output has come, so that a later reader can go on.
type Position struct {
	Lines  int64                // delivered
	newest time.Time            // the youngest line
	behind map[string]time.Time // of Pods with more to come: their last line
}

// Of returns an Output that passes on to out and keeps the position of what out took.
func (p *Position) Of(out Output) Output {
	p.behind = map[string]time.Time{}
	return Output{
		Entry: func(e text.Entry) error {
			err := out.Entry(e)
			if err != nil || e.Note != "" || e.Status != nil {
				return err
			}
			if !e.More {
				p.Lines++
			}
			if p.behind[e.Pod] = e.Time; e.Time.After(p.newest) {
				p.newest = e.Time
			}
			return nil
		},
		Idle: func(pod string) {
			if delete(p.behind, pod); pod == "" {
				clear(p.behind)
			}
			out.idle(pod)
		},
	}
}

// Since is the Options.Since of a reader that goes on: no line is left out, and few come again. The last one does, as
// more lines can have its time. several says that it was the log of several Pods at once: then the lines of a second
// come again, as those of a Pod that had nothing more may have been on their way. It is zero if there was no line.
func (p *Position) Since(several bool) time.Time {
	since := p.newest
	if several && !since.IsZero() {
		since = since.Add(-time.Second)
	}
	for _, last := range p.behind {
		if last.Before(since) {
			since = last
		}
	}
	return since
}
