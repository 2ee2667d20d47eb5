package pipelinerun

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/call"
)

// callProgram is where ko puts the program into its image.
const callProgram = "/ko-app/call"

var errNoCalls = errors.New("this cluster sends no calls: the function runtask has no CALL_IMAGE; its operator sets it, or run a command")

// asCall is an App as a Task of it sends a request, and the Task: of the App stays where it runs and its environment, for a proxy
// stands there. Its image, volumes and initContainers are not needed, and need not be there.
func asCall(app *v1alpha1.App, task *v1alpha1.Task, image string) (*v1alpha1.App, *v1alpha1.Task, error) {
	if image == "" {
		return nil, nil, errNoCalls
	}
	app, task = app.DeepCopy(), task.DeepCopy()
	was := app.Spec.Template.Spec
	c := corev1.Container{Name: v1alpha1.UserContainer, Command: []string{callProgram},
		Resources: callResources(), SecurityContext: confined()}
	if len(was.Containers) > 0 {
		own := was.Containers[ownContainer(was)]
		c.Env, c.EnvFrom = own.Env, own.EnvFrom
	}
	c.Env = append(c.Env, call.Environment(task.Spec.Call)...)
	no := false
	app.Spec.Template.Spec = corev1.PodSpec{
		Containers:         []corev1.Container{c},
		ServiceAccountName: was.ServiceAccountName, DeprecatedServiceAccount: was.DeprecatedServiceAccount,
		NodeSelector: was.NodeSelector, Tolerations: was.Tolerations, Affinity: was.Affinity, PriorityClassName: was.PriorityClassName,
		ImagePullSecrets: was.ImagePullSecrets, DNSPolicy: was.DNSPolicy, DNSConfig: was.DNSConfig, HostAliases: was.HostAliases,
		AutomountServiceAccountToken: &no,
	}
	app.Spec.Template.StartCommand = ""
	app.Status.Bindings = nil
	app.Status.Image, app.Status.StartCommands = image, v1alpha1.StartCommandStatus{}
	return app, task, nil
}

func callResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
	}
}

// confined is what the level `restricted` of the Pod Security Standards asks for.
func confined() *corev1.SecurityContext {
	yes, no := true, false
	return &corev1.SecurityContext{
		RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}
