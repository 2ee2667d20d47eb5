package main

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// placed are an App's directories with that of a binding among them, or without it where it has no files. A directory is named as the App
// knows the service, if it can be and no other is; else as the service, else as the binding.
func placed(all []v1alpha1.AppBinding, b *v1alpha1.ServiceInstanceBinding, files map[string][]byte) []v1alpha1.AppBinding {
	left := slices.DeleteFunc(slices.Clone(all), func(a v1alpha1.AppBinding) bool { return a.Binding == b.Name })
	taken := map[string]bool{}
	for _, a := range left {
		taken[a.Name] = true
	}
	for _, name := range []string{b.Spec.BindingNameOverride, b.Spec.InstanceRef.Name, b.Name} {
		if len(files) > 0 && len(validation.IsDNS1123Subdomain(name)) == 0 && !taken[name] {
			left = append(left, v1alpha1.AppBinding{
				Binding: b.Name, Name: name, Secret: v1alpha1.BindingFilesSecret(b.Name), Keys: slices.Sorted(maps.Keys(files)),
			})
			break
		}
	}
	slices.SortFunc(left, func(x, y v1alpha1.AppBinding) int { return strings.Compare(x.Binding, y.Binding) })
	return left
}
