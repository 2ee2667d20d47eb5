package main

import (
	"slices"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/outcome"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// Action is what start does about a Pod.
type Action string

// Actions.
const (
	Nothing Action = "nothing"
	// Permit: write the start into the Task's status, and then the label on the Pod that lets the command begin.
	Permit Action = "permit"
	// Label a Pod whose start was written before: a predecessor died in between.
	Label Action = "label"
	// NoteLoss: the Pod goes, and its command has not ended. The Task's status says why.
	NoteLoss Action = "note loss"
	// EndRun: no Pod of the run may begin any more. The Task's status says why the last one was lost.
	EndRun Action = "end run"
	// EndTaskRun: the run is gone and its TaskRun is not, for which Tekton would make one Pod after the other.
	EndTaskRun Action = "end TaskRun"
	// Remove a Pod that is left of what has ended.
	Remove Action = "remove"
)

// Decision is the Action and its reason: with NoteLoss and EndRun, why a Pod was lost.
type Decision struct {
	Action Action
	Reason string
}

// Facts are what is read of a Pod's surroundings; nil is what there is none of. Task is the one that the Pod names, Run and
// TaskRun those that own it.
type Facts struct {
	Pod     *corev1.Pod
	Task    *v1alpha1.Task
	Run     *tekton.PipelineRun
	TaskRun *tekton.TaskRun
	Node    *corev1.Node // of the last Pod that began
	Now     time.Time
}

// rules say what is to be done about a Pod. The first that applies does. A Pod that none is about waits, for its containers.
var rules = []struct {
	action Action
	reason string
	rule   func(Facts) bool
}{
	{Nothing, "TaskBeingDeleted", taskBeingDeleted},
	{EndTaskRun, "Orphan", orphanedTaskRun},
	{Remove, "Orphan", orphan},
	{NoteLoss, "", beingLost},
	{Nothing, "RunGone", runGone},
	{Nothing, "Ended", podEnded},
	{EndRun, v1alpha1.ReasonRestored, strayRun},
	{EndRun, v1alpha1.ReasonExpired, expired},
	{Remove, "LeftOver", leftOver},
	{Nothing, "Stopping", stopping},
	{EndRun, "", stuckOnItsNode},
	{Nothing, "BeingDeleted", beingDeleted},
	{Label, "StartedBefore", startedBefore},
	{Nothing, "Started", started},
	{EndRun, "", noStartLeft},
	{Permit, "Up", up},
}

// Decide says what is to be done about a Pod.
func Decide(f Facts) Decision {
	for _, r := range rules {
		if !r.rule(f) {
			continue
		}
		d := Decision{r.action, r.reason}
		if d.Reason == "" {
			d.Reason = f.lostBy()
		}
		return d
	}
	return Decision{Nothing, "Waiting"}
}

// podEnded: no container of it can start again.
func podEnded(f Facts) bool {
	return f.Pod.Status.Phase == corev1.PodSucceeded || f.Pod.Status.Phase == corev1.PodFailed
}

// taskBeingDeleted: it takes the Pod with it.
func taskBeingDeleted(f Facts) bool { return f.Task != nil && f.Task.DeletionTimestamp != nil }

// orphanedTaskRun: somebody deleted the run so that its TaskRun is left, and it is nobody's any more.
func orphanedTaskRun(f Facts) bool {
	left := f.Run == nil && f.TaskRun != nil && f.TaskRun.DeletionTimestamp == nil
	return left && !f.TaskRun.IsDone() && !f.TaskRun.IsCancelled() && nobodys(f)
}

// orphan: somebody deleted the run or the TaskRun so that the Pod is left, and it is nobody's any more.
func orphan(f Facts) bool {
	return runGone(f) && nobodys(f) && !beingDeleted(f) && !podEnded(f) && !commandEnded(f.Pod)
}

func nobodys(f Facts) bool { return f.Task == nil || f.Task.Final() || f.begun(f.Pod) < 0 }

// runGone: somebody deleted it, and status has yet to say so on the Task.
func runGone(f Facts) bool { return f.TaskRun == nil || f.Run == nil }

// strayRun: the run is not this Task's, but from a backup, or made by somebody. Its command never begins, and Tekton would make
// one Pod after the other.
func strayRun(f Facts) bool {
	return (f.Task == nil || !pipelinerun.Owned(f.Run, f.Task)) && !f.Run.IsDone() && !f.Run.IsCancelled() && f.Run.DeletionTimestamp == nil
}

// expired: the command must not begin any more, and has not; whether its Pod is up or will ever be. The run is not to make another.
func expired(f Facts) bool {
	return f.Task != nil && f.Task.Expired(f.Now) && len(f.Task.Status.Starts) == 0 && !f.Task.Spec.Terminated &&
		!f.Run.IsDone() && !f.Run.IsCancelled()
}

// leftOver: what has ended leaves no Pod that can still start, or run. A log that is being delivered is read first.
func leftOver(f Facts) bool {
	ended := f.TaskRun.IsDone() || f.Run.IsDone() || f.Task == nil || f.Task.Final()
	delivering := f.Task != nil && (f.Task.Spec.Terminated || f.Task.Status.Termination != nil) && !f.Task.Status.Termination.Finished()
	return ended && !delivering && f.Pod.DeletionTimestamp == nil && !commandEnded(f.Pod)
}

// stopping: it has ended, or is to end. What comes of it is terminate's, and Tekton's.
func stopping(f Facts) bool {
	return f.TaskRun.IsDone() || f.TaskRun.IsCancelled() || f.Run.IsDone() || f.Run.IsCancelled() ||
		f.Task == nil || f.Task.Final() || f.Task.Spec.Terminated
}

func beingDeleted(f Facts) bool { return f.Pod.DeletionTimestamp != nil }

// beingLost: the Pod goes, and the command had not ended when that began. Whether it ended well all the same is Tekton's to say.
// What Tekton stops is not lost.
func beingLost(f Facts) bool {
	if !beingDeleted(f) && !shutDown(f.Pod) || f.Task == nil || f.Task.Final() || f.Task.Spec.Terminated {
		return false
	}
	if !runGone(f) && (f.Run.IsCancelled() || f.TaskRun.IsCancelled()) {
		return false
	}
	i := f.begun(f.Pod)
	if i < 0 || f.Task.Status.Starts[i].Lost != "" {
		return false
	}
	end := end(f.Pod)
	return end == nil || !end.FinishedAt.Time.Before(goneSince(f.Pod))
}

// goneSince is when a Pod began to be taken away: by its deletion, or by its node's shutdown.
func goneSince(pod *corev1.Pod) (since time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && shutDown(pod) {
			since = c.LastTransitionTime.Time
		}
	}
	if pod.DeletionTimestamp != nil {
		since = pod.DeletionTimestamp.Time // it says when the grace period is over
		if grace := pod.DeletionGracePeriodSeconds; grace != nil {
			since = since.Add(-time.Duration(*grace) * time.Second)
		}
	}
	return since
}

