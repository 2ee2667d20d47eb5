package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
)

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
			c.Message = "somebody else's RoleBinding has a name that the Space needs: delete it in the namespace: " +
				strings.Join(taken, ", ")
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
		ContainerRegistry: cmp.Or(said.ContainerRegistry, settings[build.KeyContainerRegistry]),
		ServiceAccount:    said.ServiceAccount, Env: said.Env,
		DefaultToV3Stack: said.DefaultToV3Stack == nil || *said.DefaultToV3Stack,
	}
	builder := cmp.Or(space.Spec.Build.BuilderImage, settings[build.KeyBuilderImage])
	run := cmp.Or(space.Spec.Build.RunImage, settings[build.KeyRunImage])
	if builder != "" { // without a run image it is the builder's own
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
