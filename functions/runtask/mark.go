package main

import (
	"maps"
	"strconv"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// marks are what a Task is to say of itself beside its ID.
type marks struct {
	handled  bool // its run is there, or never will be; the others are of such a Task
	awaited  bool // its end wakes those that wait for it
	archived bool // its log belongs in the archive of its Space
}

// archived says whether a Task's log belongs in the archive of its Space, if that has one. An array writes nothing itself.
func archived(task *v1alpha1.Task, of *v1alpha1.Space) bool {
	return of != nil && of.Spec.Logs.Archive != nil && task.Spec.Count == 0
}

// Marked is what a Task lacks of its marks, if anything: those by which people find it, and, when it was handled, the one that says
// so. Labels that others have given the Task stay theirs, those that Kf's CLI selects by too: Helm, Kustomize and Argo CD write
// the same ones, and would write them again.
func Marked(task *v1alpha1.Task, app *v1alpha1.App, id int, are marks) (change client.Change, needed bool) {
	labels := v1alpha1.TaskLabels(task.Spec.AppRef.Name)
	if id != 0 || are.handled {
		labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	}
	maps.DeleteFunc(labels, func(l, _ string) bool { _, there := task.Labels[l]; return there })
	if are.handled {
		labels[v1alpha1.HandledLabel] = string(task.UID)
		if are.awaited {
			labels[v1alpha1.AwaitedLabel] = "true"
		}
		if are.archived {
			labels[v1alpha1.ArchiveLabel] = v1alpha1.ArchiveWanted
		}
	}
	change.Labels = labels
	if task.Spec.DisplayName == "" {
		change.Spec = map[string]any{"displayName": task.Name}
	}
	change.Adopt(task, app)
	return change, len(labels) > 0 || change.Spec != nil || change.Owners != nil
}
