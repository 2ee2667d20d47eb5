package main

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
)

// gatherer reads what decisions need, once for all Jobs of a tick where it can.
type gatherer struct {
	kf      *client.Client
	running func() (map[jobKey][]v1alpha1.Task, error) // the Tasks that have not ended, by their Job
	apps    sync.Map                                   // of func() (*v1alpha1.App, error), by types.NamespacedName
	space   func(name string) (*v1alpha1.Space, error) // nil if there is none
}

// jobKey names a Job. The UID alone would let a Task of another namespace, whose owner reference anybody there may write,
// stand in the way of a Job that forbids two at once.
type jobKey struct {
	namespace string
	uid       types.UID
}

// gatherer returns one that finds the Tasks of Jobs in a namespace ("" for all) by a selector.
func (h *Handler) gatherer(ctx context.Context, namespace, selector string) *gatherer {
	opts := metav1.ListOptions{LabelSelector: selector, FieldSelector: "status.completionTime=", Limit: h.PageSize}
	return &gatherer{kf: h.Kf, space: h.spaces(ctx, namespace), running: sync.OnceValues(func() (map[jobKey][]v1alpha1.Task, error) {
		of := map[jobKey][]v1alpha1.Task{}
		for task, err := range client.All[*v1alpha1.Task](ctx, h.Kf.Tasks(namespace), opts) {
			if err != nil {
				return nil, err
			}
			if owner := metav1.GetControllerOf(task); owner != nil && !task.Final() && !task.NotYet(h.Now()) {
				key := jobKey{task.Namespace, owner.UID}
				of[key] = append(of[key], *task)
			}
		}
		return of, nil
	})}
}

// gather adds what is needed to the facts about a Job.
func (g *gatherer) gather(ctx context.Context, need job.Need, j *v1alpha1.TaskSchedule, facts job.Facts) (job.Facts, error) {
	switch need {
	case job.NeedRunning:
		of, err := g.running()
		if err != nil {
			return facts, err
		}
		facts.Running = append([]v1alpha1.Task{}, of[jobKey{j.Namespace, j.UID}]...) // read, if there are none
	case job.NeedApp, job.NeedHolds:
		app, err := g.app(ctx, types.NamespacedName{Namespace: j.Namespace, Name: j.Spec.TaskTemplate.AppRef.Name})
		if err != nil {
			return facts, err
		}
		is := app != nil
		if facts.App = &is; need == job.NeedHolds {
			space, err := g.space(j.Namespace)
			if err != nil {
				return facts, err
			}
			facts.Holds = job.HoldsOf(app, space)
		}
	case job.NeedMade:
		tasks, err := tasksOf(ctx, g.kf, j)
		if err != nil {
			return facts, err
		}
		facts.Made = job.Made(j, tasks)
	}
	return facts, nil
}

// tasksOf are the Tasks that have a Job's label, ended or not.
func tasksOf(ctx context.Context, kf *client.Client, j *v1alpha1.TaskSchedule) ([]*v1alpha1.Task, error) {
	ofJob := metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + j.Name}
	return client.Collect(client.All[*v1alpha1.Task](ctx, kf.Tasks(j.Namespace), ofJob))
}

// app is an App that is there, asking once for all Jobs of it.
func (g *gatherer) app(ctx context.Context, key types.NamespacedName) (*v1alpha1.App, error) {
	once, _ := g.apps.LoadOrStore(key, sync.OnceValues(func() (*v1alpha1.App, error) {
		app, err := client.Find(ctx, g.kf.Apps(key.Namespace), key.Namespace, key.Name)
		if app == nil || app.DeletionTimestamp != nil {
			return nil, err
		}
		return app, err
	}))
	return once.(func() (*v1alpha1.App, error))()
}

// spaces finds the Space of a namespace: of one namespace by its name, of all by one list.
func (h *Handler) spaces(ctx context.Context, namespace string) func(name string) (*v1alpha1.Space, error) {
	if namespace != "" {
		find := sync.OnceValues(func() (*v1alpha1.Space, error) { return client.Find(ctx, h.Kf.Spaces(), "", namespace) })
		return func(string) (*v1alpha1.Space, error) { return find() }
	}
	list := sync.OnceValues(func() (map[string]*v1alpha1.Space, error) {
		of := map[string]*v1alpha1.Space{}
		for s, err := range client.All[*v1alpha1.Space](ctx, h.Kf.Spaces(), metav1.ListOptions{Limit: h.PageSize}) {
			if err != nil {
				return nil, err
			}
			of[s.Name] = s
		}
		return of, nil
	})
	return func(name string) (*v1alpha1.Space, error) {
		all, err := list()
		return all[name], err
	}
}
