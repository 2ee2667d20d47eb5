package events

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestFactsSayTheirCause: that of the command, on each fact of its Task and of itself, and nothing that can't be handed on.
func TestFactsSayTheirCause(t *testing.T) {
	app := &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "shop", UID: "u"}}
	for _, c := range []struct {
		given, want map[string]string
	}{
		{map[string]string{}, map[string]string{}},
		{map[string]string{"traceparent": trace, "tracestate": "a=1,b=2", "correlationid": "order é"},
			map[string]string{"traceparent": trace, "tracestate": "a=1,b=2", "correlationid": "order é"}},
		{map[string]string{"causationid": "what caused the command"}, map[string]string{}},
		{map[string]string{"tracestate": "a=1"}, map[string]string{}}, // W3C: without a parent it says nothing
		{map[string]string{"traceparent": strings.ToUpper(trace), "tracestate": "a=1"}, map[string]string{}},
		{map[string]string{"traceparent": "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"}, map[string]string{}},
		{map[string]string{"traceparent": "ff" + trace[2:]}, map[string]string{}},
		{map[string]string{"traceparent": trace, "tracestate": strings.Repeat("x", 513)}, map[string]string{"traceparent": trace}},
	} {
		e := commanded(TaskRun, "")
		for k, v := range c.given {
			e.SetExtension(k, v)
		}
		task := RunTask{}.Task(app, e, "jane")
		c.want["causationid"] = "2026-11"
		for what, fact := range map[string]map[string]any{
			"of the Task":    NewTaskFact(TaskFailed, "status", task).Extensions(),
			"of the command": NewCommandFact(CommandAccepted, "command", e, CommandFact{}).Extensions(),
		} {
			for _, extension := range []string{"traceparent", "tracestate", "correlationid", "causationid", "kfchain"} {
				if got, _ := fact[extension].(string); got != c.want[extension] {
					t.Errorf("%v: %s %s is %q, want %q", c.given, extension, what, got, c.want[extension])
				}
			}
		}
		var f TaskFact
		if err := NewTaskFact(TaskFailed, "status", task).DataAs(&f); err != nil || *f.Command != (EventRef{"/billing", "2026-11"}) || f.RequestedBy != "jane" {
			t.Errorf("%+v %v", f, err)
		}
	}
}

// TestAScheduledTaskSaysWhatFiredIt: its Job, the instant, and the fact of that as its cause.
func TestAScheduledTaskSaysWhatFiredIt(t *testing.T) {
	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "nightly", UID: "u"}}
	instant := time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC)
	task := job.NewTask()
	task.Name = job.TaskName(instant)
	e := NewTaskFact(TaskFailed, "status", task)
	fired := NewJobFact("tick", job, v1alpha1.Decision{Instant: metav1.NewTime(instant), Outcome: v1alpha1.OutcomeRan})
	var f TaskFact
	if err := e.DataAs(&f); err != nil || f.Job != "nightly" || f.Instant == nil || !f.Instant.Equal(&metav1.Time{Time: instant}) ||
		f.Command != nil || e.Extensions()["causationid"] != fired.ID() {
		t.Errorf("%+v %v %v", f, err, e.Extensions())
	}
	if err := valid(t, *e); err != nil {
		t.Error(err)
	}
	again := RunJob{}.Task(job, commanded(JobRun, ""), "")
	if !again.Instant().IsZero() {
		t.Errorf("a Task of a command has the instant %s", again.Instant())
	}
}

// TestAnnotationsOfAnybodysMakeNoBadFact: who makes a Task by kubectl writes them as they like.
func TestAnnotationsOfAnybodysMakeNoBadFact(t *testing.T) {
	task := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "t", UID: "u"}}
	task.Annotations = map[string]string{}
	for _, a := range []string{v1alpha1.TraceParentAnnotation, v1alpha1.TraceStateAnnotation, v1alpha1.CorrelationAnnotation, v1alpha1.ChainAnnotation} {
		task.Annotations[a] = "a\nb" + strings.Repeat("x", 1000)
	}
	e := NewTaskFact(TaskFailed, "status", task)
	if err := e.Validate(); err != nil || len(e.Extensions()) != 2 {
		t.Errorf("%v %v", err, e.Extensions())
	}
}
