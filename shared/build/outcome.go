package build

import (
	"fmt"
	"strings"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Outcome is what became of a run that has ended: an image, by digest, or why there is none.
type Outcome struct {
	Image   string
	Failure string
}

// OutcomeOf reads the outcome of a run that has ended; taskRun is what Tekton has made of it, nil if that is gone.
func OutcomeOf(run *tekton.PipelineRun, taskRun *tekton.TaskRun) Outcome {
	if run.IsSuccessful() {
		digest := ""
		for _, r := range run.Status.Results {
			if r.Name == ResultDigest {
				digest = strings.TrimSpace(r.Value.StringVal)
			}
		}
		repository := run.Annotations[v1alpha1.ImageAnnotation]
		if at := strings.LastIndex(repository, ":"); at > strings.LastIndex(repository, "/") {
			repository = repository[:at]
		}
		if image := digestOf(repository, digest); image != "" {
			return Outcome{Image: image}
		}
		return Outcome{Failure: fmt.Sprintf("it does not say what it has made: its result %s is %.80q", ResultDigest, digest)}
	}
	return Outcome{Failure: failure(run, taskRun)}
}

// failure says why a run has failed: in the words of the step that did, else in Tekton's.
func failure(run *tekton.PipelineRun, taskRun *tekton.TaskRun) string {
	condition := run.Status.GetCondition(apis.ConditionSucceeded)
	switch condition.GetReason() {
	case tekton.PipelineRunReasonTimedOut.String():
		return fmt.Sprintf("it took longer than %s, and was stopped (an operator sets timeout in the ConfigMap %s)", limit(run), ConfigMap)
	case tekton.PipelineRunReasonCancelled.String(), tekton.PipelineRunReasonCancelledRunningFinally.String():
		return "it was cancelled: push again"
	}
	if taskRun == nil {
		return condition.GetMessage()
	}
	for _, r := range taskRun.Status.Results {
		if r.Name == ResultLog && r.Value.StringVal != "" {
			return strings.Join(strings.FieldsFunc(r.Value.StringVal, func(c rune) bool { return c == '\n' || c == '\r' }), " | ")
		}
	}
	for _, s := range taskRun.Status.Steps {
		if t := s.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("%s: exit code %d, %s", s.Name, t.ExitCode, terminated(t))
		}
	}
	if c := taskRun.Status.GetCondition(apis.ConditionSucceeded); c.GetMessage() != "" {
		return c.GetMessage() // of an eviction, an image that can't be pulled, a Pod that the Space refuses
	}
	return condition.GetMessage()
}

func limit(run *tekton.PipelineRun) string {
	if t := run.Spec.Timeouts; t != nil && t.Pipeline != nil {
		return t.Pipeline.Duration.String()
	}
	return "it may"
}

func terminated(t *corev1.ContainerStateTerminated) string {
	if t.Reason == "OOMKilled" {
		return "out of memory (an operator sets memory in the ConfigMap " + ConfigMap + ")"
	}
	return "and it left no reason, as when its Pod is deleted or evicted: push again"
}
