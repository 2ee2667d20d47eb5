package main

import (
	"maps"
	"strconv"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Marked is what a Task lacks of its marks, if anything: those by which people find it, and, when it was handled, the one that says
// so. Labels that others have given the Task stay theirs, those that Kf's CLI selects by too: Helm, Kustomize and Argo CD write
// the same ones, and would write them again.
//
// In a Space that archives logs, of is that, one that was handled says by a label that its log belongs there.
func Marked(task *v1alpha1.Task, app *v1alpha1.App, of *v1alpha1.Space, id int, handled bool) (change client.Change, needed bool) {
	labels := v1alpha1.TaskLabels(task.Spec.AppRef.Name)
	if id != 0 || handled {
		labels[v1alpha1.VersionLabel] = strconv.Itoa(id)
	}
	maps.DeleteFunc(labels, func(l, _ string) bool { _, there := task.Labels[l]; return there })
	if handled {
		labels[v1alpha1.HandledLabel] = string(task.UID)
		if of != nil && of.Spec.Logs.Archive != nil {
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
