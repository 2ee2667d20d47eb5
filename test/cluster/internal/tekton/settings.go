// Package tekton is how Tekton is to be set, on our cluster and on a user's.
package tekton

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Namespace is where Tekton reads its ConfigMaps.
const Namespace = "tekton-pipelines"

// Setting is a key of one of Tekton's ConfigMaps.
type Setting struct {
	ConfigMap, Key string
	// Value is what our cluster has, and what a user's may have.
	Value string
	// Lacks says what is wrong with another value, "" if nothing.
	Lacks func(value string) string
	// Needed says that without it no Task runs. Without the others most do.
	Needed bool
}

// own are the containers that Tekton adds to each Pod of ours.
var own = []string{"prepare", "place-scripts", "working-dir-initializer"}

// Settings without which Tekton's own containers are refused where the Space's rules would let the App's run, or by which it
// ends a run that could wait.
var Settings = []Setting{
	// No ephemeral storage: a limit of one container is the kubelet's limit of the whole Pod where no other has one, and no quota asks for it.
	// Requests and limits are the same, so that no LimitRange's ratio refuses them; a LimitRange whose min is above them needs more.
	{"config-defaults", "default-container-resource-requirements", `place-scripts:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {cpu: 50m, memory: 64Mi}
prepare:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {cpu: 50m, memory: 64Mi}
working-dir-initializer:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {cpu: 50m, memory: 64Mi}
`, resources, false},
	{"config-defaults", "default-imagepullbackoff-timeout", "10m", patience, false},
	{"feature-flags", "set-security-context", "true", on, false},
	// These are Tekton's defaults, and config/crd/one-start.yaml rests on them.
	{"feature-flags", "running-in-environment-with-injected-sidecars", "true", gated, true},
	{"feature-flags", "await-sidecar-readiness", "true", gated, true},
}

// Patch is the command that sets it.
func (s Setting) Patch() string {
	return fmt.Sprintf("kubectl -n %s patch configmap %s --type=merge -p '{\"data\":{%q:%q}}'", Namespace, s.ConfigMap, s.Key, s.Value)
}

func resources(value string) string {
	var of map[string]corev1.ResourceRequirements
	if err := yaml.Unmarshal([]byte(value), &of); err != nil {
		return "it can't be read: " + err.Error()
	}
	var lacks []string
	for _, container := range own {
		r, there := of[container]
		if !there {
			r = of["default"]
		}
		for _, list := range []corev1.ResourceList{r.Requests, r.Limits} {
			if list.Cpu().IsZero() || list.Memory().IsZero() {
				lacks = append(lacks, container)
				break
			}
		}
	}
	if len(lacks) == 0 {
		return ""
	}
	return "where a ResourceQuota asks for CPU and memory, Tekton's own containers are refused, and Tasks end as PodRefused: it names no requests and limits of " +
		strings.Join(lacks, ", ")
}

func patience(value string) string {
	if d, err := time.ParseDuration(value); err == nil && d >= time.Minute {
		return ""
	}
	return "a Task ends as ImagePullFailed at the first pull that fails, however soon its registry is back"
}

func on(value string) string {
	if strings.EqualFold(value, "true") {
		return ""
	}
	return "in a namespace that enforces Pod Security `restricted`, Tekton's own containers are refused, and Tasks end as PodRefused"
}

func gated(value string) string {
	if value == "" || strings.EqualFold(value, "true") {
		return ""
	}
	return "each Pod of a Task is refused: Tekton would let its command begin without a sign, on which it rests that a command begins once"
}
