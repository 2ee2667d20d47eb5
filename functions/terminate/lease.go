package main

import (
	"context"
	"fmt"
	"time"

	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
)

// lease is the lease on a Task that this instance holds.
type lease struct {
	tasks  *client.Tasks
	task   *v1alpha1.Task
	before *v1alpha1.Termination // of the instance that held it before
	holder string
	now    func() time.Time
}

func acquire(ctx context.Context, tasks *client.Tasks, task *v1alpha1.Task, me string, now func() time.Time) (*lease, error) {
	var before *v1alpha1.Termination
	task, err := client.PatchStatus(ctx, tasks, task, func(t *v1alpha1.Task) {
		before = t.Status.Termination.DeepCopy()
		delivery.Acquire(t, me, now())
	})
	if err != nil {
		return nil, err
	}
	if !delivery.Holds(task, me) {
		return nil, fmt.Errorf("Task %s/%s: another instance was first", task.Namespace, task.Name)
	}
	return &lease{tasks, task, before, me, now}, nil
}

// renew renews the lease, three times in its duration, while ctx lasts, and gives up the work when another has it.
func (l *lease) renew(ctx context.Context, progress func() delivery.Progress, giveUp func()) {
	log := logging.FromContext(ctx).With("task", l.task.Namespace+"/"+l.task.Name)
	tick := time.NewTicker(delivery.LeaseDuration / 3)
	defer tick.Stop()
	for task := l.task; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		got, err := client.PatchStatus(ctx, l.tasks, task, func(t *v1alpha1.Task) { delivery.Renew(t, l.holder, progress(), l.now()) })
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warnw("lease not renewed, will retry", "error", err)
		case err == nil && !delivery.Holds(got, l.holder) && !got.Status.Termination.Finished():
			log.Warnw("another instance has acquired the lease")
			giveUp()
			return
		case err == nil:
			task = got
		}
	}
}

// finish records the verdict, which ends the lease.
func (l *lease) finish(ctx context.Context, p delivery.Progress, log v1alpha1.LogDelivery, message string) error {
	_, err := client.PatchStatus(ctx, l.tasks, l.task, func(t *v1alpha1.Task) { delivery.Finish(t, p, log, message, l.now()) })
	return err
}
