package main

import (
	"context"
	"iter"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// settingsNamespace and settingsName are where the cluster's settings of builds are.
const settingsNamespace, settingsName = "kf-tasks", "build"

// gather reads what is there of a Space.
func (h *Handler) gather(ctx context.Context, space *v1alpha1.Space) (found Found, err error) {
	if found.Settings, err = h.settings(ctx); err != nil {
		return found, err
	}
	if found.Namespace, err = client.Find(ctx, h.Kube.CoreV1().Namespaces(), "", space.Name); err != nil || found.Namespace == nil {
		return found, err
	}
	found.Bindings = map[string]*rbacv1.RoleBinding{}
	for _, name := range BindingNames {
		binding, err := client.Find(ctx, h.Kube.RbacV1().RoleBindings(space.Name), space.Name, name)
		if err != nil {
			return found, err
		}
		if binding != nil {
			found.Bindings[name] = binding
		}
	}
	return found, nil
}

// settings are the cluster's of builds, none where nobody has set any.
func (h *Handler) settings(ctx context.Context) (map[string]string, error) {
	config, err := client.Find(ctx, h.Kube.CoreV1().ConfigMaps(settingsNamespace), settingsNamespace, settingsName)
	if err != nil || config == nil {
		return nil, err
	}
	return config.Data, nil
}

// notInSync ranges over the Spaces that something is to be done for. It takes six reads however many Spaces there are, all but one from
// the API server's cache.
func (h *Handler) notInSync(ctx context.Context) iter.Seq2[*v1alpha1.Space, error] {
	return func(yield func(*v1alpha1.Space, error) bool) {
		there, err := h.gatherAll(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for space, err := range client.All[*v1alpha1.Space](ctx, h.Kf.Spaces(), metav1.ListOptions{ResourceVersion: "0"}) {
			if (err != nil || !InSync(space, there.of(space.Name))) && !yield(space, err) {
				return
			}
		}
	}
}

// everything is what there is of all Spaces.
type everything struct {
	namespaces map[string]*corev1.Namespace
	bindings   map[string]map[string]*rbacv1.RoleBinding // by namespace and name
	settings   map[string]string
}

func (e everything) of(space string) Found {
	return Found{Namespace: e.namespaces[space], Bindings: e.bindings[space], Settings: e.settings}
}

func (h *Handler) gatherAll(ctx context.Context) (e everything, err error) {
	e = everything{namespaces: map[string]*corev1.Namespace{}, bindings: map[string]map[string]*rbacv1.RoleBinding{}}
	if e.settings, err = h.settings(ctx); err != nil {
		return e, err
	}
	cached := metav1.ListOptions{ResourceVersion: "0"}
	for namespace, err := range client.All[*corev1.Namespace](ctx, h.Kube.CoreV1().Namespaces(), cached) {
		if err != nil {
			return e, err
		}
		e.namespaces[namespace.Name] = namespace
	}
	for _, name := range BindingNames {
		named := metav1.ListOptions{ResourceVersion: "0", FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
		for binding, err := range client.All[*rbacv1.RoleBinding](ctx, h.Kube.RbacV1().RoleBindings(""), named) {
			if err != nil {
				return e, err
			}
			if e.bindings[binding.Namespace] == nil {
				e.bindings[binding.Namespace] = map[string]*rbacv1.RoleBinding{}
			}
			e.bindings[binding.Namespace][name] = binding
		}
	}
	return e, nil
}
