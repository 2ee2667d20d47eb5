package main

import (
	"fmt"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Sighting is the PipelineRun of a Task that had one, as it was read.
type Sighting struct {
	Run     *tekton.PipelineRun // nil if it is gone
	TaskRun *tekton.TaskRun     // nil if there is none, or it was not read: it has the exit code, and what a waiting Pod waits for
}

// Observation is what a Sighting says of the Task.
type Observation struct {
	Succeeded metav1.ConditionStatus // Unknown while it runs
	Reason    string
	Message   string // for the user: what happened and what to do about it
	ID        string // that runtask gave it
	ExitCode  *int32
	Start     *metav1.Time
	End       *metav1.Time
}

// asTekton is the reason where Tekton's own says it best.
const asTekton = ""

// rules say what is the case. The first that applies is; docs/tasks.md tells the user what to do. Before them, Tekton
// would only say how many tasks of a run failed, or that it runs while it waits.
var rules = []struct {
	succeeded metav1.ConditionStatus
	reason    string
	rule      func(situation) (message string, applies bool)
}{
	{metav1.ConditionFalse, v1alpha1.ReasonPipelineRunDeleted, deleted},
	{metav1.ConditionUnknown, v1alpha1.ReasonUnschedulable, unschedulable},
	{metav1.ConditionUnknown, asTekton, waiting},
	{metav1.ConditionUnknown, v1alpha1.ReasonRunning, running},
	{metav1.ConditionUnknown, v1alpha1.ReasonPending, pending},
	{metav1.ConditionTrue, v1alpha1.ReasonSucceeded, succeeded},
	{metav1.ConditionFalse, v1alpha1.ReasonCancelled, cancelled},
	{metav1.ConditionFalse, v1alpha1.ReasonTimedOut, timedOut},
	{metav1.ConditionFalse, v1alpha1.ReasonOutOfMemory, outOfMemory},
	{metav1.ConditionFalse, v1alpha1.ReasonImagePullFailed, imagePullFailed},
	{metav1.ConditionFalse, v1alpha1.ReasonEvicted, evicted},
	{metav1.ConditionFalse, v1alpha1.ReasonFailed, exitedWithAnError},
	{metav1.ConditionFalse, asTekton, failed},
}

// situation is all that the rules look at. The conditions are nil where there is none, and Unknown then.
type situation struct {
	Sighting
	deleted      bool
	run, taskRun *apis.Condition  // Succeeded, of each
	step         tekton.StepState // the container's
}

// Observe reads what became of a Task from its PipelineRun.
func Observe(seen Sighting) Observation {
	s := situation{Sighting: seen, deleted: seen.Run == nil}
	if s.deleted {
		s.Run = &tekton.PipelineRun{}
	}
	s.run = s.Run.Status.GetCondition(apis.ConditionSucceeded)
	if seen.TaskRun != nil {
		s.taskRun = seen.TaskRun.Status.GetCondition(apis.ConditionSucceeded)
		for _, step := range seen.TaskRun.Status.Steps {
			if step.Name == v1alpha1.UserContainer {
				s.step = step
			}
		}
	}
	o := Observation{Start: s.Run.Status.StartTime, ID: s.Run.Labels[v1alpha1.VersionLabel]}
	for _, r := range rules {
		if message, applies := r.rule(s); applies {
			o.Succeeded, o.Reason, o.Message = r.succeeded, r.reason, message
			break
		}
	}
	if o.Reason == asTekton {
		o.Reason, o.Message = s.tekton()
	}
	if !s.run.IsUnknown() {
		o.End = s.Run.Status.CompletionTime
		if t := s.step.Terminated; t != nil {
			o.ExitCode = &t.ExitCode
		}
	}
	return o
}

// tekton is Tekton's word: the TaskRun's if it gave one, for it is nearer to the cause.
func (s situation) tekton() (reason, message string) {
	if s.taskRun.GetMessage() != "" {
		return s.taskRun.GetReason(), s.taskRun.GetMessage()
	}
	return s.run.GetReason(), s.run.GetMessage()
}

func deleted(s situation) (string, bool) {
	return "somebody deleted the Task's PipelineRun before its end was seen: what the Task has done is not known; " +
		"look, and run it again", s.deleted
}

func unschedulable(s situation) (string, bool) {
	said, is := waiting(s)
	return said, is && (strings.Contains(said, "PodScheduled") || strings.Contains(said, "nodes are available"))
}

// waiting: the container has not started, and Tekton says why. Just after the process has ended, a Pod is not ready, and
// Tekton says Pending once more: that is not meant.
func waiting(s situation) (string, bool) {
	started := s.step.Running != nil || s.step.Terminated != nil
	return s.taskRun.GetMessage(), s.run.IsUnknown() && s.taskRun.IsUnknown() && !started &&
		s.taskRun.GetReason() != tekton.TaskRunReasonRunning.String() && s.taskRun.GetMessage() != ""
}

// running: so is a run that is being cancelled, until it has ended.
func running(s situation) (string, bool) {
	reason := s.run.GetReason()
	return "", s.run.IsUnknown() && (reason == tekton.PipelineRunReasonRunning.String() || strings.Contains(reason, "Cancel"))
}

func pending(s situation) (string, bool) { return "", s.run.IsUnknown() }

func succeeded(s situation) (string, bool) { return "", s.run.IsTrue() }

// cancelled: a run that times out cancels its TaskRun too.
func cancelled(s situation) (string, bool) {
	return "the Task was terminated", s.run.GetReason() == tekton.PipelineRunReasonCancelled.String() ||
		s.taskRun.GetReason() == tekton.TaskRunReasonCancelled.String() && s.run.GetReason() != tekton.PipelineRunReasonTimedOut.String()
}

func timedOut(s situation) (string, bool) {
	limit := ""
	if t := s.Run.Spec.Timeouts; t != nil && t.Pipeline != nil {
		limit = " of " + t.Pipeline.Duration.String()
	}
	return "the Task ran longer than its timeout" + limit + ": set spec.timeout to allow more",
		s.run.GetReason() == tekton.PipelineRunReasonTimedOut.String() || s.taskRun.GetReason() == tekton.TaskRunReasonTimedOut.String()
}

func outOfMemory(s situation) (string, bool) {
	return "the Task used more memory than its limit and was killed: raise the App's memory limit or run the Task with more memory",
		s.taskRun.GetReason() == tekton.TaskRunReasonStepOOM.String() || s.step.Terminated != nil && s.step.Terminated.Reason == "OOMKilled"
}

func imagePullFailed(s situation) (string, bool) {
	return "the App's image can't be pulled: " + s.taskRun.GetMessage(), strings.Contains(s.taskRun.GetReason(), "ImagePull")
}

func evicted(s situation) (string, bool) {
	return s.taskRun.GetMessage(), s.taskRun.GetReason() == tekton.TaskRunReasonPodEvicted.String()
}

func exitedWithAnError(s situation) (string, bool) {
	if s.step.Terminated == nil || s.step.Terminated.ExitCode == 0 {
		return "", false
	}
	code := s.step.Terminated.ExitCode
	message := fmt.Sprintf("the command exited with code %d", code)
	if code == 126 || code == 127 { // POSIX, 2.8.2 of the Shell Command Language
		message += ": it was not found, or can't be run, in the App's image"
	}
	return message, true
}

func failed(situation) (string, bool) { return "", true }
