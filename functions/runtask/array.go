package main

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/array"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// makeMost is how many Tasks of an array are made before it says so.
const makeMost = 100

// array takes an array as far as it can go, once for all who ask at about the same time.
func (h *Handler) array(ctx context.Context, a *attempt) error {
	return h.Arrays.Do(ctx, a.task.UID, func(ctx context.Context) error {
		err := a.begin(ctx)
		for again := err == nil; again; {
			if again, err = a.step(ctx); apierrors.IsConflict(err) {
				again, err = true, nil // somebody has written it: all is read again
			}
		}
		return client.IgnoreNotFound(err)
	})
}

// begin says on the array that it is under way, before there is a Task of it: so nobody ends it as one that has not begun.
func (a *attempt) begin(ctx context.Context) error {
	if a.task.Status.Array != nil {
		return nil
	}
	id, err := a.id(ctx, Decision{})
	if err != nil {
		return err
	}
	if there, err := a.mark(ctx, id, false); err != nil || !there {
		return err
	}
	own := map[string]string{v1alpha1.ArrayLabel: string(a.task.UID)}
	if a.task, err = client.Merge(ctx, a.Kf.Tasks(a.task.Namespace), a.task, client.Change{Labels: own}); err != nil {
		return err
	}
	a.task, err = client.PatchStatus(ctx, a.Kf.Tasks(a.task.Namespace), a.task, func(t *v1alpha1.Task) {
		if t.Status.Array != nil || t.Spec.Terminated {
			return // another instance was first, or it is not to begin any more
		}
		if t.Status.ID == 0 {
			t.Status.ID = id
		}
		array.Of(t, nil).Record(t, a.Now())
	})
	return err
}

// step reads how far the array's Tasks are, makes those that are next, and writes both into it. It says whether there is more to do.
func (a *attempt) step(ctx context.Context) (again bool, err error) {
	tasks := a.Kf.Tasks(a.task.Namespace)
	now, err := client.FindAgain(ctx, tasks, a.task)
	if err != nil || now == nil || now.DeletionTimestamp != nil || now.Status.Array == nil && !now.Final() {
		return false, err
	}
	if a.task = now; now.Final() {
		return false, a.finish(ctx)
	}
	progress, err := a.progress(ctx)
	if err != nil {
		return false, err
	}
	from, to := progress.Next(a.task)
	to = min(to, from+makeMost)
	var failed error
	progress.Created, failed = a.make(ctx, &progress, from, to)
	was := a.task.Status.Array
	if a.task, err = client.PatchStatusOnce(ctx, tasks, a.task, func(t *v1alpha1.Task) { progress.Record(t, a.Now()) }); err != nil {
		return false, err
	}
	if failed != nil {
		return false, failed
	}
	logging.FromContext(ctx).Infow("array", "task", a.task.Namespace+"/"+a.task.Name, "was", was, "is", a.task.Status.Array)
	_, next := progress.Next(a.task)
	more := next > progress.Created && progress.InTheWay == "" || len(progress.Unknown()) > 0
	return a.task.Final() || more, nil
}

// progress reads how far the array's Tasks are.
func (a *attempt) progress(ctx context.Context) (array.Progress, error) {
	unended := metav1.ListOptions{LabelSelector: v1alpha1.ArrayLabel + "=" + a.task.Name, FieldSelector: unendedTasks}
	found, err := client.Collect(client.All[*v1alpha1.Task](ctx, a.Kf.Tasks(a.task.Namespace), unended))
	if err != nil {
		return array.Progress{}, err
	}
	progress := array.Of(a.task, found)
	unknown := progress.Unknown()
	read := make([]*v1alpha1.Task, len(unknown))
	err = each(len(unknown), func(i int) (err error) {
		read[i], err = client.Find(ctx, a.Kf.Tasks(a.task.Namespace), a.task.Namespace, array.Name(a.task.Name, unknown[i]))
		return err
	})
	for i, index := range unknown {
		progress.Learn(a.task, index, read[i])
	}
	return progress, err
}

// make makes the Tasks of some indexes, and returns up to where all are there. What is in the way of one stops it.
func (a *attempt) make(ctx context.Context, progress *array.Progress, from, to int) (created int, err error) {
	var mu sync.Mutex
	created = to
	err = each(to-from, func(i int) error {
		task := array.Task(a.task, from+i)
		task.Annotations = events.HandOn(a.task) // its Job is in the chain, so that none runs because of itself for ever
		there, err := client.CreateOnce(ctx, a.Kf.Tasks(task.Namespace), task)
		mu.Lock()
		defer mu.Unlock()
		foreign := there != nil && !metav1.IsControlledBy(there, a.task)
		switch {
		case there != nil && !foreign: // a predecessor has made it, and what became of it is read next
			return nil
		case err == nil && !foreign:
			progress.Active[from+i] = true
			return nil
		case foreign:
			progress.InTheWay, err = task.Name, nil
		default:
			err = fmt.Errorf("create Task %s/%s: %w", task.Namespace, task.Name, err)
		}
		created = min(created, from+i)
		return err
	})
	return created, err
}
