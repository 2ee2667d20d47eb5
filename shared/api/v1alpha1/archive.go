package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ArchivePatience is how long after its end a Task is kept for its log's sake that no registry takes, whatever retention says. Then
// the Task says that the log is not in the archive, and is as any other: etcd must not fill up because a registry is gone.
const ArchivePatience = 24 * time.Hour

// ToArchive says that the Task's log belongs in the archive: runtask has marked it so, as its Space archives logs.
func (t *Task) ToArchive() bool { return t.Labels[ArchiveLabel] == ArchiveWanted }

// Settled says that nothing more is to be done about the log.
func (l *TaskLog) Settled() bool { return l != nil && l.State != "" && l.State != ArchiveWaiting }

// AwaitsArchive says that the Task has ended, and that its log is yet to come to the archive: neither it nor its Pod may go.
func (t *Task) AwaitsArchive(now time.Time) bool {
	return t.ToArchive() && t.Final() && !t.Status.Log.Settled() && now.Sub(t.EndedAt()) < ArchivePatience
}

// EndedAt is when the Task ended, zero if it has not.
func (t *Task) EndedAt() time.Time {
	switch {
	case !t.Final():
		return time.Time{}
	case t.Status.CompletionTime != nil:
		return t.Status.CompletionTime.Time
	}
	return meta.FindStatusCondition(t.Status.Conditions, ConditionSucceeded).LastTransitionTime.Time
}

// archived are the status and the reason of ConditionLogArchived, by the state.
var archived = map[ArchiveState]struct {
	status metav1.ConditionStatus
	reason string
}{
	ArchiveWaiting:    {metav1.ConditionUnknown, ReasonArchiveWaits},
	ArchiveComplete:   {metav1.ConditionTrue, ReasonArchived},
	ArchiveIncomplete: {metav1.ConditionFalse, ReasonArchiveIncomplete},
	ArchiveNone:       {metav1.ConditionFalse, ReasonNotArchived},
}

// NoteLog records what became of the Task's log. It does nothing to one that is settled.
func (t *Task) NoteLog(log TaskLog, now time.Time) {
	if t.Status.Log.Settled() {
		return
	}
	t.Status.Log = &log
	is := archived[log.State]
	SetCondition(t, &t.Status.Conditions, metav1.Condition{
		Type: ConditionLogArchived, Status: is.status, Reason: is.reason, Message: log.Message,
	}, now)
}
