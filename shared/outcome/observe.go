// Package outcome reads what became of a Task from what there is of it: its PipelineRun, its TaskRun, and what was noted of its starts.
package outcome

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/usage"
	"github.com/kf-tasks/kf-tasks/shared/waiting"
)

// Facts are what was read of a Task whose run was made.
type Facts struct {
	Task    *v1alpha1.Task
	Run     *tekton.PipelineRun // nil if it is gone
	TaskRun *tekton.TaskRun     // nil if there is none: it has the exit code, and what a waiting Pod waits for
	// StrangeTaskRun says that Tekton took another's TaskRun for the run's.
	StrangeTaskRun bool
	// What the scheduler and the kubelet have written about the Pod, where they were Asked: Tekton does not pass it on.
	Words waiting.Words
	Asked bool
}

// Observation is what Facts say of the Task.
type Observation struct {
	Succeeded metav1.ConditionStatus // Unknown while it runs
	Reason    string
	Message   string    // for the user: what happened and what to do about it
	Vague     bool      // it waits, and Kubernetes' Events may say what for
	Ran       bool      // it has ended, and its container had been started
	ID        string    // that runtask gave it
	Made      time.Time // when its run was
	ExitCode  *int32
	Usage     *v1alpha1.Usage
	Deadline  *metav1.Time
	Start     *metav1.Time
	End       *metav1.Time
}

// asTekton is the reason where Tekton's own says it best, asNoted that where start has noted one.
const (
	asTekton = ""
	asNoted  = "as noted"
)

// unsettled is how long after an end by a signal it is not reported: where its Pod was taken away, start notes that, which may come
// a moment later than Tekton's word of the end.
const unsettled = 5 * time.Second

// starting is how long after its run was made a Task that only starts is not reported: most run by then, and that costs no more than
// the write that says so.
const starting = 5 * time.Second

// OnlyStarts says that nothing is known but that the Task starts, of one that says nothing yet.
func (o Observation) OnlyStarts(t *v1alpha1.Task) bool {
	return o.Reason == v1alpha1.ReasonPending && o.Message == "" && len(t.Status.Conditions) == 0
}

// Settled says whether what was observed of a Task is to be reported by now.
func (o Observation) Settled(t *v1alpha1.Task, now time.Time) bool {
	if o.OnlyStarts(t) && now.Sub(o.Made) < starting {
		return false
	}
	signals := []int32{128 + int32(syscall.SIGTERM), 128 + int32(syscall.SIGKILL)}
	bySignal := o.Reason == v1alpha1.ReasonFailed && o.ExitCode != nil && slices.Contains(signals, *o.ExitCode)
	return !bySignal || t.Spec.Terminated || o.End == nil || now.Sub(o.End.Time) >= unsettled
}

