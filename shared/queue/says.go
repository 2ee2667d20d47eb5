package queue

import (
	"fmt"
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Message says what a Task waits for, and how to see more.
func (t Turn) Message() string {
	app := t.Task.Spec.AppRef.Name
	if t.Of == v1alpha1.QueueOfApp {
		return fmt.Sprintf("place %d in the queue: App %q may run %d Tasks at a time (its spec.maxRunningTasks), and runs %d; "+
			"`kf queue %s` shows the place as it is now", t.Place, app, t.Limit, t.Running, app)
	}
	return fmt.Sprintf("place %d in the queue: the Space may run %d Tasks at a time (its spec.limits.maxRunningTasks), and runs %d; "+
		"`kf queue` shows the place as it is now", t.Place, t.Limit, t.Running)
}

// Record notes the turn in the Task's status, and keeps since when it waits. No turn is nothing to note.
func (t *Turn) Record(in *v1alpha1.Task, now time.Time) {
	if t == nil {
		return
	}
	since := metav1.NewTime(now)
	if was := in.Status.Queue; was != nil {
		since = was.Since
	}
	in.Status.Queue = &v1alpha1.TaskQueue{Since: since, Of: t.Of, Place: int32(min(t.Place, math.MaxInt32))}
}

// Said says that the Task says so already: to write each step up would cost a write for each Task that waits whenever one ends, so that
// it is written when the place has halved.
func (t Turn) Said() bool {
	q := t.Task.Status.Queue
	return IsQueued(t.Task) && q.Of == t.Of && 2*t.Place > int(q.Place)
}
