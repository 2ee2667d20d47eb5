package main

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// SayAwaited says of an App what Kf's own CLI waits for and nothing else here says. After a push it waits for BuildReady: of an App that
// names its image that is what Ready says. After start, stop and a change of what serves it waits for DeploymentReady.
func SayAwaited(app *v1alpha1.App, now time.Time) {
	conditions := &app.Status.Conditions
	if ready := meta.FindStatusCondition(*conditions, v1alpha1.ConditionReady); ready != nil && !app.FromSource() {
		v1alpha1.SetCondition(app, conditions, metav1.Condition{Type: v1alpha1.ConditionBuildReady, Status: ready.Status,
			Reason: ready.Reason, Message: ready.Message}, now)
	}
	deployment := metav1.Condition{Type: v1alpha1.ConditionDeploymentReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonStopped}
	if !app.Spec.Instances.Stopped {
		deployment.Status, deployment.Reason = metav1.ConditionFalse, v1alpha1.ReasonNotServed
		deployment.Message = "Apps are not served here, only their Tasks run: push it with --task, or stop it"
	}
	v1alpha1.SetCondition(app, conditions, deployment, now)
}
