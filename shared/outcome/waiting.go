package outcome

import (
	"cmp"
	"regexp"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/waiting"
)

// Pod is the name of the run's Pod, "" if there is none yet.
func (s Facts) Pod() string {
	if s.TaskRun == nil {
		return ""
	}
	return s.TaskRun.Status.PodName
}

// started says that the container has been started.
func (s situation) started() bool { return s.step.Running != nil || s.step.Terminated != nil }

// waits says that the run goes on, and its container has not been started.
func (s situation) waits() bool {
	return s.run.IsUnknown() && s.taskRun.IsUnknown() && !s.started() && !s.begun() && !strings.Contains(s.run.GetReason(), "Cancel")
}

// held: somebody has made the run wait, as Kueue does with those that have its label, until it lets them go.
func held(s situation) (string, bool) {
	holds := s.run.IsUnknown() && s.Run.Spec.Status == tekton.PipelineRunSpecStatusPending
	if queue := s.Run.Labels[v1alpha1.KueueLabel]; queue != "" {
		return "Kueue holds it in the queue " + queue + " until that has room for it; it starts by itself then", holds
	}
	return "its PipelineRun is held (spec.status: PipelineRunPending): it starts when that is taken away", holds
}

// unschedulable: of a resource that is short Tekton does not say which, and the scheduler does.
func unschedulable(s situation) (string, bool) {
	message := s.taskRun.GetMessage()
	return cmp.Or(s.Words.Scheduler, waiting.Quoted(message)), s.waits() && (s.taskRun.GetReason() == "ExceededNodeResources" ||
		strings.Contains(message, "PodScheduled") || strings.Contains(message, "nodes are available"))
}

// pulling: the image is not there yet. Whether it ever will be, nobody knows; how long it is tried is Tekton's
// default-imagepullbackoff-timeout.
func pulling(s situation) (string, bool) {
	message := s.taskRun.GetMessage()
	if s.step.Waiting != nil && s.step.Waiting.Message != "" {
		message = s.step.Waiting.Message
	}
	waits := s.taskRun.GetReason() == "PullImageFailed" || s.step.Waiting != nil && strings.Contains(s.step.Waiting.Reason, "Image")
	return "the image can't be pulled yet, and is tried again: " + waiting.Quoted(message), s.waits() && waits
}

// unstarted: Tekton says why the container has not started.
func unstarted(s situation) (string, bool) {
	message := waiting.Quoted(s.taskRun.GetMessage())
	return message, s.waits() && message != "" && s.taskRun.GetReason() != tekton.TaskRunReasonRunning.String()
}

// pending: what its Pod waits for, where somebody has said so.
func pending(s situation) (string, bool) {
	message := ""
	if s.waits() && s.Words.Kubelet != "" {
		message = "its container can't be started yet, and is tried again: " + s.Words.Kubelet
	}
	return message, s.run.IsUnknown()
}

// podRefused: Tekton does not come back to a Pod that was refused, but for a quota that is used up.
func podRefused(s situation) (string, bool) {
	message := s.taskRun.GetMessage()
	what := strings.TrimSuffix(refusal.ReplaceAllString(message, ""), ". Maybe invalid TaskSpec")
	return what + advice(what), s.taskRun.IsFalse() && !s.started() &&
		(s.taskRun.GetReason() == "PodAdmissionFailed" || strings.HasPrefix(message, "failed to create task run pod"))
}

var refusal = regexp.MustCompile(`^failed to create task run pod "[^"]*": `)

// advice is what to do about a Pod that was refused.
func advice(message string) string {
	tektons := false
	for _, container := range []string{"prepare", "place-scripts", "working-dir-initializer"} {
		tektons = tektons || strings.Contains(message, container)
	}
	switch {
	case tektons && strings.Contains(message, "violates PodSecurity"):
		return `: Tekton's own containers need set-security-context: "true" in its ConfigMap feature-flags (docs/install.md)`
	case strings.Contains(message, "violates PodSecurity"):
		return ": give the App's container a securityContext within the rules, and run a new Task"
	case tektons:
		return ": Tekton's own containers need default-container-resource-requirements in its ConfigMap config-defaults (docs/install.md)"
	}
	return ": change the App, or the rules of its namespace, and run a new Task"
}
