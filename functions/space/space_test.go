package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func aSpace(change ...func(*v1alpha1.Space)) *v1alpha1.Space {
	s := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: "team", UID: "u", Generation: 1, Finalizers: []string{v1alpha1.SpaceFinalizer}}}
	s.Spec.Commanders = []v1alpha1.SpaceSubject{{Kind: "User", Name: "ann"}}
	no := false
	s.Spec.Services.UseSecrets = &no
	for _, c := range change {
		c(s)
	}
	return s
}

// has are the RoleBindings that the Space is to have.
func has(s *v1alpha1.Space, change ...func(*rbacv1.RoleBinding)) map[string]*rbacv1.RoleBinding {
	all := map[string]*rbacv1.RoleBinding{}
	for name, b := range wanted(s) {
		b.ResourceVersion = "1"
		for _, c := range change {
			c(b)
		}
		all[name] = b
	}
	return all
}

func TestNext(t *testing.T) {
	now := metav1.Now()
	deleting := func(s *v1alpha1.Space) { s.DeletionTimestamp = &now }
	noFinalizer := func(s *v1alpha1.Space) { s.Finalizers = nil }
	pulls := func(s *v1alpha1.Space) { s.Spec.Build.ReadPullSecrets = true }
	services := func(s *v1alpha1.Space) { s.Spec.Services.UseSecrets = nil }
	alone := func(s *v1alpha1.Space) { s.Spec.Commanders = nil }
	named := func(name string) func(*v1alpha1.Space) { return func(s *v1alpha1.Space) { s.Name = name } }
	made, other := namespaceOf(aSpace()), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	going, earlier := made.DeepCopy(), made.DeepCopy()
	going.DeletionTimestamp = &now
	earlier.Annotations[v1alpha1.SpaceUIDAnnotation] = "of an earlier Space of the name"
	othersRole := func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" }
	othersSubject := func(b *rbacv1.RoleBinding) { b.Subjects = []rbacv1.Subject{{Kind: "User", Name: "eve"}} }
	others := func(b *rbacv1.RoleBinding) { b.Labels = nil; othersSubject(b) }
	for name, test := range map[string]struct {
		space   *v1alpha1.Space
		found   Found
		action  Action
		binding string
	}{
		"new":                     {aSpace(noFinalizer), Found{}, AddFinalizer, ""},
		"marked":                  {aSpace(), Found{}, MakeNamespace, ""},
		"with its namespace":      {aSpace(), Found{Namespace: made}, Bind, commandersBinding},
		"with one that was there": {aSpace(), Found{Namespace: other}, Bind, commandersBinding},
		"done":                    {aSpace(), Found{Namespace: made, Bindings: has(aSpace())}, Nothing, ""},
		"with pull secrets":       {aSpace(pulls), Found{Namespace: made, Bindings: has(aSpace())}, Bind, buildPullBinding},
		"with Secrets of services, which is so when it says nothing": {aSpace(services), Found{Namespace: made, Bindings: has(aSpace())}, Bind, servicesBinding},
		"without, and it had them":                                   {aSpace(), Found{Namespace: made, Bindings: has(aSpace(services))}, Unbind, servicesBinding},
		"asks for less":                                              {aSpace(alone), Found{Namespace: made, Bindings: has(aSpace())}, Unbind, commandersBinding},
		"somebody changed a subject":                                 {aSpace(), Found{Namespace: made, Bindings: has(aSpace(), othersSubject)}, Bind, commandersBinding},
		"somebody changed a role":                                    {aSpace(), Found{Namespace: made, Bindings: has(aSpace(), othersRole)}, Unbind, commandersBinding},
		"somebody else's of the name":                                {aSpace(), Found{Namespace: made, Bindings: has(aSpace(), others)}, Nothing, ""},
		"the same, and asks for none":                                {aSpace(alone), Found{Namespace: made, Bindings: has(aSpace(), others)}, Nothing, ""},
		"its namespace is going":                                     {aSpace(), Found{Namespace: going}, Nothing, ""},
		"unreadable":                                                 {aSpace(func(s *v1alpha1.Space) { s.Unreadable = "spec.x can't be read" }), Found{Namespace: made}, Nothing, ""},
		"the cluster's own":                                          {aSpace(noFinalizer, named("kube-system")), Found{}, Nothing, ""},
		"deleted before it was marked":                               {aSpace(deleting, noFinalizer), Found{Namespace: made}, Nothing, ""},
		"deleted":                                                    {aSpace(deleting), Found{Namespace: made, Bindings: has(aSpace())}, DeleteNamespace, ""},
		"deleted, and unreadable": {aSpace(deleting, func(s *v1alpha1.Space) { s.Unreadable = "spec.x can't be read" }), Found{Namespace: made},
			DeleteNamespace, ""},
		"deleted, and its namespace goes":    {aSpace(deleting), Found{Namespace: going}, Nothing, ""},
		"deleted, and its namespace is gone": {aSpace(deleting), Found{}, RemoveFinalizer, ""},
		"deleted, with one that was there":   {aSpace(deleting), Found{Namespace: other, Bindings: has(aSpace())}, Unbind, commandersBinding},
		"the same, and somebody else's":      {aSpace(deleting), Found{Namespace: other, Bindings: has(aSpace(), others)}, RemoveFinalizer, ""},
		"deleted, with an earlier Space's":   {aSpace(deleting), Found{Namespace: earlier}, RemoveFinalizer, ""},
		"deleted, and the cluster's own": {aSpace(deleting, named("kube-system")), Found{Namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "kube-system", Annotations: map[string]string{v1alpha1.SpaceUIDAnnotation: "u"}}}}, RemoveFinalizer, ""},
	} {
		step := Next(test.space, test.found)
		got := ""
		if step.Binding != nil {
			got = step.Binding.Name
		}
		if step.Action != test.action || got != test.binding {
			t.Errorf("%s: %s %q, want %s %q", name, step.Action, got, test.action, test.binding)
		}
	}
}

