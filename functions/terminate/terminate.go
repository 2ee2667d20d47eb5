package main

import (
	"fmt"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/delivery"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// Facts are what a Task's next step is decided from.
type Facts struct {
	Task *v1alpha1.Task
	Run  *tekton.PipelineRun // that has the Task's name, nil if there is none
	Me   string              // the instance that asks
	Now  time.Time
}

// Action is what terminate does with a Task.
type Action string

const (
	Nothing Action = "nothing"
	// Leave it to another instance that is at it now.
	Leave Action = "leave"
	// Wait for the PipelineRun of a deleted Task of the same name to go.
	Wait Action = "wait"
	// CreateCancelled makes a PipelineRun that never starts. It takes the name, so that nothing can be started under it.
	CreateCancelled Action = "create cancelled"
	// Finish what needs no log to be delivered, with the Decision's Log and Message.
	Finish Action = "finish"
	// Deliver the log and cancel the PipelineRun, in the order that loses nothing.
	Deliver Action = "deliver"
)

// Decision is the Action, and with Finish what to record.
type Decision struct {
	Action  Action
	Log     v1alpha1.LogDelivery
	Message string
}

// A rule decides what it applies to.
type rule func(Facts) (d Decision, applies bool)

// rules in order: each is asked about what those before it have left, so that a rule about the run has one, and a record
// of a termination is of one that an instance has begun. What none applies to runs, and is to be stopped.
var rules = []rule{
	notToStop,
	finishedBefore,
	beingDeleted,
	goesOnToItsLimit,
	heldByAnother,
	runDeletedMeanwhile,
	endedAndRunDeleted,
	noRunYet,
	runOfAnEarlierTask,
	runOfSomebodyElse,
	neverStarted,
	endedByItself,
}

// Decide says what is to be done with a Task.
func Decide(f Facts) Decision {
	for _, r := range rules {
		if d, applies := r(f); applies {
			return d
		}
	}
	return Decision{Action: Deliver, Message: "the Task is to be stopped"}
}

func notToStop(f Facts) (Decision, bool) {
	return Decision{Action: Nothing, Message: "the Task is not to stop"}, !f.Task.Stopping(f.Now)
}

func finishedBefore(f Facts) (Decision, bool) {
	return Decision{Action: Nothing, Message: "all is done"}, f.Task.Status.Termination.Finished()
}

func beingDeleted(f Facts) (Decision, bool) {
	return Decision{Action: Nothing, Message: "the Task is being deleted"}, f.Task.DeletionTimestamp != nil
}

// goesOnToItsLimit: nothing is there yet that a limit could end, or it has ended before it and keeps its log.
func goesOnToItsLimit(f Facts) (Decision, bool) {
	theirs := f.Run == nil || !pipelinerun.Owned(f.Run, f.Task)
	return Decision{Action: Nothing, Message: "the Task's limit ends nothing"},
		!f.Task.Spec.Terminated && f.Task.Status.Termination == nil && (theirs || f.Run.IsDone() && !pipelinerun.TimedOut(f.Run))
}

func heldByAnother(f Facts) (Decision, bool) {
	return Decision{Action: Leave, Message: "another instance is delivering the log"}, !delivery.Acquirable(f.Task, f.Me, f.Now)
}

func runDeletedMeanwhile(f Facts) (Decision, bool) {
	why := "the PipelineRun was deleted while the Task was being stopped: " + delivery.ProgressOf(f.Task.Status.Termination).Lost()
	return Decision{Action: Finish, Log: v1alpha1.LogIncomplete, Message: why}, f.Run == nil && f.Task.Status.Termination != nil
}

func endedAndRunDeleted(f Facts) (Decision, bool) {
	return nothingToDeliver("the Task had ended before it was asked to stop"), f.Run == nil && f.Task.Final()
}

func noRunYet(f Facts) (Decision, bool) {
	return Decision{Action: CreateCancelled, Message: "the Task has no PipelineRun"}, f.Run == nil
}

func runOfAnEarlierTask(f Facts) (Decision, bool) {
	return Decision{Action: Wait, Message: "the PipelineRun of an earlier Task of this name is still there"},
		!pipelinerun.Owned(f.Run, f.Task) && pipelinerun.TaskOf(f.Run) != ""
}

func runOfSomebodyElse(f Facts) (Decision, bool) {
	return nothingToDeliver("the Task had not started: a PipelineRun that is not its own has its name"), !pipelinerun.Owned(f.Run, f.Task)
}

func neverStarted(f Facts) (Decision, bool) {
	return nothingToDeliver("the Task had not started, and will not"), pipelinerun.NeverStarted(f.Run)
}

func endedByItself(f Facts) (Decision, bool) {
	why := fmt.Sprintf("the Task had ended by itself (%s) before it was asked to stop: its Pod and its log stay", pipelinerun.Reason(f.Run))
	return nothingToDeliver(why), f.Run.IsDone() && f.Task.Status.Termination == nil && !pipelinerun.Stopped(f.Run)
}

func nothingToDeliver(why string) Decision {
	return Decision{Action: Finish, Log: v1alpha1.LogNone, Message: why}
}
