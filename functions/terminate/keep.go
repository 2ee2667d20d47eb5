package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/wait"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// Archive is where the logs of Tasks go whose Space asks for it: the function archive reads those of Pods that are there, and this one
// is the last to read the log of a Pod that it has stopped.
type Archive struct {
	Store  archive.Store
	Places archive.Places
	Spool  string // the folder of files
}

// sinks are those of a Task: the log of one that belongs in the archive goes to a spool, too.
func (a Archive) sinks(always sink.Sink, task *v1alpha1.Task) (sink.Sink, *archive.Spool) {
	if !task.ToArchive() {
		return always, nil
	}
	spool := archive.NewSpool(a.Spool)
	return sink.All(always, spool), spool
}

// NotKept says what the archive will not have of a log that was delivered with this verdict, by an instance that has gone on with what
// another had begun, or not (nil).
func NotKept(before *v1alpha1.Termination, log v1alpha1.LogDelivery, message string) string {
	missing := ""
	if before != nil && before.DeliveredTo != nil {
		missing = fmt.Sprintf("lines up to %s went to the logging stream only: an instance of the function ended that had read them",
			before.DeliveredTo.UTC().Format(time.RFC3339Nano))
	}
	if log != v1alpha1.LogIncomplete {
		return missing
	}
	if missing != "" {
		missing += "; "
	}
	return missing + message
}

// slower is how long is waited between two tries: the Task's end is written a moment after its run's, and a registry may be away for long.
var slower = wait.Backoff{Duration: time.Second, Factor: 2, Cap: 5 * time.Minute, Steps: 1 << 20}

// keep pushes a spool until the registry has taken it, the Task is gone, or it has waited long enough. Nothing else waits for it: the Task
// is stopped, and its log delivered. If this process ends before, the function archive says in the end that the log is not there. What it
// returns is nobody's any more.
func (h *Handler) keep(ctx context.Context, task *v1alpha1.Task, spool *archive.Spool, missing string) (left *archive.Spool) {
	if spool == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	h.underWay.Go(func() {
		defer spool.Close()
		for pause := slower; ; time.Sleep(pause.Step()) {
			done, err := h.keepOnce(ctx, task, spool, missing)
			if done {
				return
			}
			logging.FromContext(ctx).Warnw("log not archived yet, will retry", "task", task.Namespace+"/"+task.Name, "error", err)
		}
	})
	return nil
}

func (h *Handler) keepOnce(ctx context.Context, task *v1alpha1.Task, spool *archive.Spool, missing string) (done bool, err error) {
	now, err := client.FindAgain(ctx, h.Kf.Tasks(task.Namespace), task)
	switch {
	case err != nil:
		return false, err
	case now == nil || now.Status.Log.Settled():
		return true, nil
	case !now.Final():
		return false, fmt.Errorf("the Task's end is not written yet")
	}
	place, err := h.Archive.Places.Of(ctx, task.Namespace)
	if err != nil || place == nil {
		return err == nil, err // the function archive says that there is none
	}
	return h.push(ctx, place.Repository, now, spool, missing)
}

func (h *Handler) push(
	ctx context.Context, to name.Repository, task *v1alpha1.Task, spool *archive.Spool, missing string,
) (done bool, err error) {
	kept, err := h.Archive.Store.Keep(ctx, to, spool, task, missing)
	if err != nil {
		kept = v1alpha1.TaskLog{State: v1alpha1.ArchiveWaiting, Message: registry.Reason(err)}
	}
	_, unsaid := client.PatchStatus(ctx, h.Kf.Tasks(task.Namespace), task, func(t *v1alpha1.Task) { t.NoteLog(kept, h.Now()) })
	if err == nil {
		err = client.IgnoreNotFound(unsaid)
	}
	return err == nil, err
}
