package story

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// at is a time of the day of the tests, a Monday.
func at(clock string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", "2026-03-02 "+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func stampOf(clock string) metav1.Time { return metav1.NewTime(at(clock)) }

func when(clock string) *metav1.Time { t := stampOf(clock); return &t }

// now is when each story is told.
const now = "13:00:00"

// task is one that was made at noon.
func task(edits ...func(*v1alpha1.Task)) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "shop-1", Namespace: "space", UID: "task", CreationTimestamp: stampOf("12:00:00")}}
	t.Spec.AppRef.Name = "shop"
	for _, edit := range edits {
		edit(t)
	}
	return t
}

// facts are of a Task of an App that is there; there are Events, so that nobody misses them.
func facts(t *v1alpha1.Task, edits ...func(*Facts)) Facts {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	f := Facts{Task: t, App: app, Unread: Unread{}, Now: at(now), Events: []*corev1.Event{anEvent("Pod", "other", "Unseen", "", "11:00:00", 1)}}
	for _, edit := range edits {
		edit(&f)
	}
	return f
}

func anEvent(kind, name, reason, message, clock string, count int32) *corev1.Event {
	e := &corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name}, Type: corev1.EventTypeWarning, Reason: reason,
		Message: message, Count: count, FirstTimestamp: stampOf(clock), LastTimestamp: stampOf(clock)}
	e.Source.Component = "kubelet"
	return e
}

// is sets the condition Succeeded, and the end if it is one.
func is(status metav1.ConditionStatus, reason, message, clock string) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		v1alpha1.SetCondition(t, &t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSucceeded, Status: status, Reason: reason,
			Message: message}, at(clock))
		if status != metav1.ConditionUnknown {
			t.Status.CompletionTime = when(clock)
		}
	}
}

func failed(reason, message string) func(*v1alpha1.Task) {
	return is("False", reason, message, "12:00:09")
}
func waits(reason, message string) func(*v1alpha1.Task) {
	return is("Unknown", reason, message, "12:00:01")
}

func exit(code int32) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) { t.Status.ExitCode = &code }
}

func annotated(key, value string) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) { metav1.SetMetaDataAnnotation(&t.ObjectMeta, key, value) }
}

func madeBy(manager string) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		t.ManagedFields = append(t.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager,
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:appRef":{"f:name":{}},"f:terminated":{}}}`)})
	}
}

// ofJob makes it a Task of the Job nightly.
func ofJob(name string) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		t.Name, t.Labels = name, map[string]string{v1alpha1.TaskScheduleLabel: "nightly"}
		t.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(aJob("0 * * * *"), v1alpha1.GroupVersion.WithKind("TaskSchedule"))}
	}
}

func handled(t *v1alpha1.Task) {
	t.Labels = map[string]string{v1alpha1.HandledLabel: string(t.UID), v1alpha1.VersionLabel: "7"}
	t.Status.ID, t.Status.StartTime = 7, when("12:00:02")
}

func start(clock, lost string) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		t.Status.Starts = append(t.Status.Starts, v1alpha1.TaskStart{Pod: "shop-1-pod", PodUID: "pod", Node: "node-1", At: stampOf(clock), Lost: lost})
	}
}

// run adds the PipelineRun, made at a time.
func run(clock string) func(*Facts) {
	return func(f *Facts) {
		f.Run = &Run{ObjectMeta: metav1.ObjectMeta{Name: f.Task.Name, UID: "run", CreationTimestamp: stampOf(clock)}}
	}
}

// pod adds the Pod with a container in a state.
func pod(state corev1.ContainerState) func(*Facts) {
	return func(f *Facts) {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "shop-1-pod", UID: "pod", CreationTimestamp: stampOf("12:00:03")}}
		p.Spec.NodeName = "node-1"
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: stampOf("12:00:04")}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: stepContainer, State: state}}
		f.Pod = p
	}
}

func over(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason,
		StartedAt: stampOf("12:00:05"), FinishedAt: stampOf("12:00:08")}}
}

func withEvents(e ...*corev1.Event) func(*Facts) { return func(f *Facts) { f.Events = e } }

