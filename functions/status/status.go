package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

// Reasons of a Task's Succeeded condition. Where Tekton knows one that none of these says better, it is passed on.
const (
	ReasonPending      = "Pending"            // accepted, not running yet
	ReasonRunning      = "Running"            //
	ReasonSucceeded    = "Succeeded"          // exit code 0
	ReasonFailed       = "Failed"             // another exit code
	ReasonCancelled    = "Cancelled"          // terminated
	ReasonTimedOut     = "TimedOut"           // ran longer than its timeout
	ReasonOutOfMemory  = "OutOfMemory"        // killed by the kernel at its memory limit
	ReasonImagePull    = "ImagePullFailed"    // the image can't be had
	ReasonEvicted      = "Evicted"            // removed by its node
	ReasonRunDeleted   = "PipelineRunDeleted" // somebody deleted the run
	ReasonUnscheduable = "Unschedulable"      // no node has room
)

// Outcome is what a PipelineRun says of its Task.
type Outcome struct {
	Succeeded metav1.ConditionStatus // Unknown while it runs
	Reason    string
	Message   string // for the user: what happened and what to do about it
	ExitCode  *int32
	Start     *metav1.Time
	End       *metav1.Time
}

// Observe reads the outcome of a Task from its PipelineRun and, where it was read (else nil), the TaskRun: that has the
// exit code and says what a waiting Pod waits for.
func Observe(run *tekton.PipelineRun, tr *tekton.TaskRun) Outcome {
	o := Outcome{Succeeded: metav1.ConditionUnknown, Reason: ReasonPending, Start: run.Status.StartTime}
	c := run.Status.GetCondition(apis.ConditionSucceeded)
	if c == nil {
		return o
	}
	switch {
	case c.IsUnknown():
		if c.Reason == tekton.PipelineRunReasonRunning.String() || strings.Contains(c.Reason, "Cancel") {
			o.Reason, o.Message = ReasonRunning, ""
		}
		return waiting(o, tr)
	case c.IsTrue():
		o.Succeeded, o.Reason = metav1.ConditionTrue, ReasonSucceeded
	default:
		o.Succeeded, o.Reason, o.Message = metav1.ConditionFalse, c.Reason, c.Message
	}
	o.End = run.Status.CompletionTime
	o.ExitCode = exitCode(tr)
	if o.Succeeded == metav1.ConditionFalse {
		explain(&o, run, tr)
	}
	return o
}

// waiting says what a TaskRun that has not started waits for.
func waiting(o Outcome, tr *tekton.TaskRun) Outcome {
	if tr == nil {
		return o
	}
	// Just after its process has ended, a Pod is not ready, and Tekton says Pending once more.
	if s := tr.Status.Steps; len(s) > 0 && (s[0].Running != nil || s[0].Terminated != nil) {
		return o
	}
	c := tr.Status.GetCondition(apis.ConditionSucceeded)
	if c == nil || !c.IsUnknown() || c.Reason == tekton.TaskRunReasonRunning.String() || c.Message == "" {
		return o
	}
	o.Reason, o.Message = c.Reason, c.Message
	if strings.Contains(c.Message, "PodScheduled") || strings.Contains(c.Message, "nodes are available") {
		o.Reason = ReasonUnscheduable
	}
	return o
}

