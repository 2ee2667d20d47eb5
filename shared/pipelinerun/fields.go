package pipelinerun

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Treatment is what becomes of a field of an App's Pod in its Tasks.
type Treatment string

// Treatments.
const (
	Honoured    Treatment = "honoured"    // the Task's Pod has it, or what it asks for
	Meaningless Treatment = "meaningless" // it is about a server that goes on, and says nothing of a Task
	Refused     Treatment = "refused"     // Tekton has no place for it, and without it the Task would be another: the App is told
)

// PodFields says of each field of a PodSpec what becomes of it, by its name in YAML. docs/tasks.md tells the same.
var PodFields = map[string]Treatment{
	"containers": Honoured, "initContainers": Honoured, "volumes": Honoured,
	"imagePullSecrets": Honoured, "serviceAccountName": Honoured, "serviceAccount": Honoured, "automountServiceAccountToken": Honoured,
	"nodeSelector": Honoured, "affinity": Honoured, "tolerations": Honoured, "topologySpreadConstraints": Honoured,
	"schedulerName": Honoured, "priorityClassName": Honoured, "runtimeClassName": Honoured,
	"securityContext": Honoured, "hostNetwork": Honoured, "hostUsers": Honoured,
	"dnsPolicy": Honoured, "dnsConfig": Honoured, "hostAliases": Honoured, "enableServiceLinks": Honoured,

	"restartPolicy": Meaningless, "readinessGates": Meaningless,

	"terminationGracePeriodSeconds": Refused, "activeDeadlineSeconds": Refused, "hostPID": Refused, "hostIPC": Refused,
	"shareProcessNamespace": Refused, "ephemeralContainers": Refused, "nodeName": Refused, "hostname": Refused, "subdomain": Refused,
	"setHostnameAsFQDN": Refused, "hostnameOverride": Refused, "priority": Refused, "preemptionPolicy": Refused, "overhead": Refused,
	"os": Refused, "schedulingGates": Refused, "schedulingGroup": Refused, "resourceClaims": Refused, "resources": Refused,
}

// ContainerFields says the same of the App's container, and of its initContainers.
var ContainerFields = map[string]Treatment{
	"name": Honoured, "command": Honoured, "args": Honoured, "workingDir": Honoured, "env": Honoured, "envFrom": Honoured,
	"resources": Honoured, "volumeMounts": Honoured, "volumeDevices": Honoured, "imagePullPolicy": Honoured, "securityContext": Honoured,
	"ports": Honoured, // CF_INSTANCE_PORT
	"image": Honoured, // of an initContainer; of the App's own it is spec.build that says it

	"livenessProbe": Meaningless, "readinessProbe": Meaningless, "startupProbe": Meaningless, "stdin": Meaningless,
	"stdinOnce": Meaningless, "tty": Meaningless, "resizePolicy": Meaningless,
	"terminationMessagePath": Meaningless, "terminationMessagePolicy": Meaningless, // Tekton's own way of telling its controller

	"lifecycle": Refused, "restartPolicy": Refused, "restartPolicyRules": Refused,
}

// instead says what to do about a field that is refused, where there is something.
var instead = map[string]string{
	"activeDeadlineSeconds": "give the Tasks a timeout",
	"nodeName":              "use nodeSelector or affinity",
	"priority":              "name a priorityClassName",
	"resources":             "give them to the container",
	"os":                    "Tasks run on Linux",
	"restartPolicy":         "a Task can't have a container that goes on beside it",
}

// asksForNothing are values of refused fields that say what a Task is in any case.
var asksForNothing = map[string]func(any) bool{
	"terminationGracePeriodSeconds": func(v any) bool { return *v.(*int64) == corev1.DefaultTerminationGracePeriodSeconds },
	"preemptionPolicy":              func(v any) bool { return *v.(*corev1.PreemptionPolicy) == corev1.PreemptLowerPriority },
	"priority":                      func(v any) bool { return *v.(*int32) == 0 },
	"os":                            func(v any) bool { return v.(*corev1.PodOS).Name == corev1.Linux },
	"restartPolicy":                 func(v any) bool { return *v.(*corev1.ContainerRestartPolicy) != corev1.ContainerRestartPolicyAlways },
	// preStop is for the end of a server that others still send requests to
	"lifecycle": func(v any) bool { l := v.(*corev1.Lifecycle); return l.PostStart == nil && l.StopSignal == nil },
}

// refusedFields are the messages about what an App's Pod asks for and its Tasks can't have.
func refusedFields(p corev1.PodSpec) (messages []string) {
	messages = refusedIn("spec.template.spec", p, PodFields)
	own := ownContainer(p)
	for i := range p.Containers {
		at := fmt.Sprintf("spec.template.spec.containers[%d]", i)
		if i != own {
			messages = append(messages, fmt.Sprintf("%s (%s): a Task runs the App's own container, and none beside it",
				at, p.Containers[i].Name))
			continue
		}
		messages = append(messages, refusedIn(at, p.Containers[i], ContainerFields)...)
	}
	for i, c := range p.InitContainers {
		at := fmt.Sprintf("spec.template.spec.initContainers[%d]", i)
		messages = append(messages, refusedIn(at, c, ContainerFields)...)
		switch {
		case c.Image == "":
			messages = append(messages, at+" has no image")
		case c.Name == "" || c.Name == v1alpha1.UserContainer:
			messages = append(messages, at+fmt.Sprintf(" needs a name of its own, and not %q", v1alpha1.UserContainer))
		case len(c.Command) == 0 && len(c.Args) > 0:
			messages = append(messages, at+" has args and no command: say its command")
		}
	}
	return messages
}

// refusedIn are the messages about the fields of one struct.
func refusedIn(at string, of any, treated map[string]Treatment) (messages []string) {
	v := reflect.ValueOf(of)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if t, known := treated[name]; known && t != Refused || isUnset(field) {
			continue
		}
		if nothing := asksForNothing[name]; nothing != nil && nothing(field.Interface()) {
			continue
		}
		message := fmt.Sprintf("%s.%s is nothing that a Task can have", at, name)
		if do := instead[name]; do != "" {
			message += ": " + do
		}
		messages = append(messages, message)
	}
	return messages
}

// isUnset says whether a field says nothing, or no.
func isUnset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() == reflect.Bool && !v.Elem().Bool()
	default:
		return v.IsZero()
	}
}

// ownContainer is the App's among the containers: the one that Kf gives its name, else the first.
func ownContainer(p corev1.PodSpec) int {
	for i, c := range p.Containers {
		if c.Name == v1alpha1.UserContainer {
			return i
		}
	}
	return 0
}
