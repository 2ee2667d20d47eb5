package v1alpha1

import "errors"

// Again is a new Task of an App, to be given a name, that runs what this one ran. Who asked for that, when it was to run, that it was
// stopped, and whose labels it had is left behind.
func (t *Task) Again(app *App) (*Task, error) {
	if t.Unreadable != "" { // what can't be read would be left out without a word
		return nil, errors.New("not all of it can be read: " + t.Unreadable + "; say what to run with kf run-task")
	}
	spec := *t.Spec.DeepCopy()
	spec.RequestedBy, spec.Terminated, spec.NotBefore, spec.Expires = "", false, nil, nil
	task := app.NewTask(spec)
	task.GenerateName = app.Name + "-"
	return task, nil
}

// HasStartCommand says whether the App, or its image, starts something by itself.
func (a *App) HasStartCommand() bool {
	if cs := a.Spec.Template.Spec.Containers; len(cs) > 0 && len(cs[0].Args)+len(cs[0].Command) > 0 {
		return true
	}
	return len(a.Status.StartCommands.Container)+len(a.Status.StartCommands.Args) > 0
}