func unread(p Part, why string) func(*Facts) { return func(f *Facts) { f.Unread[p] = why } }

func appIs(condition, reason, message string, status metav1.ConditionStatus, clock string) func(*Facts) {
	return func(f *Facts) {
		f.App.Status.Conditions = append(f.App.Status.Conditions, metav1.Condition{Type: condition, Status: status, Reason: reason,
			Message: message, LastTransitionTime: stampOf(clock)})
	}
}

func terminated(end *v1alpha1.Termination) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) { t.Spec.Terminated, t.Status.Termination = true, end }
}

// rows are a story as it reads, in short: the first row is what became of it.
func rows(s Story) string {
	all := []string{s.Outcome}
	for _, l := range s.Lines {
		clock := "now"
		if !l.At.IsZero() {
			clock = l.At.UTC().Format("15:04:05")
		}
		all = append(all, clock+" "+l.What)
	}
	for _, u := range s.Unknown {
		all = append(all, "? "+u)
	}
	if s.Do != "" {
		all = append(all, "! "+s.Do)
	}
	return strings.Join(all, "\n") + "\n"
}

func TestOfTask(t *testing.T) {
	byHand := "12:00:00 asked for directly; made by the client kf\n"
	for name, test := range map[string]struct {
		facts Facts
		want  string
	}{
		"a run by hand": {
			facts(task(madeBy("kf"), handled, start("12:00:06", ""), is("True", "Succeeded", "", "12:00:09"), exit(0)),
				run("12:00:01"), pod(over(0, "Completed")), withEvents(
					&corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "shop-1-pod", UID: "pod"}, Reason: "Pulled", Message: "in 2s",
						FirstTimestamp: stampOf("12:00:05"), LastTimestamp: stampOf("12:00:05")},
					anEvent("PipelineRun", "shop-1", "Failed", "Tasks Completed: 1", "12:00:09", 1))),
			"Succeeded, exit code 0\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:03 Pod shop-1-pod was made
12:00:04 it was scheduled onto node node-1
12:00:05 its container was started
12:00:05 Pod shop-1-pod: Pulled: in 2s
12:00:06 the command was let begin in Pod shop-1-pod on node node-1
12:00:08 its container ended: Completed, with code 0
12:00:09 it ended: Succeeded, exit code 0
`},
		"of a command event, and because of another": {
			facts(task(madeBy("kf-tasks"), annotated(v1alpha1.EventAnnotation, "/billing 2026-11"), annotated(v1alpha1.ChainAnnotation, "shop/jobs/a shop/apps/b"),
				func(t *v1alpha1.Task) { t.Spec.RequestedBy = "system:serviceaccount:space:billing" }, waits("Running", ""))),
			"Running\n12:00:00 asked for by the event 2026-11 of /billing, sent by system:serviceaccount:space:billing; " +
				"because of shop/jobs/a, then shop/apps/b\nnow it runs\n"},
		"of a Webhook, as a run of a Job": {
			facts(task(ofJob("nightly-x"), annotated(v1alpha1.EventAnnotation, "/apis/kf.dev/v1alpha1/namespaces/space/webhooks/push d-1"), waits("Running", ""))),
			"Running\n12:00:00 asked for by the delivery d-1 of Webhook push, as a run of Job nightly\nnow it runs\n"},
		"of a request that waits": {
			facts(task(annotated(v1alpha1.EventAnnotation, "/namespaces/space/apps/shop/tasks k1"), waits("Running", ""))),
			"Running\n12:00:00 asked for by the request with the key k1 at /namespaces/space/apps/shop/tasks\nnow it runs\n"},
		"run-job": {
			facts(task(ofJob("nightly-abc"), madeBy("kf"), waits("Running", ""))),
			"Running\n12:00:00 asked for directly, as a run of Job nightly; made by the client kf\nnow it runs\n"},
		"stopped before it came": {
			facts(task(annotated(v1alpha1.EventAnnotation, "/b 1"), annotated(v1alpha1.StoppedFirstAnnotation, "/b 2"),
				terminated(&v1alpha1.Termination{RequestedAt: stampOf("12:00:01"), Log: v1alpha1.LogNone}), failed(v1alpha1.ReasonCancelled, "the Task was terminated"))),
			"TaskRunCancelled\n12:00:00 made by the event 2 of /b: it asks to stop the run of the event 1 of /b, and came first\n" +
				"12:00:01 somebody asked it to stop\n12:00:09 it ended: TaskRunCancelled: the Task was terminated\nnow there was no log to hand on\n"},
		"an App without an image, that is being built": {
			facts(task(madeBy("kf"), waits(v1alpha1.ReasonAppHasNoImage, "App \"shop\" has no image yet")), appIs("BuildReady", "Building", "", "Unknown", "12:00:00")),
			"AppHasNoImage\n" + byHand + "now it waits: AppHasNoImage: App \"shop\" has no image yet\nnow the build of App shop: Building\n" +
				"! kf build-logs shop shows its build; without one: kf push shop --task\n"},
		"it waited for its App": {
			facts(task(madeBy("kf"), handled, waits("Running", "")), run("12:05:03"), appIs("Ready", "ImageReady", "", "True", "12:05:00")),
			"Running\n" + byHand + "12:00:02 Tekton accepted the run\n12:05:00 App shop became ready: ImageReady\n" +
				"12:05:03 PipelineRun shop-1 was made, after it had waited 5m3s; what for is on record only if it is told here\nnow it runs\n"},
		"a registry that the Space does not allow": {
			facts(task(madeBy("kf"), waits(v1alpha1.ReasonImageNotAllowed, "the Space takes no image of evil.example"))),
			"ImageNotAllowed\n" + byHand + "now it waits: ImageNotAllowed: the Space takes no image of evil.example\n" +
				"! kf space space shows which registries it takes images from\n"},
		"no App": {
			facts(task(madeBy("kf"), waits(v1alpha1.ReasonAppNotFound, "there is no App")), func(f *Facts) { f.App = nil }),
			"AppNotFound\n" + byHand + "now it waits: AppNotFound: there is no App\n? its App is gone, or has not been pushed\n! push it: kf push shop --task\n"},
		"a quota": {
			facts(task(madeBy("kf"), waits(v1alpha1.ReasonPipelineRunNotCreated, "exceeded quota: runs"))),
			"PipelineRunNotCreated\n" + byHand + "now it waits: PipelineRunNotCreated: exceeded quota: runs\n" +
				"! change the quota, right or policy that the message names; it is tried again by itself\n"},
		"no room, told by the scheduler again and again": {
			facts(task(madeBy("kf"), handled, waits(v1alpha1.ReasonUnschedulable, "0/3 nodes")), run("12:00:01"),
				withEvents(anEvent("Pod", "shop-1-pod", "FailedScheduling", "0/2 nodes", "12:00:04", 3), anEvent("Pod", "shop-1-pod", "FailedScheduling", "0/3 nodes", "12:10:00", 9))),
			"Unschedulable\n" + byHand + "12:00:01 PipelineRun shop-1 was made\n12:00:02 Tekton accepted the run\n" +
				"12:00:04 Pod shop-1-pod: FailedScheduling (12 times, until 2026-03-02T12:10:00Z): 0/3 nodes\nnow it waits: Unschedulable: 0/3 nodes\n" +
				"! make room, or ask for less: -m and --cpu-cores; it starts by itself when there is\n"},
		"not before a time to come": {
			facts(task(madeBy("kf"), func(t *v1alpha1.Task) { t.Spec.NotBefore, t.Spec.Expires = when("14:00:00"), when("15:00:00") },
				waits(v1alpha1.ReasonNotDue, "the Task starts at 14:00"))),
			"NotDue\n" + byHand + "now it waits: NotDue: the Task starts at 14:00\nnow it fails as Expired unless its command begins before 2026-03-02T15:00:00Z\n"},
		"not before a time that has come": {
			facts(task(madeBy("kf"), handled, func(t *v1alpha1.Task) { t.Spec.NotBefore = when("12:30:00") }, waits("Running", "")), run("12:30:05")),
			"Running\n" + byHand + "12:00:02 Tekton accepted the run\n12:30:00 from then on it might start (spec.notBefore)\n" +
				"12:30:05 PipelineRun shop-1 was made\nnow it runs\n"},
		"expired": {
			facts(task(madeBy("kf"), func(t *v1alpha1.Task) { t.Spec.Expires = when("12:00:08") }, failed(v1alpha1.ReasonExpired, "it had not started"))),
			"Expired\n" + byHand + "12:00:09 it ended: Expired: it had not started\n! run it again, with a later --expires\n"},
		"refused for good": {
			facts(task(madeBy("kf"), failed(v1alpha1.ReasonInvalidTask, "there is no command"))),
			"InvalidTask\n" + byHand + "12:00:09 it ended: InvalidTask: there is no command\n! run a new Task without what the message names\n"},
		"its image can't be pulled": {
			facts(task(madeBy("kf"), handled, failed(v1alpha1.ReasonImagePullFailed, "not found")), run("12:00:01"),
				pod(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}}),
				withEvents(anEvent("Pod", "shop-1-pod", "Failed", "manifest unknown", "12:00:05", 1))),
			"ImagePullFailed\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:03 Pod shop-1-pod was made
12:00:04 it was scheduled onto node node-1
12:00:05 Pod shop-1-pod: Failed: manifest unknown
12:00:09 it ended: ImagePullFailed: not found
! see that the image is there, and that the Space's pull secret reads it; then: kf rerun shop-1
`},
		"a lost node, the second of two starts": {
			facts(task(madeBy("kf"), handled, func(t *v1alpha1.Task) { t.Spec.Retries = 1 }, start("12:00:05", "Evicted"), start("12:00:07", "NodeLost"),
				failed(v1alpha1.ReasonNodeLost, "its node is gone")), run("12:00:01"), unread(PartPod, "you may not")),
			"NodeLost\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:05 the command was let begin in Pod shop-1-pod on node node-1 (start 1 of at most 2); that Pod was lost before the command had ended: Evicted
12:00:07 the command was let begin in Pod shop-1-pod on node node-1 (start 2 of at most 2); that Pod was lost before the command had ended: NodeLost
12:00:09 it ended: NodeLost: its node is gone
? its Pod could not be read: you may not
! look what it has done, and run it again: kf rerun shop-1; should the node come back, the command may have gone on there
`},
		"out of memory, and its Pod is gone, but not its TaskRun": {
			facts(task(madeBy("kf"), handled, start("12:00:06", ""), failed(v1alpha1.ReasonOutOfMemory, "too much"), exit(137)), run("12:00:01"), func(f *Facts) {
				f.TaskRun = &Run{}
				raw := `{"status": {"steps": [{"name": "user-container", "terminated": {"exitCode": 137, "reason": "OOMKilled",
				  "startedAt": "2026-03-02T12:00:05Z", "finishedAt": "2026-03-02T12:00:08Z"}}]}}`
				if err := json.Unmarshal([]byte(raw), f.TaskRun); err != nil {
					t.Fatal(err)
				}
			}),
			"OutOfMemory, exit code 137\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:05 its container was started
12:00:06 the command was let begin in Pod shop-1-pod on node node-1
12:00:08 its container ended: OOMKilled, with code 137
12:00:09 it ended: OutOfMemory, exit code 137: too much
? its Pod shop-1-pod is gone, and what Kubernetes knew of it with it; so is its log, where nobody collects logs
! give it more memory: -m of run-task and run-job, or of the App: kf push shop -m
`},
		"timed out, and its log was read": {
			facts(task(madeBy("kf"), handled, start("12:00:06", ""), failed(v1alpha1.ReasonTimedOut, "longer than 1m"), func(t *v1alpha1.Task) {
				t.Status.Termination = &v1alpha1.Termination{RequestedAt: stampOf("12:00:07"), Log: v1alpha1.LogIncomplete, Lines: 2, Message: "the collector was down"}
			}), run("12:00:01")),
			"TimedOut\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:06 the command was let begin in Pod shop-1-pod on node node-1
12:00:07 its time limit was near, and its log was opened
12:00:09 it ended: TimedOut: longer than 1m
now its log was not handed on whole: 2 lines; the collector was down
? its Pod shop-1-pod is gone, and what Kubernetes knew of it with it
! give it more time: --timeout of run-task and run-job, timeout of a Job's taskTemplate
`},
		"terminated by kf": {
			facts(task(madeBy("kf"), handled, terminated(&v1alpha1.Termination{RequestedAt: stampOf("12:00:06"), RequestedBy: "kf", CancelledAt: when("12:00:07"),
				Log: v1alpha1.LogComplete, Lines: 12, DeliveredTo: &metav1.MicroTime{Time: at("12:00:08")}}), failed(v1alpha1.ReasonCancelled, ""),
				func(t *v1alpha1.Task) {
					v1alpha1.SetCondition(t, &t.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionLogDelivered, Status: "True",
						Reason: v1alpha1.ReasonDelivered}, at("12:00:08"))
				}), run("12:00:01")),
			"TaskRunCancelled\n" + byHand + `12:00:01 PipelineRun shop-1 was made
12:00:02 Tekton accepted the run
12:00:06 it was asked to stop, by kf
12:00:07 its PipelineRun was cancelled
12:00:08 its log was handed to the logging stream: 12 lines, the last of 2026-03-02T12:00:08Z
12:00:09 it ended: TaskRunCancelled
`},
		"to be stopped, and nobody has seen it": {
			facts(task(madeBy("kubectl"), terminated(nil), waits("Running", ""))),
			"Running\n12:00:00 asked for directly; made by the client kubectl\n" +
				"now it was asked to stop, by kubectl; when is not on record, for the function terminate has not noted it\nnow it runs\n"},
		"its run was pruned": {
			facts(task(madeBy("kf"), handled, is("True", "Succeeded", "", "12:00:09"), exit(0))),
			"Succeeded, exit code 0\n" + byHand + "12:00:02 Tekton accepted the run\n12:00:09 it ended: Succeeded, exit code 0\n" +
				"? its PipelineRun is gone: somebody deleted it, or pruned it, and what it said with it\n"},
		"a copy": {
			facts(task(madeBy("kf"), func(t *v1alpha1.Task) { t.Labels = map[string]string{v1alpha1.HandledLabel: "another"} },
				is("Unknown", v1alpha1.ReasonRestored, "a copy", "12:00:09"))),
			"Restored\n" + byHand + "12:00:09 Restored: a copy\n! if it is to run: kf rerun shop-1\n"},
		"nobody has looked at it, and nothing may be read": {
			facts(task(madeBy("kf")), unread(PartEvents, "no"), unread(PartRun, "no"), func(f *Facts) { f.Now = at("12:10:00") }),
			"not looked at yet\n" + byHand + "now no function has said anything about it yet\n? Kubernetes' Events could not be read: no\n" +
				"? its PipelineRun could not be read: no\n! kf doctor says which function does not run\n"},
		"Events of another Pod of the name, and of before": {
			facts(task(madeBy("kf"), waits("Running", "")), pod(corev1.ContainerState{}), withEvents(func() *corev1.Event {
				e := anEvent("Pod", "shop-1-pod", "Failed", "another's", "12:00:05", 1)
				e.InvolvedObject.UID = types.UID("another")
				return e
			}(), anEvent("Task", "shop-1", "Old", "", "11:59:59", 1))),
			"Running\n" + byHand + "12:00:03 Pod shop-1-pod was made\n12:00:04 it was scheduled onto node node-1\nnow it runs\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rows(OfTask(test.facts)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestEveryReasonThatNeedsItHasAdvice: a new reason gets one here, or is among those that need none.
func TestEveryReasonThatNeedsItHasAdvice(t *testing.T) {
	for reason, advice := range advices {
		if s := fill(advice, map[string]string{"TASK": "x", "APP": "x", "SPACE": "x"}); advice == "" || strings.Contains(s, "TASK") || strings.Contains(s, "SPACE") {
			t.Errorf("%s: %q", reason, s)
		}
	}
}
