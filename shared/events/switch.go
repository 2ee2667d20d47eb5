package events

import (
	"errors"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// maxAhead is how far the clock of who suspends or resumes a Job may be ahead: what is stamped by one that is further would rule out
// all others until then.
const maxAhead = 5 * time.Minute

// Switch says whether a command that suspends or resumes a Job is to be carried out, given the stamp of the last one that was, ""
// if none. The later by its attribute time wins, and of two at one time the one with the greater hash: so in whatever order they
// come, and however often, the Job ends as the last of them says. What was done otherwise, by kubectl, is older than what comes next.
func Switch(e cloudevents.Event, last string, now time.Time) (stamp string, later bool, err error) {
	at := e.Time().UTC()
	switch {
	case e.Time().IsZero():
		return "", false, errors.New("it needs the attribute time: by that it is known which of two commands is the later")
	case at.Sub(now) > maxAhead:
		return "", false, fmt.Errorf("its time, %s, is to come: set the sender's clock", at.Format(time.RFC3339))
	}
	hash := strings.TrimPrefix(TaskName("", e.Source(), e.ID()), "-")
	stamp = at.Format(time.RFC3339Nano) + " " + hash
	before, lastHash, _ := strings.Cut(last, " ")
	switch was, err := time.Parse(time.RFC3339Nano, before); {
	case err != nil:
		return stamp, true, nil
	case at.Equal(was):
		return stamp, hash > lastHash, nil
	default:
		return stamp, at.After(was), nil
	}
}