// patience is how long after its grace period a Pod may take to go, before its node is taken for one that does not answer.
const patience = 30 * time.Second

func stuckOnItsNode(f Facts) bool {
	return beingDeleted(f) && f.begun(f.Pod) >= 0 && !commandEnded(f.Pod) && f.Now.Sub(f.Pod.DeletionTimestamp.Time) > patience
}

func startedBefore(f Facts) bool { return f.begun(f.Pod) >= 0 && !labelled(f.Pod) }

func started(f Facts) bool { return f.begun(f.Pod) >= 0 }

// noStartLeft: the command has begun as often as it may. Tekton has made this Pod because it lost another.
func noStartLeft(f Facts) bool { return len(f.Task.Status.Starts) > int(f.Task.Spec.Retries) }

// up: all that the command needs is there. A Pod that goes before has cost no start.
func up(f Facts) bool { return f.Pod.Status.Phase == corev1.PodRunning }

// begun is the index of the start in this Pod, -1 if there is none.
func (f Facts) begun(pod *corev1.Pod) int {
	return slices.IndexFunc(f.Task.Status.Starts, func(s v1alpha1.TaskStart) bool { return s.PodUID == pod.UID })
}

func labelled(pod *corev1.Pod) bool { return pod.Labels[v1alpha1.StartLabel] == string(pod.UID) }

