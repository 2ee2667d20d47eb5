package space

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Inherit is an App as its Tasks have it in a Space: what the App says stays, and what it leaves open is the Space's. A nil Space, of a
// namespace that has no such object, gives nothing. The App itself is not changed.
func Inherit(app *v1alpha1.App, of *v1alpha1.Space) *v1alpha1.App {
	if app == nil || of == nil {
		return app
	}
	app = app.DeepCopy()
	if queue := of.Labels[v1alpha1.KueueLabel]; queue != "" && app.Labels[v1alpha1.KueueLabel] == "" {
		metav1.SetMetaDataLabel(&app.ObjectMeta, v1alpha1.KueueLabel, queue)
	}
	pod := &app.Spec.Template.Spec
	if selector := of.Spec.RuntimeConfig.NodeSelector; len(selector) > 0 {
		all := maps.Clone(selector)
		maps.Copy(all, pod.NodeSelector)
		pod.NodeSelector = all
	}
	if len(pod.Containers) == 0 {
		pod.Containers = []corev1.Container{{Name: v1alpha1.UserContainer}}
	}
	own := max(0, slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == v1alpha1.UserContainer }))
	container := &pod.Containers[own]
	container.Env = environment(of.Spec.RuntimeConfig.Env, container.Env)
	container.Resources = resources(of.Spec.Defaults, container.Resources)
	return app
}

// environment is the Space's followed by the App's own, which wins and may refer to the Space's.
func environment(space []v1alpha1.SpaceEnvVar, own []corev1.EnvVar) []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, v := range space {
		if !slices.ContainsFunc(own, func(o corev1.EnvVar) bool { return o.Name == v.Name }) {
			all = append(all, corev1.EnvVar{Name: v.Name, Value: v.Value, ValueFrom: v.ValueFrom})
		}
	}
	return append(all, own...)
}

// resources are a container's, with the Space's defaults for those of which it names neither request nor limit. Of memory and disk a
// default is the limit as well, as a Task's own is.
func resources(defaults v1alpha1.SpaceDefaults, own corev1.ResourceRequirements) corev1.ResourceRequirements {
	for name, amount := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: defaults.CPU, corev1.ResourceMemory: defaults.Memory, corev1.ResourceEphemeralStorage: defaults.Disk,
	} {
		_, requested := own.Requests[name]
		_, limited := own.Limits[name]
		q, err := resource.ParseQuantity(amount)
		if requested || limited || err != nil { // the CRD takes none that is no quantity
			continue
		}
		if own.Requests == nil {
			own.Requests = corev1.ResourceList{}
		}
		own.Requests[name] = q
		if name == corev1.ResourceCPU {
			continue
		}
		if own.Limits == nil {
			own.Limits = corev1.ResourceList{}
		}
		own.Limits[name] = q
	}
	return own
}

// TaskTimeout is how long a Task may run that names no timeout: the Space's, or else the cluster's.
func TaskTimeout(of *v1alpha1.Space, cluster time.Duration) time.Duration {
	if of == nil || of.Spec.Defaults.TaskTimeout == nil {
		return cluster
	}
	return of.Spec.Defaults.TaskTimeout.Duration
}

// Retention is what a Space says of it in annotations' words, which win over those of its namespace.
func Retention(of *v1alpha1.Space, namespace map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, namespace)
	if of == nil {
		return all
	}
	r := of.Spec.Retention
	for annotation, said := range map[string]string{
		v1alpha1.RetainForAnnotation: r.For, v1alpha1.RetainPodsForAnnotation: r.PodsFor,
	} {
		if said != "" {
			all[annotation] = said
		}
	}
	if r.Tasks != nil {
		all[v1alpha1.RetainAnnotation] = r.Tasks.String()
	}
	if r.SucceededPerJob != nil {
		all[v1alpha1.RetainSucceededPerJobAnnotation] = r.SucceededPerJob.String()
	}
	if r.FailedPerJob != nil {
		all[v1alpha1.RetainFailedPerJobAnnotation] = r.FailedPerJob.String()
	}
	return all
}

// NotAllowed says which of the images of an App a Space does not allow, and which it does; "" if it allows all of them.
func NotAllowed(app *v1alpha1.App, of *v1alpha1.Space) string {
	switch {
	case of != nil && of.Unreadable != "":
		return fmt.Sprintf("whether the Space takes its image is not known: %.200s", of.Unreadable)
	case of == nil:
		return ""
	}
	images := []string{app.Status.Image} // what Tasks run
	for _, c := range app.Spec.Template.Spec.InitContainers {
		images = append(images, c.Image)
	}
	return notFrom(of, images)
}

// BuildNotAllowed says which of the images that an App names for its build a Space does not allow; "" if it allows all of them. What runs
// as the builder sees the credentials of the build, and what is put under the App is in its image. An operator's are allowed wherever
// they are. The source is only unpacked.
func BuildNotAllowed(app *v1alpha1.App, of *v1alpha1.Space, operators ...string) string {
	if of == nil || app.Spec.Build.Spec == nil {
		return ""
	}
	var images []string
	for _, param := range []string{v1alpha1.ParamBuilderImage, v1alpha1.ParamRunImage} {
		if image := app.Spec.Build.Spec.Param(param); !slices.Contains(operators, image) {
			images = append(images, image)
		}
	}
	return notFrom(of, images)
}

// notFrom says which image is from none of the registries that a Space allows; "" if there is none, or all are allowed.
func notFrom(of *v1alpha1.Space, images []string) string {
	allowed := of.Spec.Build.AllowedRegistries
	if len(allowed) == 0 {
		return ""
	}
	if registry := of.Status.BuildConfig.ContainerRegistry; registry != "" { // where its own builds go
		allowed = append(slices.Clip(allowed), registry)
	}
	for _, image := range images {
		if image != "" && !within(image, allowed) {
			return fmt.Sprintf("the Space takes no images from where %.200s is; it takes them from %s", image, strings.Join(allowed, ", "))
		}
	}
	return ""
}

// within says whether an image is in one of the registries, or below one of their paths. What is no image's name is in none, nor is one
// that leaves its path: a registry, or a proxy before it, may follow "..".
func within(image string, registries []string) bool {
	ref, err := name.ParseReference(image, name.WeakValidation)
	if err != nil {
		return false
	}
	repository := ref.Context().Name() + "/"
	if path.Clean(repository)+"/" != repository {
		return false
	}
	return slices.ContainsFunc(registries, func(registry string) bool {
		host, below, _ := strings.Cut(strings.TrimSuffix(registry, "/"), "/")
		parsed, err := name.NewRegistry(host, name.WeakValidation) // docker.io has another name as well
		if err != nil {
			return false
		}
		prefix := parsed.Name() + "/"
		if below != "" {
			prefix += below + "/"
		}
		return strings.HasPrefix(repository, prefix)
	})
}