// rules say what is the case. The first that applies is; docs/tasks.md tells the user what to do. Before them, Tekton
// would only say how many tasks of a run failed, or that it runs while it waits.
var rules = []struct {
	succeeded metav1.ConditionStatus
	reason    string
	rule      func(situation) (message string, applies bool)
}{
	{metav1.ConditionUnknown, v1alpha1.ReasonRestored, restored},
	{metav1.ConditionFalse, v1alpha1.ReasonPipelineRunDeleted, deleted},
	{metav1.ConditionFalse, v1alpha1.ReasonNotItsTaskRun, notItsTaskRun},
	{metav1.ConditionUnknown, v1alpha1.ReasonQueued, held},
	{metav1.ConditionUnknown, v1alpha1.ReasonUnschedulable, unschedulable},
	{metav1.ConditionUnknown, v1alpha1.ReasonPending, pulling},
	{metav1.ConditionUnknown, asTekton, unstarted},
	{metav1.ConditionUnknown, v1alpha1.ReasonRunning, running},
	{metav1.ConditionUnknown, v1alpha1.ReasonPending, pending},
	{metav1.ConditionTrue, v1alpha1.ReasonSucceeded, succeeded},
	{metav1.ConditionFalse, asNoted, lost},
	{metav1.ConditionFalse, v1alpha1.ReasonFailed, failedTooOften},
	{metav1.ConditionFalse, v1alpha1.ReasonExpired, expired},
	{metav1.ConditionFalse, v1alpha1.ReasonCancelled, cancelled},
	{metav1.ConditionFalse, v1alpha1.ReasonTimedOut, timedOut},
	{metav1.ConditionFalse, v1alpha1.ReasonOutOfMemory, outOfMemory},
	{metav1.ConditionFalse, v1alpha1.ReasonImagePullFailed, imagePullFailed},
	{metav1.ConditionFalse, v1alpha1.ReasonEvicted, evicted},
	{metav1.ConditionFalse, v1alpha1.ReasonPodDeleted, neverBegan},
	{metav1.ConditionFalse, v1alpha1.ReasonFailed, initFailed},
	{metav1.ConditionFalse, v1alpha1.ReasonFailed, exitedWithAnError},
	{metav1.ConditionFalse, v1alpha1.ReasonPodRefused, podRefused},
	{metav1.ConditionFalse, asTekton, failed},
}

// situation is all that the rules look at. The conditions are nil where there is none, and Unknown then.
type situation struct {
	Facts
	deleted      bool
	run, taskRun *apis.Condition  // Succeeded, of each
	step         tekton.StepState // the container's
}

// Observe reads what became of a Task from its PipelineRun.
func Observe(seen Facts) Observation {
	s := situation{Facts: seen, deleted: seen.Run == nil}
	if s.Task == nil {
		s.Task = &v1alpha1.Task{}
	}
	if s.deleted {
		s.Run = &tekton.PipelineRun{}
	}
	s.run = s.Run.Status.GetCondition(apis.ConditionSucceeded)
	if seen.TaskRun != nil {
		s.taskRun = seen.TaskRun.Status.GetCondition(apis.ConditionSucceeded)
		steps := seen.TaskRun.Status.Steps
		if retries := seen.TaskRun.Status.RetriesStatus; len(retries) > 0 && s.usedUp() {
			steps = retries[len(retries)-1].Steps // what is there now never began
		}
		for _, step := range steps {
			if step.Name == v1alpha1.UserContainer {
				s.step = step
			}
		}
	}
	o := Observation{Start: s.Run.Status.StartTime, ID: s.Run.Labels[v1alpha1.VersionLabel], Made: s.Run.CreationTimestamp.Time}
	for _, r := range rules {
		if message, applies := r.rule(s); applies {
			o.Succeeded, o.Reason, o.Message = r.succeeded, r.reason, message
			break
		}
	}
	switch o.Reason {
	case asTekton:
		ours := o.Message
		o.Reason, o.Message = s.tekton()
		o.Message = cmp.Or(ours, o.Message)
	case asNoted:
		o.Reason = s.last().Lost
	}
	o.Vague = s.waits() && !seen.Asked &&
		(o.Reason == v1alpha1.ReasonPending && o.Message == "" || o.Reason == v1alpha1.ReasonUnschedulable)
	o.Ran = s.started() && !s.run.IsUnknown() && !s.unbegun()
	if !s.run.IsUnknown() {
		o.End = s.Run.Status.CompletionTime
		if code, returned := s.exitCode(); returned {
			o.ExitCode = &code
		}
		o.Usage = s.usage()
	}
	if limit := s.Run.Spec.Timeouts; o.Start != nil && limit != nil && limit.Pipeline != nil && limit.Pipeline.Duration > 0 &&
		(s.run.IsUnknown() || o.Reason == v1alpha1.ReasonTimedOut) {
		o.Deadline = &metav1.Time{Time: o.Start.Add(limit.Pipeline.Duration)}
	}
	return o
}

