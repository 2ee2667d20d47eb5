package delivery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// Progress is how far a delivery has come. It is recorded in the Task, and where the next instance goes on.
type Progress struct {
	CancelledAt time.Time
	DeliveredTo time.Time
	Lines       int64
	Gaps        []string // what may be missing, so far
}

// ProgressOf reads what an instance has recorded.
func ProgressOf(t *v1alpha1.Termination) (p Progress) {
	if t == nil {
		return p
	}
	if t.DeliveredTo != nil {
		p.DeliveredTo, p.Lines = t.DeliveredTo.Time, t.Lines
	}
	if t.Message != "" {
		p.Gaps = []string{t.Message}
	}
	return p
}

// Lost says what may be missing of a log of which no more can be read.
func (p Progress) Lost() string {
	rest := "all of its log may be missing"
	if !p.DeliveredTo.IsZero() {
		rest = "lines after " + tasklog.Stamp(p.DeliveredTo) + " may be missing"
	}
	return strings.Join(append(slices.Clone(p.Gaps), rest), "; ")
}

// Account is what is known of a log after all that could be read of it was read.
type Account struct {
	Progress
	Notes   []string  // what else there is to say
	Resumed time.Time // when this instance went on with what another had begun; zero if none had
	PodSeen bool      // a Pod of the run was there
	Ran     bool      // the process was seen to have run
	Started bool      // of a run without a Pod: Tekton says that the process had started
	// Stopped says of the run that it ended because it was cancelled or had run into its time limit, Reason how it ended.
	Stopped bool
	Reason  string
}

// Verdict says what became of the log: whether all of it was delivered or, if not, what may be missing and why.
func (a Account) Verdict() (log v1alpha1.LogDelivery, message string) {
	nothing := !a.Ran && a.Lines == 0 && len(a.Gaps) == 0
	resumed := !a.Resumed.IsZero()
	switch {
	case !a.PodSeen && resumed && (a.Started || !nothing):
		return v1alpha1.LogIncomplete, "the function ended while it delivered the log, and the Pod is gone: " + a.Lost()
	case !a.PodSeen && a.Started:
		return v1alpha1.LogIncomplete, "the Pod was gone before its log could be read"
	case nothing && a.Stopped:
		return v1alpha1.LogNone, "the Task was stopped before it started"
	case nothing:
		return v1alpha1.LogNone, "the Task had not started"
	case len(a.Gaps) > 0:
		return v1alpha1.LogIncomplete, strings.Join(a.Gaps, "; ")
	}
	notes := slices.Clone(a.Notes)
	if !a.Stopped {
		notes = append(notes, fmt.Sprintf("the Task ended by itself (%s) before it could be stopped: its Pod and its log stay", a.Reason))
	}
	if resumed {
		notes = append(notes, "an instance of the function ended in between: lines before "+tasklog.Stamp(a.Resumed)+
			" that are marked so may have been delivered twice")
	}
	return v1alpha1.LogComplete, strings.Join(notes, "; ")
}
