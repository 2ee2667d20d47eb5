package outcome

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// reason is what the API server takes for a condition's (metav1.Condition).
var reason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

// FuzzObserve: whatever Tekton's objects say, the Task's status says one of three things, with a reason and a message that
// the API server takes.
func FuzzObserve(f *testing.F) {
	f.Add(`{"status":{"conditions":[{"type":"Succeeded","status":"False","reason":"Failed","message":"x"}],"completionTime":"2026-11-23T12:00:00Z"}}`,
		`{"status":{"conditions":[{"type":"Succeeded","status":"False","reason":"StepOOM"}],"steps":[{"name":"user-container","terminated":{"exitCode":137}}]}}`)
	f.Add(`{"status":{"conditions":[{"type":"Succeeded","status":"Unknown","reason":"Running"}]}}`,
		`{"status":{"conditions":[{"type":"Succeeded","status":"Unknown","reason":"a b\u001b","message":"\u001b[2J\n\u202e"}],"steps":[{}]}}`)
	f.Add(`{"status":{"conditions":[{"type":"Succeeded","status":"perhaps"}]}}`, `{"status":{"conditions":[{"status":"True"}],"steps":null}}`)
	f.Add(`{"spec":{"timeouts":{"pipeline":"-1h"}},"status":{"conditions":[{"type":"Succeeded","status":"False","reason":"PipelineRunTimeout"}]}}`, `null`)
	f.Fuzz(func(t *testing.T, run, taskRun string) {
		seen := Facts{Run: &tekton.PipelineRun{}, TaskRun: &tekton.TaskRun{}}
		if json.Unmarshal([]byte(run), seen.Run) != nil {
			seen.Run = nil
		}
		if json.Unmarshal([]byte(taskRun), seen.TaskRun) != nil {
			seen.TaskRun = nil
		}
		o := Observe(seen)
		task := &v1alpha1.Task{}
		v1alpha1.SetCondition(task, &task.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionSucceeded, Status: o.Succeeded, Reason: o.Reason, Message: o.Message,
		}, time.Unix(1, 0))
		c := task.Status.Conditions[0]
		switch c.Status {
		case metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown:
		default:
			t.Errorf("%+v", c)
		}
		if len(c.Reason) > 1024 || !reason.MatchString(c.Reason) || len(c.Message) > 32768 || strings.ContainsFunc(c.Message, unicode.IsControl) {
			t.Errorf("the API server refuses %+v", c)
		}
		if seen.Run != nil && o.Succeeded == metav1.ConditionUnknown && (o.ExitCode != nil || o.End != nil) {
			t.Errorf("unended, and with an end: %+v", o)
		}
	})
}
