package main

import (
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// create makes a Task. Its name is of the session and of the form that asked for it, so that a form which is sent twice makes one.
func (v *visit) create(of string, task *v1alpha1.Task) (string, error) {
	once := v.r.PostForm.Get("once")
	if once == "" || len(once) > 64 {
		return "", refusal{http.StatusBadRequest, "Nothing was done: the form lacks its key. Load the page again, and send it anew."}
	}
	task.GenerateName, task.Name = "", events.TaskName(of, "/web/"+v.session.ID, once)
	there, err := client.CreateOnce(v.ctx, v.kf.Tasks(v.space), task)
	if err != nil {
		return "", err
	}
	if there != nil && there.Spec.AppRef.Name != task.Spec.AppRef.Name {
		return "", refusal{http.StatusConflict, "Nothing was done: another Task has the name. Load the page again, and send the form anew."}
	}
	return task.Name, nil
}

// same refuses what was made anew since the page was loaded.
func (v *visit) same(uid types.UID) error {
	if shown := v.r.PostForm.Get("uid"); shown != string(uid) {
		return refusal{http.StatusConflict, "Nothing was done: " + v.name + " was deleted and made anew since you looked. Look again."}
	}
	return nil
}

func (v *visit) at(kind, name, did string) string {
	return "/spaces/" + v.space + "/" + kind + "/" + name + "?did=" + did
}

// runApp makes a Task of an App. Where it is refused for what was typed, the page comes again with it.
func (v *visit) runApp() (string, error) {
	command, process := strings.TrimSpace(v.r.PostForm.Get("command")), v.r.PostForm.Get("process")
	command = strings.ReplaceAll(command, "\r\n", "\n") // as forms send lines (HTML, 4.10.21.8)
	app, err := client.Find(v.ctx, v.kf.Apps(v.space), v.space, v.name)
	if err != nil {
		return "", err
	}
	if app == nil {
		return "", notFound("There is no App %s in Space %s any more.", v.name, v.space)
	}
	wrong := ""
	switch {
	case command != "" && process != "":
		wrong = "Give a command or a process type, not both."
	case command == "" && process == "" && !app.HasStartCommand():
		wrong = "The App starts nothing by itself: say which command to run."
	}
	name := ""
	if wrong == "" {
		title := strings.TrimSpace(v.r.PostForm.Get("title"))
		task := app.NewTask(v1alpha1.TaskSpec{Command: command, Process: process, DisplayName: title})
		name, err = v.create(app.Name, task)
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			wrong = refusalOf(err).text
		} else if err != nil {
			return "", err
		}
	}
	if wrong != "" {
		status := http.StatusUnprocessableEntity
		if apierrors.IsForbidden(err) {
			status = http.StatusForbidden
		}
		return "", again{status, appData{Command: command, Process: process, Wrong: wrong}}
	}
	return v.at("tasks", name, "ran"), nil
}

// again is an error that shows an App's page once more, with the form as it was.
type again struct {
	status int
	data   appData
}

func (a again) Error() string { return a.data.Wrong }

// terminate asks a Task to stop.
func (v *visit) terminate() (string, error) {
	task, err := v.findTask()
	if err == nil {
		err = v.same(task.UID)
	}
	if err != nil {
		return "", err
	}
	if may, why := task.MayStop(); !may {
		return "", refusal{http.StatusConflict, "Nothing was done: " + why + "."}
	}
	change := client.Change{Spec: map[string]any{"terminated": true}, Manager: v.session.User}
	_, err = client.Merge(v.ctx, v.kf.Tasks(v.space), task, change)
	return v.at("tasks", v.name, "terminating"), err
}

// rerun makes a new Task of what another one ran.
func (v *visit) rerun() (string, error) {
	was, err := v.findTask()
	if err == nil {
		err = v.same(was.UID)
	}
	if err != nil {
		return "", err
	}
	app, err := client.Find(v.ctx, v.kf.Apps(v.space), v.space, was.Spec.AppRef.Name)
	if err != nil {
		return "", err
	}
	if app == nil {
		return "", notFound("Nothing was done: the Task's App %s is not there any more.", was.Spec.AppRef.Name)
	}
	task, err := was.Again(app)
	if err != nil {
		return "", refusal{http.StatusUnprocessableEntity, "Nothing was done: " + err.Error() + "."}
	}
	name, err := v.create(app.Name, task)
	return v.at("tasks", name, "reran"), err
}

// runJob runs a Job now.
func (v *visit) runJob() (string, error) {
	j, err := v.findJob()
	if err == nil {
		err = v.same(j.UID)
	}
	if err != nil {
		return "", err
	}
	name, err := v.create(j.Name, j.NewTask())
	return v.at("tasks", name, "ran"), err
}

func (v *visit) suspend() (string, error) { return v.switchJob(true, "suspended") }
func (v *visit) resume() (string, error)  { return v.switchJob(false, "resumed") }

// switchJob suspends a Job, or lets its schedule run it again. The label is what Kf's CLI selects by.
func (v *visit) switchJob(suspend bool, did string) (string, error) {
	j, err := v.findJob()
	if err == nil {
		err = v.same(j.UID)
	}
	if err != nil {
		return "", err
	}
	_, err = client.Merge(v.ctx, v.kf.TaskSchedules(v.space), j, client.Change{
		Labels: map[string]string{v1alpha1.SuspendLabel: v1alpha1.TaskScheduleLabels(suspend)[v1alpha1.SuspendLabel]},
		Spec:   map[string]any{"suspend": suspend}, Manager: v.session.User,
	})
	return v.at("jobs", v.name, did), err
}
