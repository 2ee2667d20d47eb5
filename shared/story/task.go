package story

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// tellers of a Task's story, in the order in which things happen.
var tellers = []func(Facts) []Line{
	asked, mayStart, appReady, queued, runMade, accepted, podMade, happened, began, stopped, containerEnded, logged, ended, stands,
}

// OfTask tells what became of a Task.
func OfTask(f Facts) Story {
	t := f.Task
	about := "Task " + t.Name
	if id := t.ID(); id != 0 {
		about += fmt.Sprintf(", ID %d", id)
	}
	s := Story{About: about + ", of App " + t.Spec.AppRef.Name, Outcome: outcome(t), Lines: tell(f, tellers)}
	s.Unknown = append(f.missing(), f.Unread.said()...)
	s.Do = f.advice()
	return s
}

func outcome(t *v1alpha1.Task) string {
	c := succeeded(t)
	switch {
	case c.Reason == "":
		return "not looked at yet"
	case t.Status.ExitCode != nil:
		return fmt.Sprintf("%s, exit code %d", c.Reason, *t.Status.ExitCode)
	}
	return c.Reason
}

// succeeded is the Task's condition, without a reason where there is none yet.
func succeeded(t *v1alpha1.Task) metav1.Condition {
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		return *c
	}
	return metav1.Condition{}
}

func asked(f Facts) []Line {
	t := f.Task
	what := wanted(t)
	if by := t.Spec.RequestedBy; by != "" {
		what += ", sent by " + by
	}
	if chain := t.Annotations[v1alpha1.ChainAnnotation]; chain != "" {
		what += "; because of " + strings.Join(strings.Fields(chain), ", then ")
	}
	if client := maker(t); client != "" && client != functions {
		what += "; made by the client " + client
	}
	return []Line{{t.CreationTimestamp.Time, what, "Task"}}
}

// functions is the field manager of all functions, by their user agent (shared/receiver).
const functions = "kf-tasks"

// wanted says what a Task is a run for.
func wanted(t *v1alpha1.Task) string {
	of := ""
	switch owner := metav1.GetControllerOf(t); {
	case owner != nil && owner.Kind == "TaskSchedule":
		of = " of Job " + owner.Name
	case owner != nil && owner.Kind == "Task":
		return fmt.Sprintf("made for the index %s of the array %s: kf why %[2]s tells what asked for that",
			t.Labels[v1alpha1.IndexLabel], owner.Name)
	}
	source, id, byEvent := strings.Cut(t.Annotations[v1alpha1.EventAnnotation], " ")
	stopSource, stopID, stoppedFirst := strings.Cut(t.Annotations[v1alpha1.StoppedFirstAnnotation], " ")
	instant := t.Instant()
	switch {
	case stoppedFirst:
		return fmt.Sprintf("made by the event %s of %s: it asks to stop the run of the event %s of %s, and came first",
			stopID, stopSource, id, source)
	case byEvent:
		return "asked for by " + event(source, id) + runOf(of)
	case of != "" && !instant.IsZero():
		late := ""
		if by := t.CreationTimestamp.Sub(instant); by >= time.Minute {
			late = fmt.Sprintf(", %s late", by.Round(time.Second))
		}
		return "made for the instant " + stamp(instant) + of + late
	case of != "":
		return "asked for directly, as a run" + of
	}
	return "asked for directly"
}

func runOf(of string) string {
	if of == "" {
		return ""
	}
	return ", as a run" + of
}

// event names what an event is by its source: those of the functions webhook and wait stand for a delivery and a request.
func event(source, id string) string {
	parts := strings.Split(strings.Trim(source, "/"), "/")
	switch n := len(parts); {
	case strings.HasPrefix(source, "/apis/"+v1alpha1.GroupVersion.String()+"/namespaces/") && n > 2 && parts[n-2] == "webhooks":
		return "the delivery " + id + " of Webhook " + parts[n-1]
	case n == 5 && parts[0] == "namespaces" && (parts[4] == "tasks" || parts[4] == "runs"):
		return "the request with the key " + id + " at " + source
	}
	return "the event " + id + " of " + source
}