// TestStepsComeToAnEnd: each step's effect is played, and the next is decided from what is there then.
func TestStepsComeToAnEnd(t *testing.T) {
	space := aSpace(func(s *v1alpha1.Space) { s.Finalizers = nil; s.Spec.Build.ReadPullSecrets = true })
	found := Found{Bindings: map[string]*rbacv1.RoleBinding{}}
	var taken []string
	for range 20 {
		step := Next(space, found)
		taken = append(taken, string(step.Action))
		switch step.Action {
		case AddFinalizer:
			space.Finalizers = []string{v1alpha1.SpaceFinalizer}
		case MakeNamespace:
			found.Namespace = namespaceOf(space)
		case Bind:
			found.Bindings[step.Binding.Name] = step.Binding
		case Nothing:
			if got, want := strings.Join(taken, ", "), "add finalizer, make namespace, bind, bind, nothing"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			return
		}
	}
	t.Error("it goes on for ever:", taken)
}

func TestWhatASpaceSaysOfItself(t *testing.T) {
	now := metav1.Now()
	made, other := namespaceOf(aSpace()), &corev1.Namespace{}
	going := made.DeepCopy()
	going.DeletionTimestamp = &now
	going.Status.Conditions = []corev1.NamespaceCondition{{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "tasks.kf.dev has 3"}}
	othersBinding := has(aSpace(), func(b *rbacv1.RoleBinding) { b.Labels = nil })
	deleting := func(s *v1alpha1.Space) { s.DeletionTimestamp = &now }
	for name, test := range map[string]struct {
		space   *v1alpha1.Space
		found   Found
		status  metav1.ConditionStatus
		reason  string
		message string
		origin  v1alpha1.NamespaceOrigin
	}{
		"new":                           {aSpace(), Found{}, "Unknown", "Pending", "yet to be made", ""},
		"made":                          {aSpace(), Found{Namespace: made}, "True", "NamespaceMade", "deleted with it", "Made"},
		"adopted":                       {aSpace(), Found{Namespace: other}, "True", "NamespaceAdopted", "stays", "Adopted"},
		"taken":                         {aSpace(), Found{Namespace: made, Bindings: othersBinding}, "False", "RoleBindingTaken", commandersBinding, "Made"},
		"deleted by hand":               {aSpace(), Found{Namespace: going}, "Unknown", "NamespaceTerminating", "tasks.kf.dev has 3", "Made"},
		"deleted":                       {aSpace(deleting), Found{Namespace: going}, "False", "Deleting", "all that is in it (tasks.kf.dev has 3)", "Made"},
		"deleted, and was there before": {aSpace(deleting), Found{Namespace: other}, "False", "Deleting", "stays", "Adopted"},
		"refused":                       {aSpace(), Found{Refused: "make namespace: denied"}, "False", "StepRefused", "denied", ""},
		"the cluster's own":             {aSpace(func(s *v1alpha1.Space) { s.Name = "tekton-pipelines" }), Found{}, "False", "NameRefused", "another name", ""},
		"unreadable":                    {aSpace(func(s *v1alpha1.Space) { s.Unreadable = "spec.x" }), Found{}, "False", "InvalidSpace", "spec.x", ""},
	} {
		Observe(test.space, test.found, now.Time)
		c := test.space.Status.Conditions[0]
		if c.Status != test.status || c.Reason != test.reason || !strings.Contains(c.Message, test.message) || test.space.Status.Namespace != test.origin {
			t.Errorf("%s: %+v %q, want %s %s %q %q", name, c, test.space.Status.Namespace, test.status, test.reason, test.message, test.origin)
		}
		before := test.space.DeepCopy()
		Observe(test.space, test.found, now.Add(time.Hour))
		if !equalStatus(before.Status, test.space.Status) || before.Status.Conditions[0] != test.space.Status.Conditions[0] {
			t.Errorf("%s: said twice it is another: %+v", name, test.space.Status)
		}
	}
}

