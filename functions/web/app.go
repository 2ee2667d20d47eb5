package main

import (
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type appData struct {
	standing
	App  *v1alpha1.App
	May  May
	List List
	// Start is what the App runs where a Task says nothing; "" if that is nothing.
	Start string
	// Command, Process and Wrong are of a form that was not taken.
	Command, Process, Wrong string
}

func (v *visit) app() error { return v.showApp(http.StatusOK, appData{}) }

// showApp shows an App and its Tasks, and of a form that was not taken what was wrong.
func (v *visit) showApp(status int, data appData) error {
	group, ctx := errgroup.WithContext(v.ctx)
	var rows []Row
	group.Go(func() (err error) {
		data.App, err = client.Find(ctx, v.kf.Apps(v.space), v.space, v.name)
		return err
	})
	group.Go(func() error {
		for task, err := range client.All[*v1alpha1.Task](ctx, v.kf.Tasks(v.space), client.OfApp(v.name)) {
			if err != nil {
				return err
			}
			rows = append(rows, RowOf(task, v.began)) // a large App's Tasks are not held
		}
		return nil
	})
	group.Go(func() error { data.May = v.may(); return nil })
	if err := group.Wait(); err != nil {
		return err
	}
	if data.App == nil {
		return notFound("There is no App %s in Space %s. To make one: kf push %[1]s --task --space %[2]s", v.name, v.space)
	}
	data.standing = standingOf(data.App.Status.Conditions)
	data.List = Choose(rows, FilterOf(v.r.URL.Query()))
	data.Start = startOf(data.App)
	v.render(status, view{
		Name: "app", Title: "App " + v.name, Trail: []link{{v.space, "/spaces/" + v.space}}, Live: true, Data: data,
	})
	return nil
}

// startOf is what an App runs by itself, for people.
func startOf(a *v1alpha1.App) string {
	words := a.Status.StartCommands.Container
	args := a.Status.StartCommands.Args
	if cs := a.Spec.Template.Spec.Containers; len(cs) > 0 {
		if len(cs[0].Command) > 0 {
			words, args = cs[0].Command, nil
		}
		if len(cs[0].Args) > 0 {
			args = cs[0].Args
		}
	}
	return commandOf(&v1alpha1.TaskSpec{Args: append(append([]string{}, words...), args...)})
}

// taskByID goes to a Task of an App by its number: an address that people can say.
func (v *visit) taskByID() error {
	id, err := strconv.Atoi(v.r.PathValue("what"))
	if err != nil {
		return notFound("A Task's ID is a number.")
	}
	tasks, err := client.Collect(client.All[*v1alpha1.Task](v.ctx, v.kf.Tasks(v.space), client.OfApp(v.name)))
	if err != nil {
		return err
	}
	task, err := v1alpha1.ByID(tasks, id)
	if err != nil {
		return refusal{http.StatusConflict, err.Error()}
	}
	if task == nil {
		return notFound("App %s has no Task %d, or not any more: the oldest are deleted (docs/retention.md).", v.name, id)
	}
	http.Redirect(v.w, v.r, "/spaces/"+v.space+"/tasks/"+task.Name, http.StatusSeeOther)
	return nil
}