// end is that of the container of the command, nil if it has not ended.
func end(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == "step-"+v1alpha1.UserContainer {
			return c.State.Terminated
		}
	}
	return nil
}

func commandEnded(pod *corev1.Pod) bool { return end(pod) != nil }

// shutDown says that its node's shutdown has ended a Pod, which nobody deletes: the kubelet makes it Failed (k8s.io/kubernetes,
// pkg/kubelet/nodeshutdown). What ended well before that is Succeeded.
func shutDown(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "Terminated"
}

// causes are the reasons of a Pod's condition DisruptionTarget (Kubernetes, "Pod disruption conditions").
var causes = map[string]string{
	"EvictionByEvictionAPI":  v1alpha1.ReasonDrained,
	"PreemptionByScheduler":  v1alpha1.ReasonPreempted,
	"TerminationByKubelet":   v1alpha1.ReasonEvicted,
	"DeletionByTaintManager": v1alpha1.ReasonNodeLost,
	"DeletionByPodGC":        v1alpha1.ReasonNodeLost,
}

// lostBy says why the last Pod that began was lost: what the Pod says, if it is there; what was noted when it went; or what its
// node says.
func (f Facts) lostBy() string {
	for _, c := range f.Pod.Status.Conditions {
		disrupted := c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue
		if cause := causes[c.Reason]; cause != "" && disrupted && (beingDeleted(f) || shutDown(f.Pod)) {
			return cause
		}
	}
	if starts := f.Task.Status.Starts; len(starts) > 0 && starts[len(starts)-1].Lost != "" {
		return starts[len(starts)-1].Lost
	}
	if !nodeAnswers(f.Node) {
		return v1alpha1.ReasonNodeLost
	}
	return v1alpha1.ReasonPodDeleted
}

func nodeAnswers(node *corev1.Node) bool {
	if node == nil {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return true
}

// Begin writes the start in a Pod into the Task's status. A Pod of the same name that began before was lost, and nobody saw how:
// for a retry of what has failed Tekton takes another name.
func Begin(t *v1alpha1.Task, pod *corev1.Pod, lostBy string, now time.Time) {
	if n := len(t.Status.Starts); n > 0 && t.Status.Starts[n-1].Lost == "" {
		Lose(t, pod.Name, lostBy)
	}
	t.Status.Starts = append(t.Status.Starts, v1alpha1.TaskStart{
		Pod: pod.Name, PodUID: pod.UID, Node: pod.Spec.NodeName, At: metav1.NewTime(now),
	})
}

// observed is what is to be said of the Task once its command has begun in the Pod.
func (f Facts) observed() outcome.Observation {
	task := f.Task.DeepCopy()
	Begin(task, f.Pod, "", f.Now)
	return outcome.Observe(outcome.Facts{Task: task, Run: f.Run, TaskRun: f.TaskRun})
}

// Lose writes into the Task's status why its last start was lost, which was in a Pod of that name: one of another name is Tekton's
// retry of what has failed.
func Lose(t *v1alpha1.Task, pod, why string) {
	if n := len(t.Status.Starts); n > 0 && t.Status.Starts[n-1].Pod == pod && !t.Final() {
		t.Status.Starts = slices.Clone(t.Status.Starts)
		t.Status.Starts[n-1].Lost = why
	}
}
