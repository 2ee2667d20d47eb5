package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// takesAll is a spec that takes all that a Space can take: a RoleBinding of each kind.
func takesAll(s *v1alpha1.Space) {
	s.Spec.Commanders = []v1alpha1.SpaceSubject{{Kind: "User", Name: "ann"}, {Kind: "ServiceAccount", Namespace: "ci", Name: "deployer"}}
	s.Spec.Build.ReadPullSecrets = true
}

// newSpace makes a Space, and takes it and its namespace away with the test.
func newSpace(t testing.TB, c *harness.Cluster, name string, changes ...func(*v1alpha1.Space)) *v1alpha1.Space {
	t.Helper()
	s := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, change := range changes {
		change(s)
	}
	s, err := c.Kf.Spaces().Create(ctx, s, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kf.Spaces().Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		c.Kf.Spaces().Delete(ctx, name, metav1.DeleteOptions{})
		c.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	})
	return s
}

func freshName(prefix string) string { return prefix + "-" + rand.String(8) }

// readSpace is the Space as it stands.
func readSpace(t testing.TB, c *harness.Cluster, name string) *v1alpha1.Space {
	t.Helper()
	s, err := c.Kf.Spaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantReady fails unless the Space says so of itself.
func wantReady(t testing.TB, c *harness.Cluster, name string, status metav1.ConditionStatus, reason string) *v1alpha1.Space {
	t.Helper()
	s := readSpace(t, c, name)
	ready := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != status || ready.Reason != reason || s.Status.ObservedGeneration != s.Generation {
		t.Errorf("Space %s of generation %d: %+v, want %s %s", name, s.Generation, s.Status, status, reason)
	}
	return s
}

func roleBinding(t testing.TB, c *harness.Cluster, space, name string) *rbacv1.RoleBinding {
	t.Helper()
	b, err := client.Find(ctx, c.Kube.RbacV1().RoleBindings(space), space, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func aSpaceToMake(w *harness.World, _ *harness.Function) work {
	name := freshName("space")
	s := newSpace(w, w.Cluster, name, takesAll)
	return work{event: harness.Added("Space", s), ended: func() error {
		s, err := w.Kf.Spaces().Get(ctx, name, metav1.GetOptions{})
		w.Must(err)
		ns, err := client.Find(ctx, w.Kube.CoreV1().Namespaces(), "", name)
		w.Must(err)
		ready := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady)
		commanders, pull := roleBinding(w, w.Cluster, name, "kf-space-commanders"), roleBinding(w, w.Cluster, name, "kf-space-build-pull")
		if ns == nil || ns.Annotations[v1alpha1.SpaceUIDAnnotation] != string(s.UID) || commanders == nil || len(commanders.Subjects) != 2 || pull == nil ||
			ready == nil || ready.Reason != v1alpha1.ReasonNamespaceMade {
			return fmt.Errorf("namespace %+v, RoleBindings %+v, %+v, status %+v", ns, commanders, pull, s.Status)
		}
		return nil
	}}
}

// TestASpaceMakesItsNamespaceAndTakesItAlong: from its creation to its end, which is when the namespace is gone.
func TestASpaceMakesItsNamespaceAndTakesItAlong(t *testing.T) {
	c := harness.New(t)
	f, name := c.Function(t, "space"), freshName("team")
	s := newSpace(t, c, name, takesAll, func(s *v1alpha1.Space) { s.Spec.BuildConfig.ContainerRegistry = "registry.example/team" })
	f.Deliver(harness.Added("Space", s))
	s = wantReady(t, c, name, metav1.ConditionTrue, v1alpha1.ReasonNamespaceMade)
	if s.Status.BuildConfig.ContainerRegistry != "registry.example/team" || s.Status.Namespace != v1alpha1.NamespaceMade {
		t.Errorf("%+v", s.Status)
	}
	f.Proxy.Inject(nil)
	f.Deliver(harness.Updated("Space", s))
	if reads, writes := f.Proxy.Counts(); reads+writes != 0 {
		t.Errorf("the event of its own write cost %d reads and %d writes", reads, writes)
	}
	if err := c.Kf.Spaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Updated("Space", readSpace(t, c, name)))
	harness.Eventually(t, 2*time.Minute, func() error { // Kubernetes empties the namespace
		f.Deliver(harness.Ping("resync"))
		if s, err := client.Find(ctx, c.Kf.Spaces(), "", name); err != nil || s != nil {
			return fmt.Errorf("the Space is still there: %v", err)
		}
		return nil
	})
	if ns, err := client.Find(ctx, c.Kube.CoreV1().Namespaces(), "", name); ns != nil || err != nil {
		t.Errorf("the Space went before its namespace: %v", err)
	}
}

// TestASpaceUsesANamespaceThatWasThere, and leaves it there, with what is not the Space's.
func TestASpaceUsesANamespaceThatWasThere(t *testing.T) {
	c := harness.New(t)
	f, name := c.Function(t, "space"), c.Namespace(t, "adopted")
	before, err := c.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	own := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kf-space-build-pull"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}}
	if _, err := c.Kube.RbacV1().RoleBindings(name).Create(ctx, own, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Added("Space", newSpace(t, c, name, takesAll)))
	s := wantReady(t, c, name, metav1.ConditionFalse, v1alpha1.ReasonRoleBindingTaken)
	if s.Status.Namespace != v1alpha1.NamespaceAdopted || roleBinding(t, c, name, "kf-space-commanders") == nil {
		t.Errorf("%+v", s.Status)
	}
	if err := c.Kf.Spaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync"))
	if s, err := client.Find(ctx, c.Kf.Spaces(), "", name); s != nil || err != nil {
		t.Errorf("the Space is still there: %v", err)
	}
	after, err := c.Kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if err != nil || after.ResourceVersion != before.ResourceVersion || roleBinding(t, c, name, "kf-space-commanders") != nil {
		t.Errorf("%v: the namespace was changed, or has kept what was the Space's", err)
	}
	if b := roleBinding(t, c, name, "kf-space-build-pull"); b == nil || b.RoleRef.Name != "view" {
		t.Errorf("somebody else's RoleBinding is %+v", b)
	}
}

// TestWhatIsTakenFromASpaceIsPutBack, and what it does not ask for any more is taken back.
func TestWhatIsTakenFromASpaceIsPutBack(t *testing.T) {
	c := harness.New(t)
	f, name := c.Function(t, "space"), freshName("kept")
	f.Deliver(harness.Added("Space", newSpace(t, c, name, takesAll)))
	bindings := c.Kube.RbacV1().RoleBindings(name)
	if err := bindings.Delete(ctx, "kf-space-commanders", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eve := []byte(`{"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"eve"}]}`)
	if _, err := bindings.Patch(ctx, "kf-space-build-pull", types.MergePatchType, eve, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync"))
	if b := roleBinding(t, c, name, "kf-space-commanders"); b == nil || len(b.Subjects) != 2 {
		t.Errorf("%+v", b)
	}
	if b := roleBinding(t, c, name, "kf-space-build-pull"); b == nil || b.Subjects[0].Name != "build" {
		t.Errorf("%+v", b)
	}
	nobody := []byte(`{"spec":{"commanders":null,"build":{"readPullSecrets":false}}}`)
	s, err := c.Kf.Spaces().Patch(ctx, name, types.MergePatchType, nobody, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Updated("Space", s))
	for _, b := range []string{"kf-space-commanders", "kf-space-build-pull"} {
		if roleBinding(t, c, name, b) != nil {
			t.Errorf("%s is still there", b)
		}
	}
	f.Proxy.Inject(nil)
	f.Deliver(harness.Ping("resync"))
	if _, writes := f.Proxy.Counts(); writes != 0 {
		t.Errorf("with nothing to do, a resync writes: %v", f.Proxy.Requests())
	}
	if err := c.Kube.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 2*time.Minute, func() error {
		f.Deliver(harness.Ping("resync"))
		ns, err := client.Find(ctx, c.Kube.CoreV1().Namespaces(), "", name)
		if err == nil && (ns == nil || ns.DeletionTimestamp != nil) {
			err = fmt.Errorf("the namespace that somebody deleted is not made again: %+v", readSpace(t, c, name).Status.Conditions)
		}
		return err
	})
}

// TestSpacesThatCantBe are refused where they are made, in words that say what to do.
func TestSpacesThatCantBe(t *testing.T) {
	c := harness.New(t)
	for says, s := range map[string]*v1alpha1.Space{
		"is the cluster's own": {ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}},
		"another name":         {ObjectMeta: metav1.ObjectMeta{Name: "tekton-pipelines"}},
		"knative-*":            {ObjectMeta: metav1.ObjectMeta{Name: "knative-eventing"}},
		"kf-tasks":             {ObjectMeta: metav1.ObjectMeta{Name: "kf-tasks"}},
		"default":              {ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		"lower case letters":   {ObjectMeta: metav1.ObjectMeta{Name: "a.b"}},
		"such as registry.example/kf": {ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: v1alpha1.SpaceSpec{BuildConfig: v1alpha1.SpaceBuildConfig{ContainerRegistry: "https://registry.example"}}},
		"such as registry.example/team": {ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: v1alpha1.SpaceSpec{Build: v1alpha1.SpaceBuild{AllowedRegistries: []string{"registry.example", "*.example"}}}},
		"512Mi":              {ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.SpaceSpec{Defaults: v1alpha1.SpaceDefaults{Memory: "512m"}}},
		"a number from 1":    {ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.SpaceSpec{Retention: v1alpha1.SpaceRetention{Tasks: &intstr.IntOrString{}}}},
		"such as 36h or 30d": {ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.SpaceSpec{Retention: v1alpha1.SpaceRetention{For: "for ever"}}},
		"where a ServiceAccount": {ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Spec: v1alpha1.SpaceSpec{Commanders: []v1alpha1.SpaceSubject{{Kind: "ServiceAccount", Name: "x"}}}},
		"spec.runtimeConfig.env": {ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: v1alpha1.SpaceSpec{RuntimeConfig: v1alpha1.SpaceRuntimeConfig{
			Env: []v1alpha1.SpaceEnvVar{{EnvVar: v1alpha1.EnvVar{Name: "A=B"}}}}}},
	} {
		_, err := c.Kf.Spaces().Create(ctx, s, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", s.Name, err, says)
		}
	}
}

// TestTheFunctionSpaceDeletesNoOtherNamespace, whatever it is told, and binds no other role.
func TestTheFunctionSpaceDeletesNoOtherNamespace(t *testing.T) {
	c := harness.New(t)
	c.Function(t, "space") // which makes its rights
	account := c.As(t, "space")
	other, made := c.Namespace(t, "other"), freshName("made")
	err := account.Kube.CoreV1().Namespaces().Delete(ctx, other, metav1.DeleteOptions{})
	if err == nil || !strings.Contains(err.Error(), "only a namespace that was made for a Space") {
		t.Errorf("it deletes any namespace: %v", err)
	}
	if _, err := account.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: made,
		Annotations: map[string]string{v1alpha1.SpaceUIDAnnotation: "u"}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := account.Kube.CoreV1().Namespaces().Delete(ctx, made, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// TestTheFunctionSpaceBindsThreeRolesAndNoMore: with a role that reads Secrets it could else give itself those of any namespace.
func TestTheFunctionSpaceBindsThreeRolesAndNoMore(t *testing.T) {
	c := harness.New(t)
	c.Function(t, "space") // which makes its rights
	account, other := c.As(t, "space"), c.Namespace(t, "other")
	build := rbacv1.Subject{Kind: "ServiceAccount", Namespace: harness.SystemNamespace, Name: "build"}
	bind := rbacv1.Subject{Kind: "ServiceAccount", Namespace: harness.SystemNamespace, Name: "bind"}
	itself := rbacv1.Subject{Kind: "ServiceAccount", Namespace: harness.SystemNamespace, Name: "space"}
	anyone := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "ann"}
	for what, b := range map[string]struct {
		namespace, name, role string
		subject               rbacv1.Subject
		allowed               bool
	}{
		"commanders":                     {other, "kf-space-commanders", "kf-tasks-commander", anyone, true},
		"build":                          {other, "kf-space-build-pull", "kf-tasks-build-pull", build, true},
		"bind":                           {other, "kf-space-bind", "kf-tasks-bind-secrets", bind, true},
		"those of bind for itself":       {other, "kf-space-bind", "kf-tasks-bind-secrets", itself, false},
		"those of bind for build":        {other, "kf-space-bind", "kf-tasks-bind-secrets", build, false},
		"those of bind for commanders":   {other, "kf-space-commanders", "kf-tasks-bind-secrets", anyone, false},
		"those of bind in this system":   {harness.SystemNamespace, "kf-space-bind", "kf-tasks-bind-secrets", bind, false},
		"Secrets for itself":             {other, "kf-space-build-pull", "kf-tasks-build-pull", itself, false},
		"Secrets for a user":             {other, "kf-space-build-pull", "kf-tasks-build-pull", anyone, false},
		"Secrets for commanders":         {other, "kf-space-commanders", "kf-tasks-build-pull", anyone, false},
		"another name":                   {other, "any", "kf-tasks-build-pull", build, false},
		"edit":                           {other, "kf-space-commanders", "edit", anyone, false},
		"cluster-admin":                  {other, "kf-space-commanders", "cluster-admin", itself, false},
		"the cluster's own":              {"kube-public", "kf-space-commanders", "kf-tasks-commander", anyone, false},
		"Secrets of the cluster's own":   {"kube-public", "kf-space-build-pull", "kf-tasks-build-pull", build, false},
		"this system's own":              {harness.SystemNamespace, "kf-space-commanders", "kf-tasks-commander", anyone, false},
		"Secrets of this system's own":   {harness.SystemNamespace, "kf-space-build-pull", "kf-tasks-build-pull", build, false},
		"a name of the API server's own": {other, "", "kf-tasks-commander", anyone, false},
	} {
		made := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: b.name}, Subjects: []rbacv1.Subject{b.subject},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: b.role}}
		if b.name == "" {
			made.GenerateName = "kf-space-commanders-"
		}
		made, err := account.Kube.RbacV1().RoleBindings(b.namespace).Create(ctx, made, metav1.CreateOptions{})
		if b.allowed && err != nil || !b.allowed && !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil {
			continue
		}
		made.Subjects = []rbacv1.Subject{itself}
		_, err = account.Kube.RbacV1().RoleBindings(b.namespace).Update(ctx, made, metav1.UpdateOptions{})
		if commanders := b.role == "kf-tasks-commander"; commanders && err != nil || !commanders && !apierrors.IsForbidden(err) {
			t.Errorf("%s, and then itself: %v", what, err)
		}
		if err := account.Kube.RbacV1().RoleBindings(b.namespace).Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// TestWhoMayNotDeleteANamespaceCannotHaveItDeleted with a Space that uses it, by saying that it was made for that.
func TestWhoMayNotDeleteANamespaceCannotHaveItDeleted(t *testing.T) {
	c := harness.New(t)
	name := c.Namespace(t, "adopted")
	space := newSpace(t, c, name)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "changes"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "patch"}}}}
	if _, err := c.Kube.RbacV1().Roles(name).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	bound := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "changes"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "changes"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "ann"}}}
	if _, err := c.Kube.RbacV1().RoleBindings(name).Create(ctx, bound, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	as := rest.CopyConfig(c.Config)
	as.Impersonate = rest.ImpersonationConfig{UserName: "ann"}
	ann, err := kubernetes.NewForConfig(as)
	if err != nil {
		t.Fatal(err)
	}
	says := func(by kubernetes.Interface, annotation, value string) error {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, annotation, value)
		_, err := by.CoreV1().Namespaces().Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	uid := fmt.Sprintf("%q", space.UID)
	harness.Eventually(t, time.Minute, func() error { return says(ann, "hers", `"1"`) }) // the right takes effect a moment after it is given
	if err := says(ann, v1alpha1.SpaceUIDAnnotation, uid); err == nil || !strings.Contains(err.Error(), "only who may delete it") {
		t.Errorf("she says that it is deleted with the Space: %v", err)
	}
	if err := says(c.Kube, v1alpha1.SpaceUIDAnnotation, uid); err != nil {
		t.Errorf("who may delete it: %v", err)
	}
	if err := says(ann, "hers", `"2"`); err != nil {
		t.Errorf("she changes something else of it: %v", err)
	}
	if err := says(ann, v1alpha1.SpaceUIDAnnotation, "null"); err != nil {
		t.Errorf("she says that it stays: %v", err)
	}
}

