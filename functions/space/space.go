package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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
)

// BindingNames are all of them.
var BindingNames = []string{commandersBinding, buildPullBinding}

// The cluster's settings of builds, as they are called in the ConfigMap.
const (
	settingRegistry = "containerRegistry"
	settingBuilder  = "builderImage"
	settingRun      = "runImage"
)

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
	if space.Spec.Build.ReadPullSecrets {
		add(buildPullBinding, "kf-tasks-build-pull",
			[]rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "build", Namespace: "kf-tasks"}})
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

// Observe writes into a Space's status what is there of it.
func Observe(space *v1alpha1.Space, found Found, now time.Time) {
	s := &space.Status
	s.ObservedGeneration = space.Generation
	s.Namespace = ""
	if found.Namespace != nil {
		s.Namespace = v1alpha1.NamespaceAdopted
		if madeFor(space, found.Namespace) {
			s.Namespace = v1alpha1.NamespaceMade
		}
	}
	s.BuildConfig = buildConfig(space, found.Settings)
	s.RuntimeConfig.Env = space.Spec.RuntimeConfig.Env
	ready := ready(space, found)
	v1alpha1.SetCondition(space, &s.Conditions, ready, now)
	there := metav1.Condition{Type: v1alpha1.ConditionNamespaceReady, Status: ready.Status, Reason: ready.Reason, Message: ready.Message}
	if ready.Reason == v1alpha1.ReasonRoleBindingTaken || ready.Reason == v1alpha1.ReasonStepRefused && found.Namespace != nil {
		there.Status, there.Message = metav1.ConditionTrue, ""
	}
	v1alpha1.SetCondition(space, &s.Conditions, there, now)
}

// ready is what a Space says of itself.
func ready(space *v1alpha1.Space, found Found) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case space.DeletionTimestamp != nil:
		c.Reason = v1alpha1.ReasonDeleting
		c.Message = "the Space is being deleted; its namespace was there before, and stays"
		if found.Namespace == nil || madeFor(space, found.Namespace) {
			c.Message = "the Space is being deleted, and with it its namespace and all that is in it" + remaining(found.Namespace)
		}
	case space.Unreadable != "":
		c.Reason, c.Message = v1alpha1.ReasonInvalidSpace, space.Unreadable+": change it, and the Space can be used"
	case v1alpha1.ClustersOwn(space.Name):
		c.Reason = v1alpha1.ReasonNameRefused
		c.Message = "the namespace " + space.Name + " is the cluster's own and can't be a Space: make one of another name"
	case found.Refused != "":
		c.Reason, c.Message = v1alpha1.ReasonStepRefused, found.Refused+"; it is tried again every ten seconds"
	case found.Namespace == nil:
		c.Status, c.Reason = metav1.ConditionUnknown, v1alpha1.ReasonPending
		c.Message = "its namespace is yet to be made"
	case found.Namespace.DeletionTimestamp != nil:
		c.Status, c.Reason = metav1.ConditionUnknown, v1alpha1.ReasonNamespaceTerminating
		c.Message = "somebody has deleted the namespace; it is made again, empty, when it is gone. Delete the Space if it is to stay away" +
			remaining(found.Namespace)
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1alpha1.ReasonNamespaceAdopted
		c.Message = "the namespace was there before: it stays when the Space is deleted"
		if madeFor(space, found.Namespace) {
			c.Reason, c.Message = v1alpha1.ReasonNamespaceMade, "the namespace was made for the Space: it is deleted with it"
		}
		if taken := taken(space, found); len(taken) > 0 {
			c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonRoleBindingTaken
			c.Message = "somebody else's RoleBinding has a name that the Space needs: delete it in the namespace: " + strings.Join(taken, ", ")
		}
	}
	return c
}

// taken are the names of RoleBindings that are wanted and somebody else's.
func taken(space *v1alpha1.Space, found Found) (names []string) {
	for name := range wanted(space) {
		if is := found.Bindings[name]; is != nil && !isOurs(space, is) {
			names = append(names, name)
		}
	}
	slices.Sort(names) // the same words each time: they are a status
	return names
}

// remaining is what Kubernetes says keeps a namespace that is to go.
func remaining(namespace *corev1.Namespace) string {
	if namespace == nil {
		return ""
	}
	var all []string
	for _, c := range namespace.Status.Conditions {
		if c.Status == corev1.ConditionTrue && c.Message != "" {
			all = append(all, c.Message)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}

// buildConfig is what holds for builds: the Space's, or else the cluster's.
func buildConfig(space *v1alpha1.Space, settings map[string]string) v1alpha1.SpaceStatusBuildConfig {
	said := space.Spec.BuildConfig
	c := v1alpha1.SpaceStatusBuildConfig{
		ContainerRegistry: cmp.Or(said.ContainerRegistry, settings[settingRegistry]),
		ServiceAccount:    said.ServiceAccount, Env: said.Env,
		DefaultToV3Stack: said.DefaultToV3Stack == nil || *said.DefaultToV3Stack,
	}
	builder := cmp.Or(space.Spec.Build.BuilderImage, settings[settingBuilder])
	run := cmp.Or(space.Spec.Build.RunImage, settings[settingRun])
	if builder != "" && run != "" {
		c.StacksV3 = []v1alpha1.StackV3{{Name: "default", Description: "the builder of this Space", BuildImage: builder, RunImage: run}}
	}
	return c
}

// InSync says whether there is nothing to do for a Space, and nothing to say of it.
func InSync(space *v1alpha1.Space, found Found) bool {
	if Next(space, found).Action != Nothing {
		return false
	}
	said := space.DeepCopy()
	Observe(said, found, time.Time{})
	return equalStatus(space.Status, said.Status)
}

// equalStatus compares what is said, whenever it was.
func equalStatus(a, b v1alpha1.SpaceStatus) bool {
	for _, s := range []*v1alpha1.SpaceStatus{&a, &b} {
		s.Conditions = slices.Clone(s.Conditions)
		for i := range s.Conditions {
			s.Conditions[i].LastTransitionTime = metav1.Time{}
		}
	}
	return equality.Semantic.DeepEqual(a, b)
}
