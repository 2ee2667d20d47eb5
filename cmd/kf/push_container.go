package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// container changes what the flags name of the App's container, and says whether they name anything of it.
func (o *push) container(c map[string]any) (changed bool, err error) {
	switch {
	case o.command == nil:
	case *o.command == "":
		delete(c, "args")
		changed = true
	default:
		c["args"], changed = []any{verbatim.Literal(*o.command)}, true
	}
	env, _, err := unstructured.NestedSlice(c, "env")
	if err != nil {
		return false, err
	}
	for _, e := range o.env {
		name, value, _ := strings.Cut(e, "=")
		env = setEnv(env, name, verbatim.Literal(value))
		c["env"], changed = env, true
	}
	for name, quantity := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: o.cpu, corev1.ResourceMemory: o.memory, corev1.ResourceEphemeralStorage: o.disk,
	} {
		if quantity == "" {
			continue
		}
		q := resource.MustParse(quantity) // check has parsed it
		for _, kind := range []string{"requests", "limits"} {
			if kind == "limits" && name == corev1.ResourceCPU && !limitBelow(c, q) {
				continue // there is no limit of CPU in Cloud Foundry
			}
			if err := unstructured.SetNestedField(c, q.String(), "resources", kind, string(name)); err != nil {
				return false, err
			}
		}
		changed = true
	}
	return changed, nil
}

// limitBelow says whether a container has a limit of CPU below a request, which Kubernetes refuses.
func limitBelow(container map[string]any, request resource.Quantity) bool {
	limit, there, _ := unstructured.NestedFieldNoCopy(container, "resources", "limits", string(corev1.ResourceCPU))
	q, err := resource.ParseQuantity(fmt.Sprint(limit))
	return there && err == nil && q.Cmp(request) < 0
}

// setEnv gives the variable of a name a value, or adds it last.
func setEnv(env []any, name, value string) []any {
	for i := range env {
		if v, ok := env[i].(map[string]any); ok && v["name"] == name {
			v["value"] = value
			delete(v, "valueFrom") // no variable has both
			return env
		}
	}
	return append(env, map[string]any{"name": name, "value": value})
}
