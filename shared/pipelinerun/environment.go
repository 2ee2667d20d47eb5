package pipelinerun

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// SpaceEnv names the ConfigMap that holds the environment of a whole Space (namespace), where an operator makes one.
const SpaceEnv = "kf-space-env"

// vcapServices is the JSON of what is bound to the App.
const vcapServices = "VCAP_SERVICES"

// defaultPort is what Kf and Cloud Foundry assume of an App that names no port.
const defaultPort = 8080

// spaceEnv comes first, so that the App's and Cloud Foundry's own variables win.
func spaceEnv() corev1.EnvFromSource {
	yes := true
	return corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: SpaceEnv}, Optional: &yes,
	}}
}

// environment is the App's followed by Cloud Foundry's own variables, which win. PORT and CF_INSTANCE_INDEX are not
// for Tasks (Kf v2.11, reconciler/app/resources/env.go; docs.cloudfoundry.org "Environment variables"), and TMPDIR is the
// image's: an App that sets them has what it set.
func environment(app *v1alpha1.App, own []corev1.EnvVar) []corev1.EnvVar {
	cf := cloudFoundryEnv(app)
	reserved := map[string]bool{}
	for _, v := range cf {
		reserved[v.Name] = true
	}
	// No service is bound, unless a later variable of the name says which are: the last one counts.
	out := []corev1.EnvVar{{Name: vcapServices, Value: "{}"}}
	for _, v := range own {
		if v.Name == vcapServices {
			out[0] = v
		} else if !reserved[v.Name] || v.Name == "DATABASE_URL" {
			out = append(out, v) // what the App says of its database may stay, until a service is bound
		}
	}
	return append(out, cf...)
}

// withTask is the App's environment with the Task's own in the place of what it overrides. Its values come from whoever asked
// for the Task, a webhook's sender among them: nobody is to expand anything in them, or $(DATABASE_URL) would be one.
func withTask(own []corev1.EnvVar, task []v1alpha1.EnvVar) []corev1.EnvVar {
	all := slices.DeleteFunc(slices.Clone(own), func(v corev1.EnvVar) bool {
		return slices.ContainsFunc(task, func(t v1alpha1.EnvVar) bool { return t.Name == v.Name })
	})
	for _, v := range task {
		all = append(all, corev1.EnvVar{Name: v.Name, Value: verbatim.Literal(v.Value)})
	}
	return all
}

func cloudFoundryEnv(app *v1alpha1.App) []corev1.EnvVar {
	value := func(name, v string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: v} }
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
	}
	mebibytes := func(name, limit string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{
			Resource: limit, Divisor: resource.MustParse("1Mi"),
		}}}
	}
	bound := func(name string) corev1.EnvVar {
		yes := true
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: v1alpha1.InjectedEnvSecret(app.Name)}, Key: name, Optional: &yes,
		}}}
	}
	return []corev1.EnvVar{
		field("CF_INSTANCE_IP", "status.podIP"),
		value("CF_INSTANCE_INTERNAL_IP", "$(CF_INSTANCE_IP)"),
		value("VCAP_APP_HOST", "$(CF_INSTANCE_IP)"),
		value("CF_INSTANCE_PORT", strconv.Itoa(port(app))),
		value("CF_INSTANCE_ADDR", "$(CF_INSTANCE_IP):$(CF_INSTANCE_PORT)"),
		field("CF_INSTANCE_GUID", "metadata.uid"),
		value("INSTANCE_GUID", "$(CF_INSTANCE_GUID)"),
		mebibytes("MEMORY_LIMIT_IN_MB", "limits.memory"),
		value("MEMORY_LIMIT", "$(MEMORY_LIMIT_IN_MB)M"),
		mebibytes("DISK_LIMIT_IN_MB", "limits.ephemeral-storage"),
		value("DISK_LIMIT", "$(DISK_LIMIT_IN_MB)"),
		value("LANG", "en_US.UTF-8"),
		value("VCAP_APPLICATION", vcapApplication(app)),
		bound(vcapServices),
		bound("DATABASE_URL"),
	}
}

// vcapApplication is the JSON that Cloud Foundry gives every process about its App. The limits are filled in by the
// kubelet, as numbers.
func vcapApplication(app *v1alpha1.App) string {
	b, err := json.Marshal(map[string]any{
		"application_id":   app.UID,
		"application_name": app.Name,
		"application_uris": []string{},
		"limits":           map[string]string{"disk": "$(DISK_LIMIT_IN_MB)", "mem": "$(MEMORY_LIMIT_IN_MB)"},
		"name":             app.Name,
		"process_id":       app.UID,
		"process_type":     "task",
		"space_name":       app.Namespace,
		"uris":             []string{},
	})
	if err != nil {
		panic(err) // plain strings: can't fail
	}
	return strings.NewReplacer(
		`"$(DISK_LIMIT_IN_MB)"`, `$(DISK_LIMIT_IN_MB)`,
		`"$(MEMORY_LIMIT_IN_MB)"`, `$(MEMORY_LIMIT_IN_MB)`,
	).Replace(string(b))
}

func port(app *v1alpha1.App) int {
	for _, c := range app.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			return int(p.ContainerPort)
		}
	}
	return defaultPort
}
