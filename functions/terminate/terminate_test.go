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
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func toStop(changes ...func(*v1alpha1.Task)) *v1alpha1.Task {
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t", UID: "u"}}
	t.Spec.AppRef.Name, t.Spec.Terminated = "app", true
	for _, c := range changes {
		c(t)
	}
	return t
}

func heldBy(holder string, ago time.Duration) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) {
		at := metav1.NewMicroTime(now.Add(-ago))
		to := metav1.NewMicroTime(now.Add(-time.Hour))
		t.Status.Termination = &v1alpha1.Termination{Log: v1alpha1.LogDelivering, Deliverer: holder, RenewedAt: &at, DeliveredTo: &to, Message: "a gap"}
	}
}

func finished(log v1alpha1.LogDelivery) func(*v1alpha1.Task) {
	return func(t *v1alpha1.Task) { t.Status.Termination = &v1alpha1.Termination{Log: log} }
}

func final(t *v1alpha1.Task) {
	meta.SetStatusCondition(&t.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded,
	})
}

func deleted(t *v1alpha1.Task) { t.DeletionTimestamp = &metav1.Time{Time: now} }

func runOf(task *v1alpha1.Task, changes ...func(*tekton.PipelineRun)) *tekton.PipelineRun {
	r := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: task.Name, Generation: 1,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(task, v1alpha1.GroupVersion.WithKind("Task"))}}}
	r.Status.ChildReferences = []tekton.ChildStatusReference{{Name: "tr"}}
	for _, c := range changes {
		c(r)
	}
	return r
}

func ended(status corev1.ConditionStatus, reason tekton.PipelineRunReason) func(*tekton.PipelineRun) {
	return func(r *tekton.PipelineRun) {
		r.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: status, Reason: reason.String()})
	}
}

var (
	succeeded      = ended(corev1.ConditionTrue, tekton.PipelineRunReasonSuccessful)
	failed         = ended(corev1.ConditionFalse, tekton.PipelineRunReasonFailed)
	endedCancelled = ended(corev1.ConditionFalse, tekton.PipelineRunReasonCancelled)
)

func cancelled(r *tekton.PipelineRun) {
	r.Spec.Status, r.Generation = tekton.PipelineRunSpecStatusCancelled, 2
}

func tombstone(task *v1alpha1.Task) *tekton.PipelineRun {
	r := pipelinerun.Tombstone(task)
	r.Generation = 1 // as the API server sets it
	return r
}

