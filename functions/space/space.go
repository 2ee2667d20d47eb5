package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// Action is one step towards what a Space asks for.
type Action string

// Actions. There is one at a time: each is decided from what is there, so that it does not matter where the one before was cut off.
const (
	Nothing         Action = "nothing"
	AddFinalizer    Action = "add finalizer"
	MakeNamespace   Action = "make namespace"
	Bind            Action = "bind"   // make a RoleBinding, or give it the subjects that it is to have
	Unbind          Action = "unbind" // delete a RoleBinding that was made for the Space
	DeleteNamespace Action = "delete namespace"
	RemoveFinalizer Action = "remove finalizer"
)

// Step is an Action, and with what.
type Step struct {
	Action  Action
	Binding *rbacv1.RoleBinding // as it is to be, for Bind; as it is, for Unbind
}

// Found is what is there of a Space.
type Found struct {
	Namespace *corev1.Namespace              // nil if there is none
	Bindings  map[string]*rbacv1.RoleBinding // by name, of those in BindingNames that are there
	Settings  map[string]string              // of builds, the cluster's: the ConfigMap build
	Refused   string                         // why the API server did not take the step that was decided on
}

// The RoleBindings that a Space may have. Their names are fixed, so that the function needs a right to no others.
const (
	commandersBinding = "kf-space-commanders"
	buildPullBinding  = "kf-space-build-pull"
	servicesBinding   = "kf-space-bind"
)

// BindingNames are all of them.
var BindingNames = []string{commandersBinding, buildPullBinding, servicesBinding}

// Next is what is to be done first for a Space.
func Next(space *v1alpha1.Space, found Found) Step {
	held := slices.Contains(space.Finalizers, v1alpha1.SpaceFinalizer)
	switch {
	case space.DeletionTimestamp != nil && held:
		return letGo(space, found)
	case space.DeletionTimestamp != nil || space.Unreadable != "" || v1alpha1.ClustersOwn(space.Name):
		return Step{Action: Nothing} // the status says why
	case !held:
		return Step{Action: AddFinalizer} // first: else the Space could go, and leave behind what was made for it
	case found.Namespace == nil:
		return Step{Action: MakeNamespace}
	case found.Namespace.DeletionTimestamp != nil:
		return Step{Action: Nothing} // nothing can be made in it; when it is gone, it is made again
	}
	for _, name := range BindingNames {
		if step := bindingStep(space, name, wanted(space)[name], found.Bindings[name]); step.Action != Nothing {
			return step
		}
	}
	return Step{Action: Nothing}
}

// letGo takes back what was made for a Space that is to go. The namespace goes with it only if it was made for this very Space.
func letGo(space *v1alpha1.Space, found Found) Step {
	switch {
	case found.Namespace == nil:
		return Step{Action: RemoveFinalizer}
	case madeFor(space, found.Namespace) && found.Namespace.DeletionTimestamp == nil:
		return Step{Action: DeleteNamespace}
	case madeFor(space, found.Namespace):
		return Step{Action: Nothing} // it is going: the Space says so until it is gone
	}
	for _, name := range BindingNames {
		if is := found.Bindings[name]; is != nil && isOurs(space, is) {
			return Step{Unbind, is}
		}
	}
	return Step{Action: RemoveFinalizer}
}

// bindingStep is what is to be done about one RoleBinding, of which each may be nil.
func bindingStep(space *v1alpha1.Space, name string, want, is *rbacv1.RoleBinding) Step {
	switch {
	case want == nil && is == nil, is != nil && !isOurs(space, is): // somebody else's stays, wanted or not
		return Step{Action: Nothing}
	case want == nil, is != nil && is.RoleRef != want.RoleRef: // which can't be changed
		return Step{Unbind, is}
	case is == nil:
		return Step{Bind, want}
	case slices.Equal(is.Subjects, want.Subjects):
		return Step{Action: Nothing}
	}
	change := is.DeepCopy()
	change.Subjects = want.Subjects
	return Step{Bind, change}
}

// wanted are the RoleBindings that a Space is to have, by name.
func wanted(space *v1alpha1.Space) map[string]*rbacv1.RoleBinding {
	all := map[string]*rbacv1.RoleBinding{}
	add := func(name, role string, subjects []rbacv1.Subject) {
		all[name] = &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: space.Name, Labels: ourLabels(space)},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, Subjects: subjects,
		}
	}
	var commanders []rbacv1.Subject
	for _, s := range space.Spec.Commanders {
		subject := rbacv1.Subject{Kind: s.Kind, Name: s.Name, Namespace: s.Namespace}
		if s.Kind != rbacv1.ServiceAccountKind {
			subject.APIGroup = rbacv1.GroupName
		}
		commanders = append(commanders, subject)
	}
	if len(commanders) > 0 {
		add(commandersBinding, "kf-tasks-commander", commanders)
	}
	function := func(name string) []rbacv1.Subject {
		return []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: "kf-tasks"}}
	}
	if space.Spec.Build.ReadPullSecrets {
		add(buildPullBinding, "kf-tasks-build-pull", function("build"))
	}
	if use := space.Spec.Services.UseSecrets; use == nil || *use { // Kf's CLI, which makes Spaces too, knows no such field
		add(servicesBinding, "kf-tasks-bind-secrets", function("bind"))
	}
	return all
}

func ourLabels(space *v1alpha1.Space) map[string]string {
	return map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf, v1alpha1.SpaceLabel: space.Name}
}

func isOurs(space *v1alpha1.Space, binding *rbacv1.RoleBinding) bool {
	return binding.Labels[v1alpha1.SpaceLabel] == space.Name
}

// namespaceOf is the namespace of a Space as it is made.
func namespaceOf(space *v1alpha1.Space) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: space.Name, Labels: ourLabels(space), Annotations: map[string]string{v1alpha1.SpaceUIDAnnotation: string(space.UID)},
	}}
}

// madeFor says whether a namespace was made for this very Space: not for an earlier one of the name, nor by somebody else.
func madeFor(space *v1alpha1.Space, namespace *corev1.Namespace) bool {
	return space.UID != "" && namespace.Annotations[v1alpha1.SpaceUIDAnnotation] == string(space.UID) &&
		!v1alpha1.ClustersOwn(namespace.Name)
}
