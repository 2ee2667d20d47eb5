package pipelinerun

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// The variable that says where the bindings are, and its value where the App has none (servicebinding.io, spec 1.1, Workload Projection).
const (
	serviceBindingRoot = "SERVICE_BINDING_ROOT"
	defaultRoot        = "/bindings"
)

// project gives a container the files of the App's bindings: of each a directory, in it a file for each key. Each file is a mount of its
// own (subPath): the kubelet brings a Secret that is mounted whole up to date in a Pod that runs, and a change is for the next Task. A
// Secret that is gone, for the App was unbound since, keeps no Task from starting, as with VCAP_SERVICES.
func project(app *v1alpha1.App, c corev1.Container) corev1.Container {
	if len(app.Status.Bindings) == 0 {
		return c
	}
	root := ""
	for _, v := range c.Env {
		if v.Name == serviceBindingRoot {
			root = v.Value // the App's own is to be used (servicebinding.io)
		}
	}
	if !path.IsAbs(root) || strings.Contains(root, "$") {
		root = defaultRoot
		c.Env = append(slices.Clip(c.Env), corev1.EnvVar{Name: serviceBindingRoot, Value: root})
	}
	c.VolumeMounts = slices.Clip(c.VolumeMounts)
	for i, b := range app.Status.Bindings {
		for _, key := range b.Keys {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{
				Name: bindingVolume(i), MountPath: path.Join(root, b.Name, key), SubPath: key, ReadOnly: true,
			})
		}
	}
	return c
}

// bindingVolumes are the volumes of the App's bindings.
func bindingVolumes(app *v1alpha1.App) (volumes []corev1.Volume) {
	yes := true
	for i, b := range app.Status.Bindings {
		volumes = append(volumes, corev1.Volume{Name: bindingVolume(i), VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: b.Secret, Optional: &yes},
		}})
	}
	return volumes
}

func bindingVolume(i int) string { return fmt.Sprintf("kf-service-binding-%d", i) }
