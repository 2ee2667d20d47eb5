package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

const (
	// maxValue and maxValues are what one variable may hold, and all of a Task: the kernel gives a process some two MiB for them, and the
	// API server an object as much.
	maxValue  = 16 << 10
	maxValues = 128 << 10
	// maxName is a display name's, which is cut: it is only to be looked at.
	maxName = 253
)

// secretHeaders are not shown to expressions: what they hold lets somebody in.
var secretHeaders = map[string]bool{"authorization": true, "cookie": true, "proxy-authorization": true, "x-gitlab-token": true}

// plain are the headers as expressions have them: names in small letters, and of several values the first.
func plain(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		if name = strings.ToLower(name); len(values) > 0 && !secretHeaders[name] && utf8.ValidString(values[0]) {
			all[name] = values[0]
		}
	}
	return all
}

// isMapped makes the command of a delivery.
func isMapped(ctx context.Context, h *Hook, d *Delivery) *Verdict {
	values := map[string]string{}
	size := 0
	for _, m := range h.mapping {
		v, err := m.eval(ctx, d)
		var s string
		if err == nil {
			s, err = textOf(v)
		}
		if err == nil {
			s, err = bounded(m.of, s)
		}
		if size += len(s); err == nil && size > maxValues {
			err = fmt.Errorf("all values together have more than %d bytes", maxValues)
		}
		if err != nil {
			return refused(http.StatusUnprocessableEntity, m.of+": "+err.Error())
		}
		values[m.of] = s
	}
	d.Command, d.Task = h.command(d.ID, values)
	return nil
}

// bounded is a value as it fits what it is for.
func bounded(of, s string) (string, error) {
	switch of {
	case "displayName":
		return strings.ToValidUTF8(s[:min(len(s), maxName)], ""), nil
	case "cpu", "memory", "disk":
		if _, err := resource.ParseQuantity(s); s != "" && err != nil {
			return "", fmt.Errorf("it yields %.60q, which is no quantity", s)
		}
	}
	if len(s) > maxValue {
		return "", fmt.Errorf("it yields %d bytes, more than %d", len(s), maxValue)
	}
	return s, nil
}

// command is the command event of a delivery, and the Task that it makes.
func (h *Hook) command(id string, values map[string]string) (*cloudevents.Event, string) {
	run := h.Spec.Run
	var env []v1alpha1.EnvVar
	for _, v := range run.Env {
		env = append(env, v1alpha1.EnvVar{Name: v.Name, Value: values["env "+v.Name]})
	}
	e := cloudevents.NewEvent()
	e.SetSource(h.Source())
	e.SetID(id)
	e.SetSubject(h.Namespace + "/" + run.App + run.Job)
	var data any = events.RunTask{Namespace: h.Namespace, App: run.App, Name: values["displayName"], Command: run.Command,
		CPU: values["cpu"], Memory: values["memory"], Disk: values["disk"], Env: env}
	e.SetType(events.TaskRun)
	if run.Job != "" {
		e.SetType(events.JobRun)
		data = events.RunJob{Namespace: h.Namespace, Job: run.Job, Command: run.Command,
			CPU: values["cpu"], Memory: values["memory"], Disk: values["disk"], Env: env}
	}
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		panic(err) // plain data: can't fail
	}
	return &e, events.TaskName(run.App+run.Job, e.Source(), e.ID())
}