func TestBuildsOfASpace(t *testing.T) {
	settings := map[string]string{"containerRegistry": "registry.example/all", "builderImage": "b", "runImage": "r"}
	no := false
	for name, test := range map[string]struct {
		change   func(*v1alpha1.Space)
		settings map[string]string
		registry string
		stack    string
		v3       bool
	}{
		"the cluster's":   {func(*v1alpha1.Space) {}, settings, "registry.example/all", "b on r", true},
		"its own":         {func(s *v1alpha1.Space) { s.Spec.BuildConfig.ContainerRegistry = "registry.example/team" }, settings, "registry.example/team", "b on r", true},
		"its own builder": {func(s *v1alpha1.Space) { s.Spec.Build.BuilderImage = "mine" }, settings, "registry.example/all", "mine on r", true},
		"none":            {func(*v1alpha1.Space) {}, nil, "", "", true},
		"a builder's own": {func(s *v1alpha1.Space) { s.Spec.Build.BuilderImage = "mine" }, nil, "", "mine on ", true},
		"half a stack":    {func(s *v1alpha1.Space) { s.Spec.Build.RunImage = "mine" }, nil, "", "", true},
		"not Kf's choice": {func(s *v1alpha1.Space) { s.Spec.BuildConfig.DefaultToV3Stack = &no }, settings, "registry.example/all", "b on r", false},
	} {
		c := buildConfig(aSpace(test.change), test.settings)
		stack := ""
		for _, s := range c.StacksV3 {
			stack += s.BuildImage + " on " + s.RunImage
		}
		if c.ContainerRegistry != test.registry || stack != test.stack || c.DefaultToV3Stack != test.v3 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestInSync: nothing is to be done for a Space that says what is there, and something for one that does not.
func TestInSync(t *testing.T) {
	space := aSpace()
	found := Found{Namespace: namespaceOf(space), Bindings: has(space), Settings: map[string]string{"containerRegistry": "a"}}
	if InSync(space, found) {
		t.Error("it has said nothing yet")
	}
	Observe(space, found, time.Now())
	if !InSync(space, found) {
		t.Error("all is done and said")
	}
	found.Settings = map[string]string{"containerRegistry": "b"}
	if InSync(space, found) {
		t.Error("the cluster's registry has changed")
	}
}
