package job

import (
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// lastCreate is how long after a Task was created nobody creates it any more: a tick goes by what it has read of a Job for
// twenty seconds, and a request of its may be under way for half a minute.
const lastCreate = time.Minute

// NameIsLock says whether a Task's name is what keeps its instant from being run a second time: as long as the Job has not put on
// record that it ran, be it after the watermark or owed, and for a minute after the Task was created. Who deletes the Task before
// that has it run again.
func NameIsLock(j *v1alpha1.TaskSchedule, t *v1alpha1.Task, now time.Time) bool {
	instant, ok := instantOf(j, t)
	if !ok || j.Spec.Suspend { // when it is resumed it owes nothing for the time before
		return false
	}
	if now.Sub(t.CreationTimestamp.Time) < lastCreate {
		return true
	}
	when := timetableOf(j)
	return j.Status.DecidedUntil == nil && when.err() == nil || open(j.Status, when, instant)
}

// open says that an instant has yet to be decided: it is after the watermark, or owed.
func open(s v1alpha1.TaskScheduleStatus, when timetable, instant time.Time) bool {
	owed := func(o v1alpha1.Owed) bool { return instant.After(o.After.Time) && !instant.After(o.Until.Time) }
	until := s.DecidedUntil
	return slices.ContainsFunc(s.Owed, owed) || until != nil && when.MostRecent(until.Time, instant).Equal(instant)
}

// instantOf is the instant that a Task of the Job runs, if its name says so.
func instantOf(j *v1alpha1.TaskSchedule, t *v1alpha1.Task) (time.Time, bool) {
	suffix, named := strings.CutPrefix(t.Name, j.Name+"-")
	seconds, err := strconv.ParseInt(suffix, 10, 64)
	return time.Unix(seconds, 0).UTC(), named && err == nil && metav1.IsControlledBy(t, j)
}
