package main

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// standing is how an App or a Job stands, by its condition Ready.
type standing struct{ State, Reason, Why string }

func standingOf(conditions []metav1.Condition) standing {
	c := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case c == nil:
		return standing{"unsettled", "New", "no function has looked at it yet"}
	case c.Status == metav1.ConditionTrue:
		return standing{"ready", c.Reason, ""}
	case c.Status == metav1.ConditionFalse:
		return standing{"notready", c.Reason, c.Message}
	}
	return standing{"unsettled", c.Reason, c.Message}
}

type appRow struct {
	standing
	Name, Image string
	Tasks       int // the highest ID
}

type jobRow struct {
	standing
	Name, App, When, Zone, Command string
	Suspended                      bool
	Next                           time.Time
	Last                           *v1alpha1.Decision
}

func jobRowOf(j *v1alpha1.TaskSchedule) jobRow {
	r := jobRow{standing: standingOf(j.Status.Conditions), Name: j.Name, App: j.Spec.TaskTemplate.AppRef.Name, Zone: j.Spec.TimeZone,
		Command: commandOf(&j.Spec.TaskTemplate), Suspended: j.Spec.Suspend}
	for i, e := range j.Expressions() {
		if i > 0 {
			r.When += ", "
		}
		r.When += e
	}
	if j.Status.NextScheduleTime != nil && !j.Spec.Suspend {
		r.Next = j.Status.NextScheduleTime.Time
	}
	if len(j.Status.History) > 0 {
		r.Last = &j.Status.History[0]
	}
	return r
}

type spaceData struct {
	Apps []appRow
	Jobs []jobRow
	// Open are Tasks that have not ended, at most mostOpen of them.
	Open     List
	More     bool
	Webhooks int
}

// mostOpen is how many Tasks that have not ended the page of a Space shows.
const mostOpen = 100

// inSpace shows what is in a Space: what has not ended first.
func (v *visit) inSpace() error {
	data, err := v.readSpace()
	if err != nil {
		return err
	}
	v.render(http.StatusOK, view{Name: "space", Title: "Space " + v.space, Live: true, Data: data})
	return nil
}

func (v *visit) readSpace() (spaceData, error) {
	data := spaceData{}
	group, ctx := errgroup.WithContext(v.ctx)
	group.Go(func() error {
		for app, err := range client.All[*v1alpha1.App](ctx, v.kf.Apps(v.space), metav1.ListOptions{}) {
			if err != nil {
				return err
			}
			s := app.Status
			data.Apps = append(data.Apps, appRow{standingOf(s.Conditions), app.Name, s.Image, s.Tasks.UpdateRequests})
		}
		return nil
	})
	group.Go(func() error {
		for job, err := range client.All[*v1alpha1.TaskSchedule](ctx, v.kf.TaskSchedules(v.space), metav1.ListOptions{}) {
			if err != nil {
				return err
			}
			data.Jobs = append(data.Jobs, jobRowOf(job))
		}
		return nil
	})
	group.Go(func() (err error) { data.Open, data.More, err = v.open(ctx); return err })
	group.Go(func() error {
		list, err := v.kf.Webhooks(v.space).List(ctx, metav1.ListOptions{Limit: 100})
		if err == nil {
			data.Webhooks = len(list.Items)
		}
		return nil // who may not see them sees the rest
	})
	return data, group.Wait()
}

// open are the Tasks that have not ended: a selectable field says so.
func (v *visit) open(ctx context.Context) (List, bool, error) {
	list, err := v.kf.Tasks(v.space).List(ctx, metav1.ListOptions{FieldSelector: "status.completionTime=", Limit: mostOpen})
	if err != nil {
		return List{}, false, err
	}
	var rows []Row
	for i := range list.Items {
		if task := &list.Items[i]; !task.Final() {
			rows = append(rows, RowOf(task, v.began))
		}
	}
	return Choose(rows, Filter{Page: 1, Size: mostOpen}), list.Continue != "", nil
}