// maker is the client that has set what the Task runs, as the API server recorded it: a word of the client's, not a proof.
func maker(t *v1alpha1.Task) string {
	for _, m := range t.ManagedFields {
		var set struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if m.FieldsV1 == nil || m.Subresource != "" || json.Unmarshal(m.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, is := set.Spec["f:appRef"]; is {
			return m.Manager
		}
	}
	return ""
}

func mayStart(f Facts) []Line {
	at := f.Task.Spec.NotBefore
	if at == nil || f.Task.NotYet(f.Now) {
		return nil // it says so by how it stands
	}
	return []Line{{at.Time, "from then on it might start (spec.notBefore)", "Task"}}
}

// appReady: the App came to be ready between the Task and its run, so that is what it waited for.
func appReady(f Facts) []Line {
	if f.App == nil || f.Run == nil {
		return nil
	}
	c := meta.FindStatusCondition(f.App.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue || c.LastTransitionTime.Before(&f.Task.CreationTimestamp) ||
		f.Run.CreationTimestamp.Before(&c.LastTransitionTime) {
		return nil
	}
	return []Line{{c.LastTransitionTime.Time, "App " + f.App.Name + " became ready: " + c.Reason, "App"}}
}

// queued: why it waited stands there when it has started, too.
func queued(f Facts) []Line {
	q := f.Task.Status.Queue
	if q == nil {
		return nil
	}
	what := map[v1alpha1.QueueOf]string{
		v1alpha1.QueueOfApp: "it had to wait for its turn: as many Tasks of App " + f.Task.Spec.AppRef.Name +
			" ran as may (spec.maxRunningTasks)",
		v1alpha1.QueueOfSpace: "it had to wait for its turn: as many Tasks of the Space ran as may (spec.limits.maxRunningTasks)",
		v1alpha1.QueueOfKueue: "Kueue held its PipelineRun",
	}[q.Of]
	return []Line{{q.Since.Time, what, "Task"}}
}

// notable is a wait that is longer than a lost event explains: every ten seconds Tasks without a run are looked for.
const notable = 20 * time.Second

func runMade(f Facts) []Line {
	if f.Run == nil {
		return nil
	}
	made, from := f.Run.CreationTimestamp.Time, f.Task.CreationTimestamp.Time
	if at := f.Task.Spec.NotBefore; at != nil && at.After(from) {
		from = at.Time
	}
	what := "PipelineRun " + f.Run.Name + " was made"
	if waited := made.Sub(from); waited >= notable {
		what += fmt.Sprintf(", after it had waited %s; what for is on record only if it is told here", waited.Round(time.Second))
	}
	return []Line{{made, what, "PipelineRun"}}
}

func accepted(f Facts) []Line {
	if f.Task.Status.StartTime == nil {
		return nil
	}
	return []Line{{f.Task.Status.StartTime.Time, "Tekton accepted the run", "Task"}}
}

func began(f Facts) (lines []Line) {
	starts := f.Task.Status.Starts
	for i, s := range starts {
		what := fmt.Sprintf("the command was let begin in Pod %s", s.Pod)
		if s.Node != "" {
			what += " on node " + s.Node
		}
		if most := f.Task.Spec.Retries + 1; most > 1 {
			what += fmt.Sprintf(" (start %d of at most %d)", i+1, most)
		}
		if s.Lost != "" {
			what += "; that Pod was lost before the command had ended: " + s.Lost
		}
		lines = append(lines, Line{s.At.Time, what, "Task"})
	}
	return lines
}

func stopped(f Facts) (lines []Line) {
	t, end := f.Task, f.Task.Status.Termination
	what := "somebody asked it to stop"
	by := t.TerminatedBy()
	if end != nil && end.RequestedBy != "" {
		by = end.RequestedBy
	}
	if by != "" {
		what = "it was asked to stop, by " + by
	}
	switch {
	case end == nil && t.Spec.Terminated:
		return []Line{{What: what + "; when is not on record, for the function terminate has not noted it", By: "Task"}}
	case end == nil:
		return nil
	case t.Spec.Terminated:
		lines = append(lines, Line{end.RequestedAt.Time, what, "Task"})
	default:
		lines = append(lines, Line{end.RequestedAt.Time, "its time limit was near, and its log was opened", "Task"})
	}
	if end.CancelledAt != nil {
		lines = append(lines, Line{end.CancelledAt.Time, "its PipelineRun was cancelled", "Task"})
	}
	return lines
}

func logged(f Facts) []Line {
	end := f.Task.Status.Termination
	if end == nil {
		return nil
	}
	last := ""
	if end.DeliveredTo != nil {
		last = ", the last of " + stamp(end.DeliveredTo.Time)
	}
	what := ""
	switch end.Log {
	case v1alpha1.LogComplete:
		what = fmt.Sprintf("its log was handed to the logging stream: %d lines%s", end.Lines, last)
	case v1alpha1.LogIncomplete:
		what = fmt.Sprintf("its log was not handed on whole: %d lines%s; %s", end.Lines, last, end.Message)
	case v1alpha1.LogDelivering:
		return []Line{{What: fmt.Sprintf("its log is being handed to the logging stream: %d lines so far%s", end.Lines, last), By: "Task"}}
	case v1alpha1.LogNone:
		what = strings.TrimSuffix("there was no log to hand on: "+end.Message, ": ")
	default:
		return nil
	}
	at := time.Time{}
	if c := meta.FindStatusCondition(f.Task.Status.Conditions, v1alpha1.ConditionLogDelivered); c != nil {
		at = c.LastTransitionTime.Time
	}
	return []Line{{at, what, "Task"}}
}

func ended(f Facts) []Line {
	c := succeeded(f.Task)
	if !f.Task.Final() {
		return nil
	}
	what := "it ended: " + outcome(f.Task)
	if c.Reason == v1alpha1.ReasonRestored {
		what = c.Reason
	}
	if c.Message != "" {
		what += ": " + c.Message
	}
	at := c.LastTransitionTime.Time
	if f.Task.Status.CompletionTime != nil {
		at = f.Task.Status.CompletionTime.Time
	}
	return []Line{{at, what, "Task"}}
}

// stands is how a Task that has not ended stands now.
func stands(f Facts) (lines []Line) {
	t, c := f.Task, succeeded(f.Task)
	now := func(what string) { lines = append(lines, Line{What: what, By: "Task"}) }
	if t.DeletionTimestamp != nil {
		now("it is being deleted")
	}
	if t.Final() {
		return lines
	}
	switch {
	case c.Reason == "":
		now("no function has said anything about it yet")
	case c.Reason == v1alpha1.ReasonRunning:
		now(strings.TrimSuffix("it runs: "+c.Message, ": "))
	case c.Message == "":
		now("it waits: " + c.Reason)
	default:
		now("it waits: " + c.Reason + ": " + c.Message)
	}
	if builds(c.Reason) && f.App != nil {
		if b := meta.FindStatusCondition(f.App.Status.Conditions, v1alpha1.ConditionBuildReady); b != nil {
			what := "the build of App " + f.App.Name + ": " + b.Reason + ": " + b.Message
			lines = append(lines, Line{What: strings.TrimSuffix(what, ": "), By: "App"})
		}
	}
	if t.Status.Deadline != nil {
		now("its timeout ends it at " + stamp(t.Status.Deadline.Time))
	}
	if t.Spec.Expires != nil && len(t.Status.Starts) == 0 {
		now("it fails as Expired unless its command begins before " + stamp(t.Spec.Expires.Time))
	}
	return lines
}

// builds says of a reason that a build of the App may be what a Task waits for.
func builds(reason string) bool {
	return slices.Contains([]string{v1alpha1.ReasonAppHasNoImage, v1alpha1.ReasonAppNotSettled}, reason)
}

// missing is what a story of this Task would have, and is gone.
func (f Facts) missing() (all []string) {
	t := f.Task
	if t.HandledBefore() && t.Spec.Count == 0 && t.Status.StartTime != nil && f.Unread.gone(PartRun, f.Run != nil) {
		all = append(all, "its PipelineRun is gone: somebody deleted it, or pruned it, and what it said with it")
	}
	if n := len(t.Status.Starts); n > 0 && f.Unread.gone(PartPod, f.Pod != nil) {
		what := "its Pod " + t.Status.Starts[n-1].Pod + " is gone, and what Kubernetes knew of it with it"
		if end := t.Status.Termination; end == nil || end.Log == v1alpha1.LogNone {
			what += "; so is its log, where nobody collects logs"
		}
		all = append(all, what)
	}
	if f.Unread[PartEvents] == "" && len(f.Events) == 0 && f.Now.Sub(t.CreationTimestamp.Time) > time.Hour {
		all = append(all, "there are no Kubernetes Events about it, or none any more: they are kept for an hour, as a rule")
	}
	if f.Unread.gone(PartApp, f.App != nil) {
		all = append(all, "its App is gone, or has not been pushed")
	}
	return all
}
