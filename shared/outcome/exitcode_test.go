package outcome

import (
	"strings"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
)

// TestAnExitCodeOnlyWhereAProcessReturnedOne: Tekton says 1 where none did.
func TestAnExitCodeOnlyWhereAProcessReturnedOne(t *testing.T) {
	no := corev1.ConditionFalse
	none := int32(-1)
	for name, test := range map[string]struct {
		taskRun *tekton.TaskRun
		code    int32
		message string
	}{
		"it returned 3":                   {taskRun(no, "Failed", "m", 3, "Error"), 3, "code 3"},
		"a signal ended it":               {taskRun(no, "Failed", "m", 139, "Error"), 139, "code 139: it was ended by signal 11 (segmentation fault)"},
		"it ran out of memory":            {taskRun(no, "Failed", "m", 137, "OOMKilled"), 137, "more memory"},
		"the image can't be pulled":       {taskRun(no, "TaskRunImagePullFailed", "m", 1, "TaskRunImagePullFailed"), none, "can't be pulled"},
		"cancelled while it pended":       {taskRun(no, "TaskRunCancelled", "m", 1, "TaskRunCancelled"), none, "terminated"},
		"a Secret is missing":             {taskRun(no, "CreateContainerConfigError", "no such secret", 1, "CreateContainerConfigError"), none, "no such secret"},
		"the runtime could not start it":  {taskRun(no, "Failed", "exec: no such file", 128, "StartError"), none, "no such file"},
		"its process returned 1, as said": {taskRun(no, "Failed", "m", 1, "Error"), 1, "code 1"},
	} {
		o := Observe(Facts{Run: run(no, "Failed"), TaskRun: test.taskRun})
		code := none
		if o.ExitCode != nil {
			code = *o.ExitCode
		}
		if code != test.code || !strings.Contains(o.Message, test.message) {
			t.Errorf("%s: exit code %d (-1 for none), %q; want %d, %q", name, code, o.Message, test.code, test.message)
		}
	}
}

// TestAnInitContainerThatFailsIsSaid: the command was not run, so it returned nothing.
func TestAnInitContainerThatFailsIsSaid(t *testing.T) {
	tr := taskRun(corev1.ConditionFalse, "Failed", "m", 1, "Error")
	tr.Status.Steps[0].TerminationReason = "Skipped"
	tr.Status.Steps = append([]tekton.StepState{{Name: "fetch", ContainerState: corev1.ContainerState{
		Terminated: &corev1.ContainerStateTerminated{ExitCode: 4, Reason: "Error", ContainerID: "containerd://1"}}}}, tr.Status.Steps...)
	o := Observe(Facts{Run: run(corev1.ConditionFalse, "Failed"), TaskRun: tr})
	if o.ExitCode != nil || o.Reason != v1alpha1.ReasonFailed || !strings.Contains(o.Message, `initContainer "fetch" exited with code 4`) {
		t.Errorf("%+v", o)
	}
}

// TestWithoutAShellASignalIsNotTold, and 255 may be one.
func TestWithoutAShellASignalIsNotTold(t *testing.T) {
	for shell, want := range map[v1alpha1.Shell]bool{v1alpha1.ShellNone: true, v1alpha1.ShellPOSIX: false} {
		app := &v1alpha1.App{}
		app.Status.Image = "i:1"
		app.Status.StartCommands = v1alpha1.StartCommandStatus{Image: "i:1", Shell: shell}
		made, err := pipelinerun.For(app, &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Name: "t"}, Spec: v1alpha1.TaskSpec{Command: "x"}}, 1, pipelinerun.Options{})
		if err != nil {
			t.Fatal(err)
		}
		made.Status = run(corev1.ConditionFalse, "Failed").Status
		o := Observe(Facts{Run: made, TaskRun: taskRun(corev1.ConditionFalse, "Failed", "m", 255, "Error")})
		if got := strings.Contains(o.Message, "or was ended by a signal"); got != want || *o.ExitCode != 255 {
			t.Errorf("%s: %+v", shell, o)
		}
	}
}
