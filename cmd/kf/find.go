package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// app connects and finds an App; the error names those that there are.
func (t *target) app(ctx context.Context, name string) (*v1alpha1.App, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	app, err := client.Find(ctx, t.kf.Apps(t.space), t.space, name)
	if app != nil || err != nil {
		return app, err
	}
	list, err := t.kf.Apps(t.space).List(ctx, metav1.ListOptions{Limit: 10})
	if err != nil || len(list.Items) == 0 {
		return nil, notFound("there is no App %q in Space %q, nor any other: is --space right?", name, t.space)
	}
	var names []string
	for _, a := range list.Items {
		names = append(names, a.Name)
	}
	return nil, notFound("there is no App %q in Space %q; there is: %s", name, t.space, strings.Join(names, ", "))
}

// job connects and finds a Job.
func (t *target) job(ctx context.Context, name string) (*v1alpha1.TaskSchedule, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	job, err := client.Find(ctx, t.kf.TaskSchedules(t.space), t.space, name)
	if job == nil && err == nil {
		return nil, notFound("there is no Job %q in Space %q; `kf jobs --space %s` lists them", name, t.space, t.space)
	}
	return job, err
}

// task connects and finds a Task by its name, or by its App and ID.
func (t *target) task(ctx context.Context, args []string) (*v1alpha1.Task, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	if len(args) == 1 {
		task, err := client.Find(ctx, t.kf.Tasks(t.space), t.space, args[0])
		if task == nil && err == nil {
			return nil, notFound("there is no Task %q in Space %q; `kf tasks APP` lists an App's", args[0], t.space)
		}
		return task, err
	}
	app, number := args[0], args[1]
	id, err := strconv.Atoi(number)
	if err != nil || id < 1 {
		return nil, coded{exitUsage, fmt.Errorf("%q is not a Task's ID: give the number that `kf tasks %s` shows", number, app)}
	}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](ctx, t.kf.Tasks(t.space), client.OfApp(app)))
	if err != nil {
		return nil, fmt.Errorf("find Task %d of App %s: %w", id, app, err)
	}
	task, err := v1alpha1.ByID(tasks, id)
	if task == nil && err == nil {
		err = notFound("No Task found for App %q and Task ID %q; `kf tasks %[1]s` lists them", app, number)
	}
	return task, err
}

// tasksOf are the Tasks that a Job owns.
func (t *target) tasksOf(ctx context.Context, job *v1alpha1.TaskSchedule) (owned []*v1alpha1.Task, err error) {
	all := metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + job.Name}
	for task, err := range client.All[*v1alpha1.Task](ctx, t.kf.Tasks(job.Namespace), all) {
		if err != nil {
			return nil, err
		}
		if metav1.IsControlledBy(task, job) {
			owned = append(owned, task)
		}
	}
	return owned, nil
}