// exitCode is what the Task's process returned, if one did.
func (s situation) exitCode() (code int32, returned bool) {
	if !s.returned(s.step) || s.unbegun() {
		return 0, false
	}
	return s.step.Terminated.ExitCode, true
}

// usage is what the processes took, where the relay could say so.
func (s situation) usage() *v1alpha1.Usage {
	if s.TaskRun == nil || s.unbegun() {
		return nil
	}
	for _, r := range s.TaskRun.Status.Results {
		if r.Name == usage.Result {
			return usage.Parse(r.Value.StringVal)
		}
	}
	return nil
}

// returned says whether a step's process ran and has ended. Where none did, Tekton says 1: of a run that it ended, with the run's own
// reason; of a step that its entrypoint left out, because one before it had failed. A container that was made and could not be
// started has a reason of the kubelet's.
func (s situation) returned(step tekton.StepState) bool {
	t := step.Terminated
	return pipelinerun.Returned(t) && step.TerminationReason != skipped && !slices.Contains(neverRan, t.Reason) &&
		(t.Reason == "" || t.Reason != s.taskRun.GetReason())
}

var neverRan = []string{"StartError", "ContainerCannotRun"}

// skipped is Tekton's word for a step that was left out (TerminationReasonSkipped in its pkg/pod).
const skipped = "Skipped"

// last is the Task's last start, as it was noted.
func (s situation) last() (last v1alpha1.TaskStart) {
	if n := len(s.Task.Status.Starts); n > 0 {
		last = s.Task.Status.Starts[n-1]
	}
	return last
}

// begun says that the command was let begin in the run's Pod, as functions/start has noted: Tekton says so a moment later. A Pod that
// Tekton has yet to make, to try again, is not that one.
func (s situation) begun() bool {
	last, pod := s.last(), s.Pod()
	again := pod == "" && s.TaskRun != nil && len(s.TaskRun.Status.RetriesStatus) > 0
	return last.PodUID != "" && last.Lost == "" && (pod == "" || pod == last.Pod) && !again
}

// unbegun says that the command was let begin in no Pod (functions/start): what ended there is Tekton's entrypoint, which waited.
func (s situation) unbegun() bool { return s.Task.UID != "" && len(s.Task.Status.Starts) == 0 }

