package main

import (
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/job"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

type jobData struct {
	jobRow
	Job      *v1alpha1.TaskSchedule
	May      May
	Next     []time.Time
	Past     []Entry
	Calendar Month
	// Wrong is what is wrong with the schedule.
	Wrong string
}

// mostPast is how many runs the list below the calendar has.
const mostPast = 50

// job shows a Job, and a month of what it did and will do.
func (v *visit) job() error {
	j, err := v.findJob()
	if err != nil {
		return err
	}
	data := jobData{jobRow: jobRowOf(j), Job: j}
	var tasks []*v1alpha1.Task
	group, ctx := errgroup.WithContext(v.ctx)
	group.Go(func() (err error) {
		all := metav1.ListOptions{LabelSelector: v1alpha1.TaskScheduleLabel + "=" + j.Name}
		tasks, err = client.Collect(client.All[*v1alpha1.Task](ctx, v.kf.Tasks(v.space), all))
		return err
	})
	group.Go(func() error { data.May = v.may(); return nil })
	if err := group.Wait(); err != nil {
		return err
	}
	zone, err := schedule.LoadZone(j.Spec.TimeZone)
	if err != nil {
		data.Wrong, zone = err.Error(), time.UTC
	} else if data.Next, err = job.Preview(j, v.began, 5); err != nil && !j.Spec.Suspend {
		data.Wrong = err.Error()
	}
	data.Past = Past(j, tasks)
	month := MonthOf(v.r.URL.Query().Get("month"), v.began, zone)
	if data.Calendar, err = CalendarOf(j, data.Past, month, v.began); err != nil {
		unscheduled := j.DeepCopy()
		unscheduled.Spec.Suspend = true // what is past is shown all the same
		data.Calendar, _ = CalendarOf(unscheduled, data.Past, month, v.began)
	}
	data.Past = data.Past[:min(len(data.Past), mostPast)]
	v.render(http.StatusOK, view{
		Name: "job", Title: "Job " + v.name, Trail: []link{{v.space, "/spaces/" + v.space}}, Live: true, Data: data,
	})
	return nil
}

// findJob is the Job of the address.
func (v *visit) findJob() (*v1alpha1.TaskSchedule, error) {
	j, err := client.Find(v.ctx, v.kf.TaskSchedules(v.space), v.space, v.name)
	if err == nil && j == nil {
		return nil, notFound("There is no Job %s in Space %s. `kf jobs --space %[2]s` lists those that there are.", v.name, v.space)
	}
	return j, err
}
