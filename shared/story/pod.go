package story

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// stepContainer is how Tekton names the container of a Task's command.
const stepContainer = "step-" + v1alpha1.UserContainer

func podMade(f Facts) (lines []Line) {
	if f.Pod != nil {
		lines = append(lines, Line{f.Pod.CreationTimestamp.Time, "Pod " + f.Pod.Name + " was made", "Pod"})
		for _, c := range f.Pod.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
				lines = append(lines, Line{c.LastTransitionTime.Time, "it was scheduled onto node " + f.Pod.Spec.NodeName, "Pod"})
			}
		}
	}
	state, by := f.container()
	at := time.Time{}
	switch {
	case state.Running != nil:
		at = state.Running.StartedAt.Time
	case state.Terminated != nil:
		at = state.Terminated.StartedAt.Time
	case state.Waiting != nil && !f.Task.Final() && state.Waiting.Message != "":
		return append(lines, Line{What: "its container waits: " + state.Waiting.Reason + ": " + state.Waiting.Message, By: by})
	}
	if !at.IsZero() {
		lines = append(lines, Line{at, "its container was started", by})
	}
	return lines
}

func containerEnded(f Facts) []Line {
	state, by := f.container()
	if t := state.Terminated; t != nil && !t.FinishedAt.IsZero() {
		return []Line{{t.FinishedAt.Time, fmt.Sprintf("its container ended: %s, with code %d", t.Reason, t.ExitCode), by}}
	}
	return nil
}

// container is the state of the command's container, by its Pod, or by the TaskRun where that is gone.
func (f Facts) container() (corev1.ContainerState, string) {
	if f.Pod != nil {
		for _, c := range f.Pod.Status.ContainerStatuses {
			if c.Name == stepContainer {
				return c.State, "Pod"
			}
		}
	}
	if f.TaskRun != nil {
		for _, s := range f.TaskRun.Status.Steps {
			if s.Name == v1alpha1.UserContainer {
				return s.ContainerState, "TaskRun"
			}
		}
	}
	return corev1.ContainerState{}, ""
}

// told are the Events of a good course that are worth a line; of type Warning all are.
var told = []string{"Pulling", "Pulled", "Killing", "Scheduled", "Preempted", "TaintManagerEviction", "NodeNotReady"}

// happened is what Kubernetes' Events say: those of one kind about one object are one line.
func happened(f Facts) (lines []Line) {
	type key struct{ kind, name, reason string }
	type course struct {
		first, last time.Time
		count       int32
		message, by string
	}
	all, keys := map[key]*course{}, []key{}
	events := slices.Clone(f.Events)
	slices.SortStableFunc(events, func(a, b *corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	for _, e := range events {
		if !f.worthTelling(e) {
			continue
		}
		k := key{e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason}
		c := all[k]
		if c == nil {
			c = &course{first: firstSeen(e)}
			all[k], keys = c, append(keys, k)
		}
		c.last, c.message, c.by = lastSeen(e), e.Message, cmp.Or(e.Source.Component, e.ReportingController)
		c.count += times(e)
	}
	for _, k := range keys {
		c := all[k]
		often := ""
		if c.count > 1 {
			often = fmt.Sprintf(" (%d times, until %s)", c.count, stamp(c.last))
		}
		lines = append(lines, Line{c.first, fmt.Sprintf("%s %s: %s%s: %s", k.kind, k.name, k.reason, often, c.message), "Event of " + c.by})
	}
	return lines
}

// worthTelling leaves out what the objects say better, and what is about another object that had the name before.
func (f Facts) worthTelling(e *corev1.Event) bool {
	about := e.InvolvedObject
	uids := map[string]string{} // by kind, of what is there
	uids["Task"] = string(f.Task.UID)
	if f.Run != nil {
		uids["PipelineRun"] = string(f.Run.UID)
	}
	if f.TaskRun != nil {
		uids["TaskRun"] = string(f.TaskRun.UID)
	}
	if f.Pod != nil && f.Pod.Name == about.Name {
		uids["Pod"] = string(f.Pod.UID)
	}
	for _, s := range f.Task.Status.Starts {
		if s.Pod == about.Name && about.UID == s.PodUID {
			uids["Pod"] = string(s.PodUID)
		}
	}
	uid, known := uids[about.Kind]
	switch {
	case known && about.UID != "" && string(about.UID) != uid, lastSeen(e).Before(f.Task.CreationTimestamp.Time):
		return false
	case (about.Kind == "PipelineRun" || about.Kind == "TaskRun") && (e.Reason == "Failed" || e.Type != corev1.EventTypeWarning):
		return false // it is how the Task ended, in words that say less
	case e.Reason == "Scheduled" && f.Pod != nil:
		return false
	}
	return e.Type == corev1.EventTypeWarning || slices.Contains(told, e.Reason)
}

func firstSeen(e *corev1.Event) time.Time {
	for _, at := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return e.CreationTimestamp.Time
}

func lastSeen(e *corev1.Event) time.Time {
	last := firstSeen(e)
	if e.LastTimestamp.After(last) {
		last = e.LastTimestamp.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	return last
}

func times(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Series.Count, 1)
	}
	return max(e.Count, 1)
}
