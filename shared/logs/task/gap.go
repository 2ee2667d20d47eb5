package task

import (
	"fmt"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
)

// Gap says what may be missing of a log that was read to res and err, given what is last known of its Pod; "" if
// nothing is.
func Gap(res follow.Result, pod Pod, err error) string {
	after := "the log could not be read"
	if !res.Cursor.IsZero() {
		after = "lines after " + Stamp(res.Cursor.Time) + " may be missing"
	}
	switch {
	case res.Whole:
		return ""
	// The node removed the log before it could be read again. If the stream ended after the container had, it was whole.
	// Node and reader keep different clocks, and the kubelet gives whole seconds.
	case !res.EndedAt.IsZero() && pod.FinishedAt.Unix() > 0 && res.EndedAt.Add(2*time.Second).After(pod.FinishedAt):
		return ""
	case err != nil:
		return fmt.Sprintf("%s: %v", after, err)
	case !pod.Ran:
		return ""
	}
	return after + ": the Pod was gone before its log was read to the end"
}

// Rotated says what may be missing of a log that was rotated between the lines of two times; before is zero if none came
// after it.
func Rotated(after, before time.Time) string {
	if before.IsZero() {
		return fmt.Sprintf("lines after %s may be missing: the node rotated the log, and had nothing after that", Stamp(after))
	}
	return fmt.Sprintf("lines between %s and %s may be missing: the node rotated them away while they were not being read",
		Stamp(after), Stamp(before))
}

// Stamp is how a time of a log is said.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
