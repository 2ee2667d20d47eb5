package outcome

import (
	"strings"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/waiting"
)

func run(status corev1.ConditionStatus, reason string) *tekton.PipelineRun {
	r := &tekton.PipelineRun{}
	if reason != "" {
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: "Tasks Completed: 1"})
	}
	return r
}

func heldIn(queue string) *tekton.PipelineRun {
	r := run(corev1.ConditionUnknown, "PipelineRunPending")
	r.Spec.Status = tekton.PipelineRunSpecStatusPending
	if queue != "" {
		r.Labels = map[string]string{v1alpha1.KueueLabel: queue}
	}
	return r
}

func taskRun(status corev1.ConditionStatus, reason, message string, exit int32, terminated string) *tekton.TaskRun {
	tr := &tekton.TaskRun{}
	tr.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason, Message: message})
	if terminated != "" {
		tr.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: terminated, ContainerID: "containerd://1"}}}}
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
		"no status yet":  {run("", ""), nil, "Unknown", v1alpha1.ReasonPending, ""},
		"started":        {run(unknown, "Started"), nil, "Unknown", v1alpha1.ReasonPending, ""},
		"held by Kueue":  {heldIn("q"), nil, "Unknown", v1alpha1.ReasonQueued, "in the queue q"},
		"held":           {heldIn(""), nil, "Unknown", v1alpha1.ReasonQueued, "PipelineRunPending"},
		"no TaskRun yet": {run(unknown, "Running"), nil, "Unknown", v1alpha1.ReasonPending, ""},
		"no Pod yet": {run(unknown, "Running"), taskRun(unknown, "Pending", notReady, 0, ""),
			"Unknown", v1alpha1.ReasonPending, ""},
		"running": {run(unknown, "Running"), ran(taskRun(unknown, "Running", "Not all Steps in the Task have finished executing", 0, "")),
			"Unknown", v1alpha1.ReasonRunning, ""},
		"pulling": {run(unknown, "Running"), taskRun(unknown, "PullImageFailed",
			`build step "step-user-container" is pending with reason "Back-off pulling image \"r/x:1\": ErrImagePull: r/x:1: not found"`, 0, ""),
			"Unknown", v1alpha1.ReasonPending, "tried again: r/x:1: not found"},
		"a resource is short": {run(unknown, "Running"), taskRun(unknown, "ExceededNodeResources", "TaskRun Pod exceeded available resources", 0, ""),
			"Unknown", v1alpha1.ReasonUnschedulable, "exceeded available resources"},
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
		"something else": {run(no, "Failed"), taskRun(no, "TaskRunResolutionFailed", "no such thing", 0, ""),
			"False", "TaskRunResolutionFailed", "no such thing"},
		"refused": {run(no, "Failed"), taskRun(no, "PodCreationFailed",
			`failed to create task run pod "t": pods "t-pod" is forbidden: maximum memory usage per Container is 1Gi. Maybe invalid TaskSpec`, 0, ""),
			"False", v1alpha1.ReasonPodRefused, `pods "t-pod" is forbidden: maximum memory usage per Container is 1Gi: change the App`},
		"refused for Tekton's own": {run(no, "Failed"), taskRun(no, "PodCreationFailed",
			`failed to create task run pod "t": pods "t-pod" is forbidden: failed quota: q: must specify limits.memory for: place-scripts,prepare`, 0, ""),
			"False", v1alpha1.ReasonPodRefused, "default-container-resource-requirements"},
		"not restricted": {run(no, "Failed"), taskRun(no, "PodAdmissionFailed",
			`pods "t-pod" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (container "step-user-container" must not)`, 0, ""),
			"False", v1alpha1.ReasonPodRefused, "securityContext"},
		"TaskRun gone": {run(no, "Failed"), nil, "False", "Failed", "Tasks Completed"},
	} {
		o := Observe(Facts{Run: test.run, TaskRun: test.taskRun})
		if o.Succeeded != test.status || o.Reason != test.reason || !strings.Contains(o.Message, test.message) {
			t.Errorf("%s: %s %s %q, want %s %s %q", name, o.Succeeded, o.Reason, o.Message, test.status, test.reason, test.message)
		}
	}
}

