package main

import (
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/story"
	"github.com/kf-tasks/kf-tasks/shared/story/gather"
)

type taskData struct {
	Row
	Task  *v1alpha1.Task
	Story story.Story
	May   May
	// Stoppable and Final say which forms there are.
	Stoppable, Final bool
	Log              logData
}

// task shows a Task: how it stands, its story as `kf why` tells it, and the end of its log.
func (v *visit) task() error {
	task, err := v.findTask()
	if err != nil {
		return err
	}
	data := taskData{Row: RowOf(task, v.began), Task: task, Final: task.Final()}
	data.Stoppable, _ = task.MayStop()
	reader, err := gather.New(v.cfg)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.Go(func() error { data.Story = story.OfTask(reader.Task(v.ctx, task, v.began)); return nil })
	group.Go(func() error { data.May = v.may(); return nil })
	group.Go(func() error { data.Log = v.logEnd(task.Name, inPageLines); return nil })
	if err := group.Wait(); err != nil {
		return err
	}
	title := "Task " + task.Name
	if data.ID != 0 {
		title = "Task " + task.Spec.AppRef.Name + " " + "#" + itoa(data.ID)
	}
	v.render(http.StatusOK, view{
		Name: "task", Title: data.State + ": " + title, Live: true, Data: data,
		Trail: []link{{v.space, "/spaces/" + v.space}, {data.App, "/spaces/" + v.space + "/apps/" + data.App}},
	})
	return nil
}

// findTask is the Task of the address.
func (v *visit) findTask() (*v1alpha1.Task, error) {
	task, err := client.Find(v.ctx, v.kf.Tasks(v.space), v.space, v.name)
	if err == nil && task == nil {
		return nil, notFound("There is no Task %s in Space %s, or not any more: an App's oldest are deleted.", v.name, v.space)
	}
	return task, err
}