// usedUp says that the command has begun as often as it may, and that the last time it was not lost: so the run was stopped before a
// try that Tekton began for a failure.
func (s situation) usedUp() bool {
	all := len(s.Task.Status.Starts) > int(s.Task.Spec.Retries) && s.last().Lost == ""
	return all && s.run.IsFalse() && s.Run.IsCancelled() && !s.Task.Spec.Terminated
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

// restored: there is no run, for the Task is a copy of one that had its own.
func restored(s situation) (string, bool) {
	return "this is a copy of a Task, from a backup or of its YAML: what became of that is not known here, and it is not run again. " +
		"To run it again, run a new Task", s.deleted && s.Task.Restored()
}

// notItsTaskRun: Tekton takes a TaskRun of the name that it plans for its own, whosever it is.
func notItsTaskRun(s situation) (string, bool) {
	return "Tekton took a TaskRun that an earlier Task of this name had left for this Task's: nothing was run; " +
		"delete the TaskRun, or run the Task under another name", s.StrangeTaskRun && !s.run.IsUnknown()
}

// losses say how a Pod was lost.
var losses = map[string]string{
	v1alpha1.ReasonPodDeleted: "somebody deleted its Pod",
	v1alpha1.ReasonDrained:    "its node %s was to be emptied, and its Pod was evicted",
	v1alpha1.ReasonNodeLost:   "its node %s is gone, or did not answer",
	v1alpha1.ReasonPreempted:  "a Pod of a higher priority needed its room on the node %s",
	v1alpha1.ReasonEvicted:    "its node %s ran out of something, or was shut down, and evicted its Pod",
}

// lost: the command had begun, and its Pod went before it ended. It is not begun again but for a retry. That the user asked
// for the end is said first.
func lost(s situation) (string, bool) {
	why := losses[s.last().Lost]
	if strings.Contains(why, "%s") {
		why = fmt.Sprintf(why, s.last().Node)
	}
	return "the command had begun, and " + why + ": what it has done is not known, and it was not begun again; look, and run it again",
		why != "" && s.run.IsFalse() && !s.Task.Spec.Terminated && !s.timedOut()
}

// running: its command has begun. So is a run that is being cancelled, until it has ended. Tekton calls a run Running whose Pod has yet to
// start, and a container whose command has yet to begin.
func running(s situation) (string, bool) {
	reason := s.run.GetReason()
	again := reason == tekton.PipelineRunReasonRunning.String() && s.started() && !s.unbegun()
	return "", s.run.IsUnknown() && (s.begun() || again || strings.Contains(reason, "Cancel"))
}

func succeeded(s situation) (string, bool) { return "", s.run.IsTrue() }

// failedTooOften: some of its starts were lost, so that Tekton would have tried once more than it may.
func failedTooOften(s situation) (string, bool) {
	message, _ := exitedWithAnError(s)
	return cmp.Or(message, "the command failed") + ", and had begun as often as it may", s.usedUp() && len(s.Task.Status.Starts) > 1
}

// clocksApart is how far Tekton's clock may be behind that of start, whole seconds included.
const clocksApart = 5 * time.Second

// expired: start has cancelled the run, before the command had begun.
func expired(s situation) (string, bool) {
	_, isCancelled := cancelled(s)
	end := s.Run.Status.CompletionTime
	return "the Task had not started when it expired (spec.expires): nothing was run",
		isCancelled && s.unbegun() && !s.Task.Spec.Terminated && end != nil && s.Task.Expired(end.Add(clocksApart))
}

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
	if s.unbegun() {
		return "the Task's timeout" + limit + " was over before its command could begin: nothing was run", s.timedOut()
	}
	return "the Task ran longer than its timeout" + limit + ": set spec.timeout to allow more", s.timedOut()
}

func (s situation) timedOut() bool {
	return s.run.GetReason() == tekton.PipelineRunReasonTimedOut.String() || s.taskRun.GetReason() == tekton.TaskRunReasonTimedOut.String()
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

// neverBegan: its Pod went while its command waited for its turn, which Tekton takes for its end.
func neverBegan(s situation) (string, bool) {
	return "its Pod went before the command had begun: nothing was run; run it again",
		s.unbegun() && s.run.IsFalse() && pipelinerun.Returned(s.step.Terminated)
}

// initFailed: one of the App's initContainers failed, and the command was not run.
func initFailed(s situation) (string, bool) {
	if s.TaskRun == nil {
		return "", false
	}
	for _, step := range s.TaskRun.Status.Steps {
		if step.Name != v1alpha1.UserContainer && s.returned(step) && step.Terminated.ExitCode != 0 {
			return fmt.Sprintf("the command was not run: the App's initContainer %q exited with code %d",
				step.Name, step.Terminated.ExitCode), true
		}
	}
	return "", false
}

func exitedWithAnError(s situation) (string, bool) {
	code, returned := s.exitCode()
	if !returned || code == 0 {
		return "", false
	}
	message := fmt.Sprintf("the command exited with code %d", code)
	switch {
	case code == 126 || code == 127: // POSIX, 2.8.2 of the Shell Command Language
		message += ": it was not found, or can't be run, in the App's image"
	case code == 255 && !pipelinerun.TellsSignals(s.Run):
		message += ", or was ended by a signal: without a shell in the image that is not told"
	case code > 128 && code <= 128+31:
		message += fmt.Sprintf(": it was ended by signal %d (%s)", code-128, syscall.Signal(code-128))
	}
	return message, true
}

func failed(situation) (string, bool) { return "", true }
