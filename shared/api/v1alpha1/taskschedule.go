package v1alpha1

import (
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Expressions are all schedules of a Job. What Kf's CLI writes for a Job without a schedule is left out.
func (j *TaskSchedule) Expressions() []string {
	var all []string
	for _, e := range append([]string{j.Spec.Schedule}, j.Spec.Schedules...) {
		if e != "" && e != NeverSchedule {
			all = append(all, e)
		}
	}
	return all
}

// TaskName names the Task that runs an instant of a Job, as Kf does. There can be one only: the name is the lock.
func (j *TaskSchedule) TaskName(instant time.Time) string {
	return fmt.Sprintf("%s-%d", j.Name, instant.Unix())
}

// NewTask is a Task of the Job, without a name. The Job owns it; it has the Job's labels and those that Kf's CLI
// selects by. A label of the Job that means something else on a Task stays behind: "handled" would say that the Task
// was run already.
func (j *TaskSchedule) NewTask() *Task {
	labels := map[string]string{}
	maps.Copy(labels, j.Labels)
	for _, l := range []string{VersionLabel, SuspendLabel, TaskLabel, HandledLabel, StartLabel, AwaitedLabel, ArrayLabel, IndexLabel} {
		delete(labels, l)
	}
	maps.Copy(labels, TaskLabels(j.Spec.TaskTemplate.AppRef.Name))
	labels[TaskScheduleLabel] = j.Name
	spec := *j.Spec.TaskTemplate.DeepCopy()
	spec.Terminated = false // of a template it could only mean that no Task ever runs: that is what suspend is for
	spec.RequestedBy = ""   // a template asks for nothing
	spec.NotBefore, spec.Expires = nil, nil
	return &Task{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       j.Namespace,
			Labels:          labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(j, GroupVersion.WithKind("TaskSchedule"))},
		},
		Spec: spec,
	}
}

// NewTask is a Task of an App, to be given a name: it goes with the App.
func (a *App) NewTask(spec TaskSpec) *Task {
	spec.AppRef.Name = a.Name
	return &Task{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       a.Namespace,
			Labels:          TaskLabels(a.Name),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(a, GroupVersion.WithKind("App"))},
		},
		Spec: spec,
	}
}

// TaskScheduleLabels are the labels that Kf's webhook gives a Job, and that its CLI selects by.
func TaskScheduleLabels(suspend bool) map[string]string {
	return map[string]string{
		ManagedByLabel: ManagedByKf, ComponentLabel: TaskScheduleComponent, SuspendLabel: fmt.Sprint(suspend),
	}
}
