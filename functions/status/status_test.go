package main

import (
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
)

func run(status corev1.ConditionStatus, reason string) *tekton.PipelineRun {
	r := &tekton.PipelineRun{}
	if reason != "" {
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: "Tasks Completed: 1"})
	}
	return r
}

func taskRun(status corev1.ConditionStatus, reason, message string, exit int32, terminated string) *tekton.TaskRun {
	tr := &tekton.TaskRun{}
	tr.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message})
	if terminated != "" {
		tr.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: terminated}}}}
	}
	return tr
}

func TestObserve(t *testing.T) {
	no, yes, unknown := corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown
	notReady := `pod status "Ready":"False"; message: "containers with unready status"`
	noRoom := `pod status "PodScheduled":"False"; message: "0/1 nodes are available"`
	for name, test := range map[string]struct {
		run     *tekton.PipelineRun
		taskRun *tekton.TaskRun
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"no status yet": {run("", ""), nil, "Unknown", v1alpha1.ReasonPending, ""},
		"started":       {run(unknown, "Started"), nil, "Unknown", v1alpha1.ReasonPending, ""},
		"running":       {run(unknown, "Running"), nil, "Unknown", v1alpha1.ReasonRunning, ""},
		"just after": {run(unknown, "Running"), taskRun(unknown, "Pending", notReady, 0, "Completed"),
			"Unknown", v1alpha1.ReasonRunning, ""},
		"no room": {run(unknown, "Running"), taskRun(unknown, "Pending", noRoom, 0, ""),
			"Unknown", v1alpha1.ReasonUnschedulable, "0/1 nodes"},
		"quota": {run(unknown, "Running"), taskRun(unknown, "ExceededResourceQuota", "exceeded quota: compute", 0, ""),
			"Unknown", "ExceededResourceQuota", "exceeded quota"},
		"succeeded": {run(yes, "Succeeded"), taskRun(yes, "Succeeded", "", 0, "Completed"),
			"True", v1alpha1.ReasonSucceeded, ""},
		"exit code": {run(no, "Failed"), taskRun(no, "Failed", "m", 3, "Error"),
			"False", v1alpha1.ReasonFailed, "exited with code 3"},
		"no command": {run(no, "Failed"), taskRun(no, "Failed", "m", 127, "Error"),
			"False", v1alpha1.ReasonFailed, "was not found"},
		"out of memory": {run(no, "Failed"), taskRun(no, "Failed", "m", 137, "OOMKilled"),
			"False", v1alpha1.ReasonOutOfMemory, "more memory"},
		"no image": {run(no, "Failed"), taskRun(no, "TaskRunImagePullFailed", "the step \"x\" failed to pull the image \"y\"", 0, ""),
			"False", v1alpha1.ReasonImagePullFailed, `"y"`},
		"cancelled": {run(no, "Cancelled"), taskRun(no, "TaskRunCancelled", "m", 143, "Error"),
			"False", v1alpha1.ReasonCancelled, "terminated"},
		"timeout": {run(no, "PipelineRunTimeout"), taskRun(no, "TaskRunCancelled", "m", 0, ""),
			"False", v1alpha1.ReasonTimedOut, "spec.timeout"},
		"evicted": {run(no, "Failed"), taskRun(no, "PodEvicted", "low on disk", 0, ""),
			"False", v1alpha1.ReasonEvicted, "low on disk"},
		"something else": {run(no, "Failed"), taskRun(no, "PodCreationFailed", "no such account", 0, ""),
			"False", "PodCreationFailed", "no such account"},
		"TaskRun gone": {run(no, "Failed"), nil, "False", "Failed", "Tasks Completed"},
	} {
		o := Observe(Sighting{Run: test.run, TaskRun: test.taskRun})
		if o.Succeeded != test.status || o.Reason != test.reason || !strings.Contains(o.Message, test.message) {
			t.Errorf("%s: %s %s %q, want %s %s %q", name, o.Succeeded, o.Reason, o.Message, test.status, test.reason, test.message)
		}
	}
}

// TestDeletedRun: it has taken along what became of the Task.
func TestDeletedRun(t *testing.T) {
	if o := Observe(Sighting{}); o.Reason != v1alpha1.ReasonPipelineRunDeleted || o.Succeeded != metav1.ConditionFalse {
		t.Errorf("%s %s, want an end with %s", o.Succeeded, o.Reason, v1alpha1.ReasonPipelineRunDeleted)
	}
}

func TestStatusNeverGoesBack(t *testing.T) {
	now := time.Unix(1000, 0)
	running := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonRunning}
	pending := Observation{Succeeded: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending}
	ended := Observation{Succeeded: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded}
	failed := Observation{Succeeded: metav1.ConditionFalse, Reason: v1alpha1.ReasonFailed}
	for name, test := range map[string]struct {
		seen []Observation
		want string
		fact string
	}{
		"natural order":       {[]Observation{pending, running, ended}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"backwards":           {[]Observation{ended, running, pending}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"an end stays":        {[]Observation{ended, failed}, v1alpha1.ReasonSucceeded, events.TaskSucceeded},
		"only the first":      {[]Observation{pending}, v1alpha1.ReasonPending, ""},
		"failed, then others": {[]Observation{failed, ended, running}, v1alpha1.ReasonFailed, events.TaskFailed},
	} {
		task := &v1alpha1.Task{}
		for _, o := range test.seen {
			o.ID = "5"
			Apply(task, o, now)
		}
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if c.Reason != test.want || Fact(task) != test.fact || task.Status.ID != 5 {
			t.Errorf("%s: %s, fact %q, ID %d; want %s, %q, 5", name, c.Reason, Fact(task), task.Status.ID, test.want, test.fact)
		}
	}
}