// TestWhatIsDoneWithATask has each rule where it applies, and where the one before it takes precedence.
func TestWhatIsDoneWithATask(t *testing.T) {
	earlier := toStop(func(t *v1alpha1.Task) { t.UID = "an earlier Task of the name" })
	nobodys := func(r *tekton.PipelineRun) { r.OwnerReferences = nil }
	tektons := func(r *tekton.PipelineRun) {
		r.OwnerReferences[0].APIVersion, r.OwnerReferences[0].UID = "tekton.dev/v1beta1", "x"
	}
	unasked := func(t *v1alpha1.Task) { t.Spec.Terminated = false }
	for _, c := range []struct {
		name    string
		task    *v1alpha1.Task
		run     *tekton.PipelineRun
		want    Action
		log     v1alpha1.LogDelivery
		message string
	}{
		{"not asked to stop", toStop(unasked), nil, Nothing, "", ""},
		{"not asked to stop, running", toStop(unasked), runOf(toStop()), Nothing, "", ""},
		{"finished", toStop(finished(v1alpha1.LogComplete)), runOf(toStop()), Nothing, "", ""},
		{"finished, though not whole", toStop(finished(v1alpha1.LogIncomplete)), nil, Nothing, "", ""},
		{"finished, there having been nothing", toStop(finished(v1alpha1.LogNone)), nil, Nothing, "", ""},
		{"being deleted", toStop(deleted), runOf(toStop()), Nothing, "", "deleted"},
		{"being deleted, in another's hands", toStop(deleted, heldBy("host-b/1", 0)), runOf(toStop()), Nothing, "", "deleted"},

		{"another instance is at it", toStop(heldBy("host-b/1", time.Second)), runOf(toStop()), Leave, "", ""},
		{"another instance is at it, the run is gone", toStop(heldBy("host-b/1", time.Second)), nil, Leave, "", ""},
		{"another instance has gone silent", toStop(heldBy("host-b/1", time.Minute)), runOf(toStop()), Deliver, "", ""},
		{"this host, started again", toStop(heldBy("host-a/1", time.Second)), runOf(toStop()), Deliver, "", ""},

		{"its run deleted meanwhile", toStop(heldBy("host-a/1", time.Second)), nil, Finish, v1alpha1.LogIncomplete, "deleted while"},
		{"its run deleted meanwhile: what is missing", toStop(heldBy("host-a/1", time.Second)), nil, Finish, v1alpha1.LogIncomplete,
			"a gap; lines after 2026-11-23T11:00:00Z"},
		{"its run deleted meanwhile, status written", toStop(final, heldBy("host-a/1", time.Second)), nil, Finish, v1alpha1.LogIncomplete, "deleted while"},
		{"ended, its run deleted since", toStop(final), nil, Finish, v1alpha1.LogNone, "had ended before"},
		{"before its PipelineRun", toStop(), nil, CreateCancelled, "", ""},

		{"the run of an earlier Task is still there", toStop(), runOf(earlier), Wait, "", "earlier"},
		{"the run of an earlier Task, which has ended", toStop(), runOf(earlier, succeeded), Wait, "", "earlier"},
		{"nobody's run has the name", toStop(), runOf(toStop(), nobodys), Finish, v1alpha1.LogNone, "not its own"},
		{"the run of another kind of Task has the name", toStop(), runOf(toStop(), tektons), Finish, v1alpha1.LogNone, "not its own"},

		{"made as cancelled", toStop(), tombstone(toStop()), Finish, v1alpha1.LogNone, "had not started"},
		{"made as cancelled, and ended", toStop(), func() *tekton.PipelineRun { r := tombstone(toStop()); endedCancelled(r); return r }(),
			Finish, v1alpha1.LogNone, "had not started"},

		{"ended by itself", toStop(final), runOf(toStop(), succeeded), Finish, v1alpha1.LogNone, "ended by itself (Succeeded)"},
		{"ended by itself, status not written yet", toStop(), runOf(toStop(), failed), Finish, v1alpha1.LogNone, "ended by itself (Failed)"},
		{"ended by itself while it was cancelled", toStop(), runOf(toStop(), cancelled, succeeded), Finish, v1alpha1.LogNone, "ended by itself"},
		{"ended after an instance had begun", toStop(heldBy("host-a/1", time.Second)), runOf(toStop(), succeeded), Deliver, "", ""},
		{"cancelled by somebody else, and ended", toStop(), runOf(toStop(), cancelled, endedCancelled), Deliver, "", ""},
		{"cancelled by somebody else, running on", toStop(), runOf(toStop(), cancelled), Deliver, "", ""},
		{"running", toStop(), runOf(toStop()), Deliver, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Decide(Facts{Task: c.task, Run: c.run, Me: "host-a/2", Now: now})
			if got.Action != c.want || got.Log != c.log || !strings.Contains(got.Message, c.message) {
				t.Errorf("%+v, want %s %s %q", got, c.want, c.log, c.message)
			}
		})
	}
}

func TestWhatTheArchiveWillNotHave(t *testing.T) {
	to := metav1.NewMicroTime(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	before := &v1alpha1.Termination{DeliveredTo: &to}
	const up = "lines up to 2026-11-29T12:00:00Z went to the logging stream only: an instance of the function ended that had read them"
	for want, got := range map[string]string{
		"":                NotKept(nil, v1alpha1.LogComplete, "a note"),
		" ":               NotKept(&v1alpha1.Termination{}, v1alpha1.LogComplete, "") + " ", // it had read nothing
		"a gap":           NotKept(nil, v1alpha1.LogIncomplete, "a gap"),
		up:                NotKept(before, v1alpha1.LogComplete, "maybe double"),
		up + "; " + "gap": NotKept(before, v1alpha1.LogIncomplete, "gap"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
