package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/receiver"
	"github.com/kf-tasks/kf-tasks/shared/resync"
)

// Handler runs Jobs.
type Handler struct {
	Kf       *client.Client
	Emit     func(context.Context, cloudevents.Event) error
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time
	Workers  int
	PageSize int64
	// Stale is how old what was listed may be when a Task is created from it. After that the Job is read again: it may
	// have been decided, and its Task deleted, by another tick meanwhile.
	Stale time.Duration

	ticking turns
}

// turns has the ticks of one shard go one after the other: the second of two that come at once finds nothing left to do.
type turns struct{ of sync.Map } // *sync.Mutex, by shard

func (t *turns) lock(of events.Shard) (unlock func()) {
	mu, _ := t.of.LoadOrStore(of, &sync.Mutex{})
	mu.(*sync.Mutex).Lock()
	return mu.(*sync.Mutex).Unlock
}

// Handle handles the ping of every minute, the ping that looks for new Jobs whose event was lost, or a change of a Job.
func (h *Handler) Handle(ctx context.Context, e cloudevents.Event) (*cloudevents.Event, error) {
	switch e.Type() {
	case events.Ping:
		if strings.HasSuffix(e.Source(), "/pingsources/resync") {
			return nil, h.resync(ctx)
		}
		of, err := events.ShardOf(e)
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		return nil, h.tick(ctx, of)
	case events.ResourceAdded, events.ResourceUpdated:
		hint, unsynced, err := events.About(e, h.unsynced)
		if err != nil {
			return nil, receiver.Permanent(err)
		}
		if !unsynced {
			return nil, nil // most events are of our own writes
		}
		return nil, h.again(ctx, hint, job.Sync)
	}
	return nil, receiver.Permanent(fmt.Errorf("tick does not handle events of type %q", e.Type()))
}

// resync finds new Jobs whose event was lost: the label comes last, so those without it are not done.
func (h *Handler) resync(ctx context.Context) error {
	lost := client.All[*v1alpha1.TaskSchedule](ctx, h.Kf.TaskSchedules(""), metav1.ListOptions{LabelSelector: "!" + v1alpha1.SuspendLabel})
	return resync.Each(ctx, h.Workers, lost, func(j *v1alpha1.TaskSchedule) error {
		if !h.unsynced(j) {
			return nil
		}
		return h.again(ctx, events.HintAt(j), job.Sync)
	})
}

// unsynced says whether a Job's status is not that of its spec. To bring it up to date runs nothing: what is due is for the tick.
func (h *Handler) unsynced(j *v1alpha1.TaskSchedule) bool {
	plan, need := job.Sync(j, job.Facts{}, h.Now())
	return need != job.NeedNothing || !plan.Empty()
}
