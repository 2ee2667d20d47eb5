package story

import (
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// unseen is how long a Task may be there without a word of any function: two resyncs, and some.
const unseen = 30 * time.Second

const again = "look what it has done, and run it again: kf rerun TASK"

// advices are what to do, by a Task's reason; in them TASK, APP and SPACE stand for names. Where a message says it already, or there
// is nothing to do but to wait, a reason has none. docs/tasks.md says more.
var advices = map[string]string{
	v1alpha1.ReasonAppNotFound:           "push it: kf push APP --task",
	v1alpha1.ReasonAppHasNoImage:         "kf build-logs APP shows its build; without one: kf push APP --task",
	v1alpha1.ReasonImageNotAllowed:       "kf space SPACE shows which registries it takes images from",
	v1alpha1.ReasonPipelineRunNotCreated: "change the quota, right or policy that the message names; it is tried again by itself",
	v1alpha1.ReasonQueued:                "it starts by itself; kf queue APP shows the queue, which a higher maxRunningTasks makes shorter",
	v1alpha1.ReasonUnschedulable:         "make room, or ask for less: -m and --cpu-cores; it starts by itself when there is",
	"ExceededResourceQuota":              "raise the quota, or wait until other Tasks have ended; it starts by itself then",
	v1alpha1.ReasonServiceAccountMissing: "make the service account that the message names; it starts by itself then",
	v1alpha1.ReasonFailed:                "kf logs TASK shows what it wrote; kf rerun TASK runs it again",
	v1alpha1.ReasonTimedOut:              "give it more time: --timeout of run-task and run-job, timeout of a Job's taskTemplate",
	v1alpha1.ReasonOutOfMemory:           "give it more memory: -m of run-task and run-job, or of the App: kf push APP -m",
	v1alpha1.ReasonImagePullFailed:       "see that the image is there, and that the Space's pull secret reads it; then: kf rerun TASK",
	v1alpha1.ReasonExpired:               "run it again, with a later --expires",
	v1alpha1.ReasonEvicted:               again,
	v1alpha1.ReasonPodDeleted:            again,
	v1alpha1.ReasonDrained:               again,
	v1alpha1.ReasonNodeLost:              again + "; should the node come back, the command may have gone on there",
	v1alpha1.ReasonPreempted:             again + "; give the App a priorityClassName",
	v1alpha1.ReasonPipelineRunDeleted:    again,
	v1alpha1.ReasonPodRefused:            "change what the message names, then: kf rerun TASK",
	v1alpha1.ReasonInvalidTask:           "run a new Task without what the message names",
	v1alpha1.ReasonPipelineRunRefused:    "run a new Task without what the message names",
	v1alpha1.ReasonNameTaken:             "delete what has the name, or run it under another: kf rerun TASK",
	v1alpha1.ReasonNotItsTaskRun:         "kf rerun TASK runs it under another name",
	v1alpha1.ReasonRestored:              "if it is to run: kf rerun TASK",
	v1alpha1.ReasonSpaceTerminating:      "run it in another Space",
}

func (f Facts) advice() string {
	reason := succeeded(f.Task).Reason
	if reason == "" && f.Now.Sub(f.Task.CreationTimestamp.Time) > unseen {
		return "kf doctor says which function does not run"
	}
	return fill(advices[reason], map[string]string{
		"TASK": f.Task.Name, "APP": f.Task.Spec.AppRef.Name, "SPACE": f.Task.Namespace,
	})
}

// fill puts names in the place of the words that stand for them.
func fill(advice string, names map[string]string) string {
	var pairs []string
	for word, name := range names {
		pairs = append(pairs, word, name)
	}
	return strings.NewReplacer(pairs...).Replace(advice)
}
