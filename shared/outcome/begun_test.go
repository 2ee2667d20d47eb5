package outcome

import (
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// TestItRunsWhenItsCommandMayBegin: not before, though its container waits in its Pod; and at once, though Tekton has yet to see it.
func TestItRunsWhenItsCommandMayBegin(t *testing.T) {
	pending := taskRun(corev1.ConditionUnknown, "Pending", `pod status "Ready":"False"; message: "containers with unready status"`, 0, "")
	pending.Status.PodName = "p"
	waiting := taskRun(corev1.ConditionUnknown, "Running", "Not all Steps in the Task have finished executing", 0, "")
	waiting.Status.PodName = "p"
	waiting.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	retried := pending.DeepCopy()
	retried.Status.PodName = ""
	retried.Status.RetriesStatus = []tekton.TaskRunStatus{waiting.Status}
	here, lost, failed := v1alpha1.TaskStart{Pod: "p", PodUID: "u"}, v1alpha1.TaskStart{Pod: "p", PodUID: "x", Lost: "Drained"}, v1alpha1.TaskStart{Pod: "p0", PodUID: "x"}
	for name, c := range map[string]struct {
		starts  []v1alpha1.TaskStart
		taskRun *tekton.TaskRun
		want    string
	}{
		"its entrypoint waits":            {nil, waiting, v1alpha1.ReasonPending},
		"it may begin":                    {[]v1alpha1.TaskStart{here}, pending, v1alpha1.ReasonRunning},
		"and Tekton says so":              {[]v1alpha1.TaskStart{here}, waiting, v1alpha1.ReasonRunning},
		"and Tekton knows no Pod yet":     {[]v1alpha1.TaskStart{here}, nil, v1alpha1.ReasonRunning},
		"its Pod was lost":                {[]v1alpha1.TaskStart{lost}, pending, v1alpha1.ReasonPending},
		"it failed, in another Pod":       {[]v1alpha1.TaskStart{failed}, pending, v1alpha1.ReasonPending},
		"it failed, and has no other yet": {[]v1alpha1.TaskStart{here}, retried, v1alpha1.ReasonPending},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{UID: "t"}}
		task.Status.Starts = c.starts
		if o := Observe(Facts{Task: task, Run: run(corev1.ConditionUnknown, "Running"), TaskRun: c.taskRun}); o.Reason != c.want {
			t.Errorf("%s: %+v, want %s", name, o, c.want)
		}
	}
}

// TestThatATaskOnlyStartsIsSaidWhenItLasts, or once there is something to say.
func TestThatATaskOnlyStartsIsSaidWhenItLasts(t *testing.T) {
	now := time.Unix(1e9, 0)
	said := &v1alpha1.Task{}
	said.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionUnknown}}
	for name, c := range map[string]struct {
		o    Observation
		task *v1alpha1.Task
		want bool
	}{
		"just made":                   {Observation{Reason: v1alpha1.ReasonPending, Made: now.Add(-time.Second)}, &v1alpha1.Task{}, false},
		"made a while ago":            {Observation{Reason: v1alpha1.ReasonPending, Made: now.Add(-starting)}, &v1alpha1.Task{}, true},
		"waits for a Secret":          {Observation{Reason: v1alpha1.ReasonPending, Message: "no such secret", Made: now}, &v1alpha1.Task{}, true},
		"no node has room":            {Observation{Reason: v1alpha1.ReasonUnschedulable, Made: now}, &v1alpha1.Task{}, true},
		"runs":                        {Observation{Reason: v1alpha1.ReasonRunning, Made: now}, &v1alpha1.Task{}, true},
		"says what it waited for yet": {Observation{Reason: v1alpha1.ReasonPending, Made: now}, said, true},
	} {
		if got := c.o.Settled(c.task, now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