func ran(tr *tekton.TaskRun) *tekton.TaskRun {
	tr.Status.Steps = []tekton.StepState{{Name: v1alpha1.UserContainer, ContainerState: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	return tr
}

// TestWhatAPodWaitsFor: Tekton says that it starts, and the kubelet or the scheduler what for. Who was not asked knows no better
// than what is there.
func TestWhatAPodWaitsFor(t *testing.T) {
	event := func(pod, reason, message string, at int64) *corev1.Event {
		return &corev1.Event{InvolvedObject: corev1.ObjectReference{Name: pod}, Reason: reason, Message: message, LastTimestamp: metav1.Unix(at, 0)}
	}
	words := waiting.Latest([]*corev1.Event{
		event("p", "FailedMount", `MountVolume.SetUp failed for volume "kf-awaited" : secret "db" not found`, 2),
		event("p", "FailedMount", `MountVolume.SetUp failed for volume "kf-awaited" : secret "older" not found`, 1),
		event("p", "FailedScheduling", "0/1 nodes are available: 1 Insufficient memory.", 1), event("q", "FailedMount", "another's", 3),
		event("p", "Unhealthy", "of no account", 4),
	})
	unknown := corev1.ConditionUnknown
	creating := taskRun(unknown, "Pending", `pod status "Ready":"False"; message: "containers with unready status: [step-user-container]"`, 0, "")
	short := taskRun(unknown, "ExceededNodeResources", "TaskRun Pod exceeded available resources", 0, "")
	for want, seen := range map[string]Facts{
		`Pending its container can't be started yet, and is tried again: secret "db" not found`: {TaskRun: creating},
		"Unschedulable 0/1 nodes are available: 1 Insufficient memory.":                         {TaskRun: short},
	} {
		seen.Run = run(unknown, "Running")
		vague := Observe(seen)
		seen.Asked, seen.Words = true, words["p"]
		o := Observe(seen)
		if got := o.Reason + " " + o.Message; got != want || !vague.Vague || o.Vague || vague.Reason != o.Reason {
			t.Errorf("%q (vague %t, before %t), want %q", got, o.Vague, vague.Vague, want)
		}
	}
}

// TestLostPods: each way to lose one has a reason of its own, unless the user asked for the end, or the command came to it.
func TestLostPods(t *testing.T) {
	no, yes := corev1.ConditionFalse, corev1.ConditionTrue
	begun := func(lost string) *v1alpha1.Task {
		task := &v1alpha1.Task{}
		task.Status.Starts = []v1alpha1.TaskStart{{Pod: "p", PodUID: "u", Node: "n1", Lost: lost}}
		return task
	}
	terminated := begun(v1alpha1.ReasonPodDeleted)
	terminated.Spec.Terminated = true
	unbegun := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
	twice := begun(v1alpha1.ReasonPodDeleted)
	twice.Spec.Retries, twice.Status.Starts = 1, append(twice.Status.Starts, v1alpha1.TaskStart{Pod: "p", PodUID: "v"})
	stopped := run(no, "Cancelled")
	stopped.Spec.Status = tekton.PipelineRunSpecStatusCancelled
	retried := taskRun(no, "TaskRunCancelled", "", 0, "")
	retried.Status.RetriesStatus = []tekton.TaskRunStatus{taskRun(no, "Failed", "m", 3, "Error").Status}
	for name, test := range map[string]struct {
		task    *v1alpha1.Task
		run     *tekton.PipelineRun
		taskRun *tekton.TaskRun
		reason  string
		message string
	}{
		"deleted":                      {begun(v1alpha1.ReasonPodDeleted), run(no, "Cancelled"), taskRun(no, "TaskRunCancelled", "", 0, ""), "PodDeleted", "deleted its Pod"},
		"drained":                      {begun(v1alpha1.ReasonDrained), run(no, "Failed"), taskRun(no, "Failed", "m", 143, "Error"), "Drained", "node n1 was to be emptied"},
		"node lost":                    {begun(v1alpha1.ReasonNodeLost), run(no, "Cancelled"), nil, "NodeLost", "node n1 is gone"},
		"preempted":                    {begun(v1alpha1.ReasonPreempted), run(no, "Failed"), taskRun(no, "Failed", "m", 137, "Error"), "Preempted", "higher priority"},
		"ended by itself as it went":   {begun(v1alpha1.ReasonPodDeleted), run(yes, "Succeeded"), taskRun(yes, "Succeeded", "", 0, "Completed"), "Succeeded", ""},
		"terminated, then lost":        {terminated, run(no, "Cancelled"), taskRun(no, "TaskRunCancelled", "", 0, ""), "TaskRunCancelled", "terminated"},
		"the limit came first":         {begun(v1alpha1.ReasonPodDeleted), run(no, "PipelineRunTimeout"), nil, "TimedOut", "timeout"},
		"gone before it had begun":     {unbegun, run(no, "Failed"), taskRun(no, "Failed", "m", 2, "Error"), "PodDeleted", "nothing was run"},
		"failed, and used up":          {twice, stopped, retried, "Failed", "code 3, and had begun as often as it may"},
		"the start after was not lost": {begun(""), run(no, "Failed"), taskRun(no, "Failed", "m", 3, "Error"), "Failed", "code 3"},
	} {
		o := Observe(Facts{Task: test.task, Run: test.run, TaskRun: test.taskRun})
		if o.Reason != test.reason || !strings.Contains(o.Message, test.message) {
			t.Errorf("%s: %s %q, want %s %q", name, o.Reason, o.Message, test.reason, test.message)
		}
		if test.task == unbegun && (o.ExitCode != nil || o.Ran) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// TestAnExitCodeIsAProcesss: Tekton says of what it stops that it ended with 1, what had never begun too.
func TestAnExitCodeIsAProcesss(t *testing.T) {
	stopped := taskRun(corev1.ConditionFalse, "TaskRunCancelled", "", 1, "TaskRunCancelled")
	stopped.Status.Steps[0].Terminated.ContainerID = ""
	if o := Observe(Facts{Run: run(corev1.ConditionFalse, "Cancelled"), TaskRun: stopped}); o.ExitCode != nil {
		t.Errorf("exit code %d of what returned none", *o.ExitCode)
	}
	returned := taskRun(corev1.ConditionFalse, "Failed", "", 1, "Error")
	if o := Observe(Facts{Run: run(corev1.ConditionFalse, "Failed"), TaskRun: returned}); o.ExitCode == nil || *o.ExitCode != 1 {
		t.Errorf("exit code %v, want the process's 1", o.ExitCode)
	}
}

// TestALimitStandsUntilItIsOfNoAccount: terminate finds by it whose log to open.
func TestALimitStandsUntilItIsOfNoAccount(t *testing.T) {
	began := metav1.NewTime(time.Unix(1000, 0))
	for reason, want := range map[string]bool{"Running": true, "PipelineRunTimeout": true, "Succeeded": false, "Cancelled": false} {
		status := map[string]corev1.ConditionStatus{"Running": corev1.ConditionUnknown, "Succeeded": corev1.ConditionTrue}[reason]
		if status == "" {
			status = corev1.ConditionFalse
		}
		r := run(status, reason)
		r.Status.StartTime = &began
		r.Spec.Timeouts = &tekton.TimeoutFields{Pipeline: &metav1.Duration{Duration: time.Hour}}
		if o := Observe(Facts{Run: r}); (o.Deadline != nil) != want {
			t.Errorf("%s: limit %v", reason, o.Deadline)
		}
	}
}

// TestDeletedRun: it has taken along what became of the Task.
func TestDeletedRun(t *testing.T) {
	if o := Observe(Facts{}); o.Reason != v1alpha1.ReasonPipelineRunDeleted || o.Succeeded != metav1.ConditionFalse {
		t.Errorf("%s %s, want an end with %s", o.Succeeded, o.Reason, v1alpha1.ReasonPipelineRunDeleted)
	}
}

// TestAnEndByASignalIsToldWhenItIsSettled: by then start has noted it, if the Pod was taken away.
func TestAnEndByASignalIsToldWhenItIsSettled(t *testing.T) {
	end := metav1.Unix(100, 0)
	for name, test := range map[string]struct {
		code       int32
		terminated bool
		after      time.Duration
		settled    bool
	}{
		"terminated by the kubelet, just now": {143, false, time.Second, false},
		"killed, just now":                    {137, false, time.Second, false},
		"killed, a while ago":                 {137, false, 6 * time.Second, true},
		"the user asked for it":               {143, true, 0, true},
		"it failed":                           {3, false, 0, true},
	} {
		task := &v1alpha1.Task{Spec: v1alpha1.TaskSpec{Terminated: test.terminated}}
		o := Observation{Reason: v1alpha1.ReasonFailed, ExitCode: &test.code, End: &end}
		if got := o.Settled(task, end.Add(test.after)); got != test.settled {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestWhatExpiredHasNotBeenTerminated: start has cancelled its run, before the command had begun.
func TestWhatExpiredHasNotBeenTerminated(t *testing.T) {
	at := metav1.NewTime(time.Unix(1e9, 0))
	for name, test := range map[string]struct {
		change func(*v1alpha1.Task)
		want   string
	}{
		"expired":            {func(*v1alpha1.Task) {}, v1alpha1.ReasonExpired},
		"asked to stop":      {func(t *v1alpha1.Task) { t.Spec.Terminated = true }, v1alpha1.ReasonCancelled},
		"cancelled before":   {func(t *v1alpha1.Task) { t.Spec.Expires = &metav1.Time{Time: at.Add(time.Minute)} }, v1alpha1.ReasonCancelled},
		"it had begun":       {func(t *v1alpha1.Task) { t.Status.Starts = []v1alpha1.TaskStart{{}} }, v1alpha1.ReasonCancelled},
		"it does not expire": {func(t *v1alpha1.Task) { t.Spec.Expires = nil }, v1alpha1.ReasonCancelled},
	} {
		task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
		task.Spec.Expires = &at
		test.change(task)
		r := run(corev1.ConditionFalse, "Cancelled")
		r.Status.CompletionTime = &at
		if o := Observe(Facts{Task: task, Run: r}); o.Reason != test.want || o.Succeeded != metav1.ConditionFalse {
			t.Errorf("%s: %s %s, want %s", name, o.Reason, o.Message, test.want)
		}
	}
}