// explain puts the cause, as far as it is known, in place of Tekton's count of failed tasks.
func explain(o *Outcome, run *tekton.PipelineRun, tr *tekton.TaskRun) {
	reason := run.Status.GetCondition(apis.ConditionSucceeded).Reason
	taskReason, taskMessage := "", ""
	if tr != nil {
		if c := tr.Status.GetCondition(apis.ConditionSucceeded); c != nil {
			taskReason, taskMessage = c.Reason, c.Message
		}
	}
	terminated := func() string { // what the container runtime said of the step
		if tr != nil && len(tr.Status.Steps) > 0 && tr.Status.Steps[0].Terminated != nil {
			return tr.Status.Steps[0].Terminated.Reason
		}
		return ""
	}()
	switch {
	case reason == tekton.PipelineRunReasonCancelled.String() || taskReason == tekton.TaskRunReasonCancelled.String() && reason != tekton.PipelineRunReasonTimedOut.String():
		o.Reason, o.Message = ReasonCancelled, "the Task was terminated"
	case reason == tekton.PipelineRunReasonTimedOut.String() || taskReason == tekton.TaskRunReasonTimedOut.String():
		limit := ""
		if t := run.Spec.Timeouts; t != nil && t.Pipeline != nil {
			limit = " of " + t.Pipeline.Duration.String()
		}
		o.Reason, o.Message = ReasonTimedOut, "the Task ran longer than its timeout"+limit+": set spec.timeout to allow more"
	case taskReason == tekton.TaskRunReasonStepOOM.String() || terminated == "OOMKilled":
		o.Reason, o.Message = ReasonOutOfMemory, "the Task used more memory than its limit and was killed: raise the App's memory limit or run the Task with more memory"
	case strings.Contains(taskReason, "ImagePull"):
		o.Reason, o.Message = ReasonImagePull, "the App's image can't be pulled: "+taskMessage
	case taskReason == tekton.TaskRunReasonPodEvicted.String():
		o.Reason, o.Message = ReasonEvicted, taskMessage
	case o.ExitCode != nil && *o.ExitCode != 0:
		o.Reason, o.Message = ReasonFailed, fmt.Sprintf("the command exited with code %d", *o.ExitCode)
		if *o.ExitCode == 127 || *o.ExitCode == 126 {
			o.Message += ": it was not found, or can't be run, in the App's image"
		}
	case taskMessage != "":
		o.Reason, o.Message = taskReason, taskMessage
	}
}

func exitCode(tr *tekton.TaskRun) *int32 {
	if tr == nil {
		return nil
	}
	for _, s := range tr.Status.Steps {
		if s.Terminated != nil && s.Name == v1alpha1.UserContainer {
			code := s.Terminated.ExitCode
			return &code
		}
	}
	return nil
}

// Apply writes an outcome into the Task's status, unless the Task has ended already or the outcome is older than what
// stands there: events come in any order, and a status never goes back. The ID is the run's. fresh says that the
// outcome was read just now rather than carried by an event.
func Apply(t *v1alpha1.Task, o Outcome, id string, fresh bool, now time.Time) {
	if t.Final() {
		return
	}
	was := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded)
	if !fresh && o.Reason == ReasonPending && was != nil && was.Reason == ReasonRunning {
		return
	}
	s := &t.Status
	s.ObservedGeneration = t.Generation
	if n, err := strconv.Atoi(id); err == nil && n > 0 {
		s.ID = n
	}
	if o.Start != nil {
		s.StartTime = o.Start
	}
	if o.Succeeded != metav1.ConditionUnknown {
		s.ExitCode = o.ExitCode
		s.CompletionTime = o.End
		if s.CompletionTime == nil {
			end := metav1.NewTime(now)
			s.CompletionTime = &end
		}
		if s.StartTime != nil {
			s.Duration = &metav1.Duration{Duration: s.CompletionTime.Sub(s.StartTime.Time)}
		}
	}
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionAppReady, Status: metav1.ConditionTrue, Reason: "Found"},
		{Type: v1alpha1.ConditionPipelineRunReady, Status: o.Succeeded, Reason: o.Reason, Message: o.Message},
		{Type: v1alpha1.ConditionSucceeded, Status: o.Succeeded, Reason: o.Reason, Message: o.Message},
	} {
		c.ObservedGeneration = t.Generation
		c.LastTransitionTime = metav1.NewTime(now)
		meta.SetStatusCondition(&s.Conditions, c)
	}
}

// Fact is the event that a Task's status is worth, "" for none.
func Fact(t *v1alpha1.Task) string {
	c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case c == nil:
		return ""
	case c.Status == metav1.ConditionTrue:
		return events.TaskSucceeded
	case c.Status == metav1.ConditionFalse && c.Reason == ReasonCancelled:
		return events.TaskTerminated
	case c.Status == metav1.ConditionFalse:
		return events.TaskFailed
	case c.Reason == ReasonRunning:
		return events.TaskStarted
	}
	return ""
}