// TestARefusalIsSaidOnTheSpace: a namespace that somebody's admission does not take.
func TestARefusalIsSaidOnTheSpace(t *testing.T) {
	c := harness.New(t)
	f, name := c.Function(t, "space"), freshName("refused")
	f.Proxy.Inject(func(r harness.Request) harness.Fault {
		if r.Is(http.MethodPost, "/namespaces") {
			return harness.Fault{Status: http.StatusForbidden}
		}
		return harness.Fault{}
	})
	f.Redeliver(harness.Added("Space", newSpace(t, c, name)))
	wantReady(t, c, name, metav1.ConditionFalse, v1alpha1.ReasonStepRefused)
	f.Proxy.Inject(nil)
	f.Deliver(harness.Ping("resync"))
	wantReady(t, c, name, metav1.ConditionTrue, v1alpha1.ReasonNamespaceMade)
}

// TestTheClustersSettingsOfBuildsReachASpace, when they change too.
func TestTheClustersSettingsOfBuildsReachASpace(t *testing.T) {
	c := harness.New(t)
	f, name := c.Function(t, "space"), freshName("builds")
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "build"}, Data: map[string]string{
		"containerRegistry": "registry.example/all", "builderImage": "registry.example/builder:1", "runImage": "registry.example/run:1"}}
	if _, err := c.Kube.CoreV1().ConfigMaps(harness.SystemNamespace).Create(ctx, settings, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Kube.CoreV1().ConfigMaps(harness.SystemNamespace).Delete(ctx, "build", metav1.DeleteOptions{})
	})
	f.Deliver(harness.Added("Space", newSpace(t, c, name)))
	if b := readSpace(t, c, name).Status.BuildConfig; b.ContainerRegistry != "registry.example/all" || len(b.StacksV3) != 1 || !b.DefaultToV3Stack {
		t.Errorf("%+v", b)
	}
	if _, err := c.Kube.CoreV1().ConfigMaps(harness.SystemNamespace).Patch(ctx, "build", types.MergePatchType,
		[]byte(`{"data":{"containerRegistry":"registry.example/new"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync"))
	if b := readSpace(t, c, name).Status.BuildConfig; b.ContainerRegistry != "registry.example/new" {
		t.Errorf("%+v", b)
	}
}

// TestATaskInheritsFromItsSpace: what neither it nor its App says; and in a namespace without a Space nothing.
func TestATaskInheritsFromItsSpace(t *testing.T) {
	c := harness.New(t)
	ns, plain := c.Namespace(t, "inherits"), c.Namespace(t, "plain")
	newSpace(t, c, ns, func(s *v1alpha1.Space) {
		s.Spec.Defaults = v1alpha1.SpaceDefaults{Memory: "256Mi", CPU: "100m", TaskTimeout: &metav1.Duration{Duration: time.Hour}}
		s.Spec.RuntimeConfig.Env = []v1alpha1.SpaceEnvVar{{EnvVar: v1alpha1.EnvVar{Name: "STAGE", Value: "test"}}, {EnvVar: v1alpha1.EnvVar{Name: "GREETING", Value: "the Space's"}}}
	})
	f := c.Function(t, "runtask")
	for _, space := range []string{ns, plain} {
		c.App(t, space, "shop")
		task := harness.NewTask(space, "shop", "one")
		task.Spec.Memory = "64Mi"
		task, err := c.Kf.Tasks(space).Create(ctx, task, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.Deliver(harness.Added("Task", task))
		run, err := c.Tekton.PipelineRuns(space).Get(ctx, "one", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		step := run.Spec.PipelineSpec.Tasks[0].TaskSpec.Steps[0]
		env := map[string]string{}
		for _, v := range step.Env {
			env[v.Name] = v.Value
		}
		requests, timeout := step.ComputeResources.Requests, run.Spec.Timeouts.Pipeline.Duration
		if requests.Memory().String() != "64Mi" || env["GREETING"] != "hello" {
			t.Errorf("in %s what Task and App say does not stay: %v, %v", space, requests, env)
		}
		if inherits := space == ns; inherits != (requests.Cpu().String() == "100m") || inherits != (env["STAGE"] == "test") || inherits != (timeout == time.Hour) {
			t.Errorf("in %s: %v, STAGE %q, timeout %s", space, requests, env["STAGE"], timeout)
		}
	}
}

// TestANamespaceCostsOneLookForItsSpace, however many Tasks run in it meanwhile.
func TestANamespaceCostsOneLookForItsSpace(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "looks")
	c.App(t, ns, "shop")
	f := c.Function(t, "runtask")
	first := c.Task(t, ns, "shop", "first")
	f.Deliver(harness.Added("Task", first))
	f.Proxy.Inject(nil)
	began := time.Now()
	for i := range 5 {
		f.Deliver(harness.Added("Task", c.Task(t, ns, "shop", fmt.Sprintf("t-%d", i))))
	}
	looks := 0
	for _, r := range f.Proxy.Requests() {
		if strings.HasSuffix(r.Path, "/spaces/"+ns) {
			looks++
		}
	}
	if most := 1 + int(time.Since(began)/(5*time.Second)); looks > most {
		t.Errorf("five Tasks cost %d looks at the Space in %s, want at most %d", looks, time.Since(began), most)
	}
}

// TestImagesFromElsewhereAreNotRun: the App says so, its Task waits and says so, and both go on when the Space allows it.
func TestImagesFromElsewhereAreNotRun(t *testing.T) {
	c := harness.New(t)
	ns := c.Namespace(t, "allowed")
	image := pushed(t)
	newSpace(t, c, ns, func(s *v1alpha1.Space) { s.Spec.Build.AllowedRegistries = []string{"registry.example/team"} })
	build, runtask := c.Function(t, "build"), c.Function(t, "runtask")
	app := newApp(t, c, ns, "shop", image)
	build.Deliver(harness.Added("App", app))
	said := func(reason string) {
		t.Helper()
		app, err := c.Kf.Apps(ns).Get(ctx, "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := v1alpha1.Reason(app.Status.Conditions, v1alpha1.ConditionReady); got != reason {
			t.Errorf("the App says %s, want %s: %+v", got, reason, app.Status.Conditions)
		}
	}
	said(v1alpha1.ReasonImageNotAllowed)
	task := c.Task(t, ns, "shop", "one")
	runtask.Deliver(harness.Added("Task", task))
	task, err := c.Kf.Tasks(ns).Get(ctx, "one", metav1.GetOptions{})
	if err != nil || v1alpha1.Reason(task.Status.Conditions, v1alpha1.ConditionSucceeded) != v1alpha1.ReasonImageNotAllowed {
		t.Errorf("%v: the Task says %+v", err, task.Status.Conditions)
	}
	host, _, _ := strings.Cut(image, "/")
	allows := fmt.Appendf(nil, `{"spec":{"build":{"allowedRegistries":[%q]}}}`, host)
	if _, err := c.Kf.Spaces().Patch(ctx, ns, types.MergePatchType, allows, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	build.Deliver(harness.Ping("resync"))
	said(v1alpha1.ReasonImageReady)
	harness.Eventually(t, time.Minute, func() error { // it remembers the Space for a moment
		runtask.Deliver(harness.Ping("resync"))
		_, err := c.Tekton.PipelineRuns(ns).Get(ctx, "one", metav1.GetOptions{})
		return err
	})
}

// TestRetentionOfASpace: it is before the function's, and an App's before it.
func TestRetentionOfASpace(t *testing.T) {
	w := harness.NewWorld(t)
	keep := intstr.FromInt32(2)
	newSpace(t, w.Cluster, w.Namespace, func(s *v1alpha1.Space) { s.Spec.Retention.Tasks = &keep })
	apps := map[string]*v1alpha1.App{"shop": w.App("shop", nil), "own": w.App("own", map[string]string{v1alpha1.RetainAnnotation: "3"})}
	f := w.Function(t, "prune", "RETAIN=4", "SWEEP_INTERVAL=1ms")
	for _, app := range apps {
		for range 5 {
			task, err := w.Add(t.Context(), app, nil)
			w.Must(err)
			w.Must(w.Start(t.Context(), app, task))
			w.Must(w.End(t.Context(), task))
			f.Deliver(harness.Added("Task", task))
		}
	}
	for app, want := range map[string]int{"shop": 2, "own": 3} {
		harness.Eventually(t, time.Minute, func() error {
			f.Deliver(harness.Ping("every-hour"))
			if got := len(w.Tasks(app)); got != want {
				return fmt.Errorf("App %s has %d Tasks, want %d", app, got, want)
			}
			return nil
		})
	}
}
