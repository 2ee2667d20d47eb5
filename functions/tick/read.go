package main

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// reader reads what decisions ask for, once for all Jobs of a tick where it can.
type reader struct {
	h       *Handler
	running func() (map[types.UID][]v1alpha1.Task, error)
	apps    sync.Map // of func() (bool, error), by types.NamespacedName
}

// reader returns one that finds the Tasks of Jobs in a namespace ("" for all) by a selector.
func (h *Handler) reader(ctx context.Context, namespace, selector string) *reader {
	return &reader{h: h, running: sync.OnceValues(func() (map[types.UID][]v1alpha1.Task, error) {
		return h.running(ctx, namespace, selector)
	})}
}

// answer reads what is asked for.
func (r *reader) answer(ctx context.Context, ask Ask, job *v1alpha1.TaskSchedule, known *Known) error {
	switch ask {
	case AskRunning:
		of, err := r.running()
		if err != nil {
			return err
		}
		known.Running = append([]v1alpha1.Task{}, of[job.UID]...)
	case AskApp:
		key := types.NamespacedName{Namespace: job.Namespace, Name: job.Spec.TaskTemplate.AppRef.Name}
		there, _ := r.apps.LoadOrStore(key, sync.OnceValues(func() (bool, error) { return r.h.appThere(ctx, key) }))
		is, err := there.(func() (bool, error))()
		if err != nil {
			return err
		}
		known.App = &is
	case AskMade:
		tasks, err := r.h.Kf.Tasks(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + job.Name})
		if err != nil {
			return fmt.Errorf("list Tasks of Job %s/%s: %w", job.Namespace, job.Name, err)
		}
		known.Made = instantsOf(job, tasks.Items)
	}
	return nil
}

// each calls visit with every Job, page by page. The list is not from a cache that may be behind: a Job that looks
// undecided though it was decided would be run again if its Task has been deleted.
func (h *Handler) each(ctx context.Context, opts metav1.ListOptions, visit func(*v1alpha1.TaskSchedule)) error {
	opts.Limit = h.PageSize
	for {
		page, err := h.Kf.TaskSchedules("").List(ctx, opts)
		if err != nil {
			return fmt.Errorf("list Jobs: %w", err)
		}
		for i := range page.Items {
			visit(&page.Items[i])
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nil
		}
	}
}

// running lists the Tasks of Jobs that have not ended, by the UID of their Job.
func (h *Handler) running(ctx context.Context, namespace, selector string) (map[types.UID][]v1alpha1.Task, error) {
	opts := metav1.ListOptions{LabelSelector: selector, FieldSelector: "status.completionTime=", Limit: h.PageSize}
	of := map[types.UID][]v1alpha1.Task{}
	for {
		page, err := h.Kf.Tasks(namespace).List(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("list Tasks of Jobs that have not ended: %w", err)
		}
		for _, t := range page.Items {
			if owner := metav1.GetControllerOf(&t); owner != nil && !t.Final() {
				of[owner.UID] = append(of[owner.UID], t)
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return of, nil
		}
	}
}

// appThere says whether an App is there. That it is not must not be taken from a cache that may be behind.
func (h *Handler) appThere(ctx context.Context, key types.NamespacedName) (bool, error) {
	for _, version := range []string{"0", ""} {
		app, err := h.Kf.Apps(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{ResourceVersion: version})
		if err == nil && app.DeletionTimestamp == nil {
			return true, nil
		}
		if err != nil && !errors.IsNotFound(err) {
			return false, fmt.Errorf("get App %s: %w", key, err)
		}
	}
	return false, nil
}
