package pipelinerun

import (
	"fmt"
	"slices"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// awaitedPath is where the volume lies. Nobody needs it there: of volumes that no container mounts the kubelet takes no notice.
const awaitedPath = "/kf/awaited"

// awaitReferences makes a Task wait for the Secrets and ConfigMaps of its environment. A container whose environment refers to
// what is not there is a CreateContainerConfigError, for which Tekton ends the run at once; a volume of it is tried again by the
// kubelet until it is there, with Events that say its name. So the last step mounts, in a volume that only root can read, what
// the steps refer to and can't do without.
func awaitReferences(spec *tekton.TaskSpec) {
	var env []corev1.EnvVar
	var from []corev1.EnvFromSource
	for _, step := range spec.Steps {
		env, from = append(env, step.Env...), append(from, step.EnvFrom...)
	}
	sources := awaited(env, from)
	taken := func(v corev1.Volume) bool { return v.Name == v1alpha1.AwaitedVolume } // by the App: then it is as it always was
	if len(sources) == 0 || slices.ContainsFunc(spec.Volumes, taken) {
		return
	}
	mode := int32(0o400)
	spec.Volumes = append(slices.Clip(spec.Volumes), corev1.Volume{Name: v1alpha1.AwaitedVolume, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: sources, DefaultMode: &mode}}})
	last := &spec.Steps[len(spec.Steps)-1]
	last.VolumeMounts = append(slices.Clip(last.VolumeMounts),
		corev1.VolumeMount{Name: v1alpha1.AwaitedVolume, MountPath: awaitedPath, ReadOnly: true})
}

// awaited are the objects that an environment refers to, less what it calls optional: whole, or those of their keys that it names.
func awaited(env []corev1.EnvVar, from []corev1.EnvFromSource) []corev1.VolumeProjection {
	needed := func(optional *bool) bool { return optional == nil || !*optional }
	var all []corev1.VolumeProjection
	secret := func(ref corev1.LocalObjectReference, optional *bool, items ...corev1.KeyToPath) {
		if needed(optional) {
			all = append(all, corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: ref, Items: items}})
		}
	}
	configMap := func(ref corev1.LocalObjectReference, optional *bool, items ...corev1.KeyToPath) {
		if needed(optional) {
			all = append(all, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref, Items: items}})
		}
	}
	for _, f := range from {
		if r := f.SecretRef; r != nil {
			secret(r.LocalObjectReference, r.Optional)
		}
		if r := f.ConfigMapRef; r != nil {
			configMap(r.LocalObjectReference, r.Optional)
		}
	}
	for i, v := range env {
		// Each variable has a path of its own, for the same key may be used twice, and a name as well. No
		// key has a colon.
		item := func(key string) corev1.KeyToPath { return corev1.KeyToPath{Key: key, Path: fmt.Sprintf("env:/%d", i)} }
		switch {
		case v.ValueFrom == nil:
		case v.ValueFrom.SecretKeyRef != nil:
			r := v.ValueFrom.SecretKeyRef
			secret(r.LocalObjectReference, r.Optional, item(r.Key))
		case v.ValueFrom.ConfigMapKeyRef != nil:
			r := v.ValueFrom.ConfigMapKeyRef
			configMap(r.LocalObjectReference, r.Optional, item(r.Key))
		}
	}
	return all
}
