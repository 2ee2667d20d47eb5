package v1alpha1

import (
	"encoding/json"
	"time"
)

// Finished says that the Task was asked to stop, and that nothing is left to be done about it or its log.
func (t *Termination) Finished() bool {
	return t != nil && t.Log != LogDelivering && t.Log != ""
}

// TerminatedBy is the field manager that set spec.terminated, as the API server recorded it; "" if it did not.
func (t *Task) TerminatedBy() string {
	for _, m := range t.ManagedFields {
		var set struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if m.FieldsV1 == nil || m.Subresource != "" || json.Unmarshal(m.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, ok := set.Spec["f:terminated"]; ok {
			return m.Manager
		}
	}
	return ""
}

// limitAhead is how long before a Task's time limit its log is opened: Tekton deletes the Pod at the limit, and only what is
// being read then is read to its end. It is longer than a resync takes to come.
const limitAhead = 30 * time.Second

// AtItsLimit says that the Task is about to run into its time limit, or has.
func (t *Task) AtItsLimit(now time.Time) bool {
	return t.Status.Deadline != nil && !now.Before(t.Status.Deadline.Add(-limitAhead))
}

// Stopping says that the Task is to stop, because somebody asked for it or because its time is up.
func (t *Task) Stopping(now time.Time) bool { return t.Spec.Terminated || t.AtItsLimit(now) }

// MayStop says whether a Task is to be asked to stop, and why not. There being none is no error: it may have been pruned, and
// does not run in any case.
func (t *Task) MayStop() (may bool, why string) {
	switch {
	case t == nil:
		return false, "there is no such Task"
	case t.Spec.Terminated:
		return false, "it was asked to stop before"
	case t.Final():
		return false, "it has ended"
	}
	return true, ""
}
