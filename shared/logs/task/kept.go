package task

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
)

// Kept is a log that an archive has, and the Task that wrote it, as it ended.
type Kept struct {
	Task  *v1alpha1.Task
	Parts []Part // one for each Pod, the oldest first
	// Missing says what is not in it; "" if all is.
	Missing string
}

// Part is what one Pod wrote.
type Part struct {
	Pod string
	// Open gives it as a kubelet does with times, or its last lines.
	Open func(ctx context.Context, tail *int64) (io.ReadCloser, error)
}

// Archive finds what is kept of a Task, nil if nothing is. Of one that is gone, task has no more than its name, and its UID if that
// is known.
type Archive func(ctx context.Context, task *v1alpha1.Task) (*Kept, error)

// ErrArchive is met where an archive can't be read.
var ErrArchive = errors.New("the archive of logs can't be read")

// InArchive says that an archive has something of the Task's log.
func InArchive(t *v1alpha1.Task) bool { return t.Status.Log != nil && t.Status.Log.Archive != "" }

// archived delivers a log from the archive, and at last how the Task ended. If there is none, it returns the error none.
func (r *Reader) archived(ctx context.Context, task *v1alpha1.Task, o follow.Options, out Output, none error) error {
	kept, err := r.Archive(ctx, task)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrArchive, err)
	case kept == nil:
		return none
	}
	parts := kept.Parts
	if o.Tail != nil && len(parts) > 1 { // the last lines are those of the last try
		parts = parts[len(parts)-1:]
	}
	for _, p := range parts {
		if err := kept.read(ctx, p, o, out); err != nil {
			return err
		}
	}
	if kept.Missing != "" {
		if err := out.Entry(text.Entry{Task: kept.Task.Name, Note: kept.Missing}); err != nil {
			return err
		}
	}
	return out.end(kept.Task, false)
}

func (k *Kept) read(ctx context.Context, p Part, o follow.Options, out Output) error {
	body, err := p.Open(ctx, o.Tail)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	defer body.Close()
	o.Idle = func() { out.idle(p.Pod) }
	id := k.Task.Labels[v1alpha1.VersionLabel]
	var taker error // what out says is no fault of the archive's
	_, err = follow.Read(body, o, func(l follow.Line) error {
		taker = out.Entry(text.Entry{Task: k.Task.Name, ID: id, Pod: p.Pod, Line: text.Line{
			Time: l.Time, Container: Container, Text: l.Text, More: l.More, Continued: l.Continued,
		}})
		return taker
	})
	if err != nil && taker == nil {
		err = fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return err
}
