package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// maySecrets lets bind use the Secrets of a namespace, as a Space does.
func maySecrets(t testing.TB, c *harness.Cluster, namespace string) {
	t.Helper()
	b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kf-bind"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-bind-secrets"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "bind", Namespace: harness.SystemNamespace}}}
	if _, err := c.Kube.RbacV1().RoleBindings(namespace).Create(ctx, b, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// aParamsSecret makes the Secret of a service or a binding.
func aParamsSecret(t testing.TB, c *harness.Cluster, namespace, name, params string, owner metav1.OwnerReference) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{owner}},
		Data: map[string][]byte{v1alpha1.ServiceParams: []byte(params)}}
	if _, err := c.Kube.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// aService makes a service with its Secret.
func aService(t testing.TB, c *harness.Cluster, namespace, name, params string) *v1alpha1.ServiceInstance {
	t.Helper()
	s := &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: name}}
	s.Spec.UserProvided, s.Spec.ParametersFrom.Name = &v1alpha1.UserProvidedService{}, v1alpha1.ServiceParamsSecret(name)
	s, err := c.Kf.Services(namespace).Create(ctx, s, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	aParamsSecret(t, c, namespace, s.Spec.ParametersFrom.Name, params, v1alpha1.OwnedBy(s, "ServiceInstance"))
	return s
}

// aBinding makes one of an App to a service, with its Secret.
func aBinding(t testing.TB, c *harness.Cluster, app *v1alpha1.App, service string) *v1alpha1.ServiceInstanceBinding {
	t.Helper()
	b := &v1alpha1.ServiceInstanceBinding{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.BindingName(app.Name, service),
		OwnerReferences: []metav1.OwnerReference{v1alpha1.OwnedBy(app, "App")}}}
	b.Spec.App, b.Spec.InstanceRef.Name = &v1alpha1.BoundApp{Name: app.Name}, service
	b.Spec.ParametersFrom.Name = v1alpha1.BindingParamsSecret(app.Name, service)
	b, err := c.Kf.Bindings(app.Namespace).Create(ctx, b, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	aParamsSecret(t, c, app.Namespace, b.Spec.ParametersFrom.Name, `{}`, v1alpha1.OwnedBy(b, "ServiceInstanceBinding"))
	return b
}

// boundReason is that of a binding's Ready.
func boundReason(t testing.TB, c *harness.Cluster, namespace, name string) (reason, message string) {
	t.Helper()
	b, err := c.Kf.Bindings(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason, ready.Message
	}
	return "", ""
}

// secretData is what a Secret holds, as text; nil if there is none.
func secretData(t testing.TB, c *harness.Cluster, namespace, name string) map[string]string {
	t.Helper()
	secret, err := client.Find(ctx, c.Kube.CoreV1().Secrets(namespace), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	if secret == nil {
		return nil
	}
	data := map[string]string{}
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data
}

func aBindingToGive(w *harness.World, _ *harness.Function) work {
	maySecrets(w, w.Cluster, w.Namespace)
	account := w.As(w, "bind")
	harness.Eventually(w, time.Minute, func() error { // the API server takes a moment to heed a RoleBinding
		_, err := client.Find(ctx, account.Kube.CoreV1().Secrets(w.Namespace), w.Namespace, "none")
		return err
	})
	app := w.Cluster.App(w, w.Namespace, "shop")
	s := aService(w, w.Cluster, w.Namespace, "db", `{"uri":"postgres://h/d"}`)
	s, err := client.Finalize(ctx, w.Kf.Services(w.Namespace), s, v1alpha1.ServiceFinalizer, true)
	w.Must(err)
	_, err = client.PatchStatus(ctx, w.Kf.Services(w.Namespace), s, func(s *v1alpha1.ServiceInstance) { // which is done with
		s.Status.ObservedGeneration = s.Generation
		v1alpha1.SetCondition(s, &s.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonServiceReady}, time.Now())
	})
	w.Must(err)
	b := aBinding(w, w.Cluster, app, "db")
	return work{event: harness.Added("ServiceInstanceBinding", b), ended: func() error {
		env, files := secretData(w, w.Cluster, w.Namespace, v1alpha1.InjectedEnvSecret("shop")), secretData(w, w.Cluster, w.Namespace, v1alpha1.BindingFilesSecret(b.Name))
		kfs := secretData(w, w.Cluster, w.Namespace, v1alpha1.CredentialsSecret(b.Name))
		app, err := w.Kf.Apps(w.Namespace).Get(ctx, "shop", metav1.GetOptions{})
		w.Must(err)
		reason, message := boundReason(w, w.Cluster, w.Namespace, b.Name)
		if reason != v1alpha1.ReasonServiceReady || env["DATABASE_URL"] != "postgres://h/d" || strings.Count(env["VCAP_SERVICES"], "postgres://h/d") != 1 ||
			files["uri"] != "postgres://h/d" || kfs["uri"] != `"postgres://h/d"` || len(app.Status.Bindings) != 1 || app.Status.Bindings[0].Name != "db" {
			return fmt.Errorf("%s %s, %v, %v, %v, %+v", reason, message, env, files, kfs, app.Status.Bindings)
		}
		return nil
	}}
}

// TestBindUsesSecretsWhereItMay: it says what to do where it may not, and reads no Secret that is not the service's own.
func TestBindUsesSecretsWhereItMay(t *testing.T) {
	c := harness.New(t)
	space, f := c.Namespace(t, "bind"), c.Function(t, "bind")
	app := c.App(t, space, "shop")
	aService(t, c, space, "db", `{"password":"hunter2"}`)
	b := aBinding(t, c, app, "db")
	f.Deliver(harness.Ping("resync"))
	if reason, message := boundReason(t, c, space, b.Name); reason != v1alpha1.ReasonSecretsRefused || !strings.Contains(message, "kubectl -n "+space+" create rolebinding") {
		t.Errorf("without a right: %s %s", reason, message)
	}
	maySecrets(t, c, space)
	harness.Eventually(t, time.Minute, func() error { // the API server takes a moment to heed a RoleBinding
		f.Deliver(harness.Ping("resync"))
		if reason, message := boundReason(t, c, space, b.Name); reason != v1alpha1.ReasonServiceReady {
			return fmt.Errorf("with it: %s %s", reason, message)
		}
		return nil
	})
	f.Proxy.Inject(nil)
	settled, err := c.Kf.Bindings(space).Get(ctx, b.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Updated("ServiceInstanceBinding", settled))
	if reads, writes := f.Proxy.Counts(); reads+writes != 0 {
		t.Errorf("the event of its own write cost %d reads and %d writes", reads, writes)
	}
	// who may make services, and not read Secrets
	aParamsSecret(t, c, space, "another", `{"password":"correct horse"}`, v1alpha1.OwnedBy(app, "App"))
	thief := &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "thief"}}
	thief.Spec.UserProvided, thief.Spec.ParametersFrom.Name = &v1alpha1.UserProvidedService{}, "another"
	if _, err := c.Kf.Services(space).Create(ctx, thief, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stolen := aBinding(t, c, app, "thief")
	f.Deliver(harness.Added("ServiceInstanceBinding", stolen))
	if reason, _ := boundReason(t, c, space, stolen.Name); reason != v1alpha1.ReasonSecretNotOwned {
		t.Errorf("another's Secret: %s", reason)
	}
	if env := secretData(t, c, space, v1alpha1.InjectedEnvSecret("shop")); strings.Contains(env["VCAP_SERVICES"], "horse") || !strings.Contains(env["VCAP_SERVICES"], "hunter2") {
		t.Errorf("%v", env)
	}
	printed, err := f.Printed()
	if err != nil || strings.Contains(string(printed), "hunter2") {
		t.Errorf("its log has a value: %v", err)
	}
}

// TestWhatIsNotBuiltOfServicesIsRefused, with what to do, and a binding stays what it is.
func TestWhatIsNotBuiltOfServicesIsRefused(t *testing.T) {
	c := harness.New(t)
	space := c.Namespace(t, "refused")
	user, secret := &v1alpha1.UserProvidedService{}, corev1.LocalObjectReference{Name: "s"}
	for want, spec := range map[string]v1alpha1.ServiceInstanceSpec{
		"nothing provisions":   {OSB: &v1alpha1.NotBuilt{}, ParametersFrom: secret},
		"brokers and volumes":  {UserProvided: user, Volume: &v1alpha1.NotBuilt{}, ParametersFrom: secret},
		"route services":       {UserProvided: &v1alpha1.UserProvidedService{RouteServiceURL: &v1alpha1.NotBuilt{}}, ParametersFrom: secret},
		"parametersFrom.name ": {UserProvided: user},
	} {
		_, err := c.Kf.Services(space).Create(ctx, &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: spec}, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	b := aBinding(t, c, c.App(t, space, "shop"), "db")
	for _, patch := range []string{`{"spec":{"app":{"name":"other"}}}`, `{"spec":{"instanceRef":{"name":"other"}}}`, `{"spec":{"bindingNameOverride":"x"}}`} {
		if _, err := c.Kf.Bindings(space).Patch(ctx, b.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err == nil || !strings.Contains(err.Error(), "bind anew") {
			t.Errorf("%s: %v", patch, err)
		}
	}
	if _, err := c.Kf.Bindings(space).Patch(ctx, b.Name, types.MergePatchType, []byte(`{"spec":{"unbindRequests":1}}`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
}

// TestKfsOwnCLIBindsServices: what it makes, ours shows, and the next Task has; and the other way round.
func TestKfsOwnCLIBindsServices(t *testing.T) {
	k := newKfsOwn(t)
	f, space := k.Function(t, "bind"), k.Function(t, "space")
	space.Deliver(harness.Added("Space", newSpace(t, k.Cluster, k.space)))
	ours := &cli{t, k.Cluster, k.space}
	kf := func(line string, says ...string) {
		k.Helper()
		meanwhile(f, func() { k.kf(line, append(says, "")...) })
	}

	kf(`create-user-provided-service db -p '{"uri":"postgres://u:hunter2@h/d"}' -t sql,main`)
	kf("services", "db user-provided user-provided")
	kf("service db", "user-provided")
	kf("bind-service shop db")
	kf("bindings", "shop db")
	kf("vcap-services shop", `"instance_name":"db"`, "hunter2", `"tags":["sql","main"]`)
	ours.has(ours.kf("services"), "db user-provided sql,main shop True ServiceReady")

	task := k.Task(t, k.space, "shop", "reads")
	k.runtask.Deliver(harness.Added("Task", task))
	run, err := k.Tekton.PipelineRuns(k.space).Get(ctx, "reads", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	step := run.Spec.PipelineSpec.Tasks[0].TaskSpec.Steps[0]
	mounted := slices.ContainsFunc(step.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.MountPath == "/bindings/db/uri" && m.SubPath == "uri" && m.ReadOnly
	})
	rooted := slices.ContainsFunc(step.Env, func(v corev1.EnvVar) bool { return v.Name == "SERVICE_BINDING_ROOT" && v.Value == "/bindings" })
	if !mounted || !rooted || strings.Contains(fmt.Sprint(run), "hunter2") {
		t.Errorf("%+v", step)
	}

	ours.has(ours.refused("delete-service", "db"), "Apps are bound to db (shop)")
	kf("unbind-service shop db")
	if env := secretData(t, k.Cluster, k.space, v1alpha1.InjectedEnvSecret("shop")); strings.Contains(env["VCAP_SERVICES"], "hunter2") || env["DATABASE_URL"] != "" {
		t.Errorf("unbound: %v", env)
	}
	if app, err := k.Kf.Apps(k.space).Get(ctx, "shop", metav1.GetOptions{}); err != nil || len(app.Status.Bindings) != 0 {
		t.Errorf("unbound: %+v %v", app.Status.Bindings, err)
	}
	meanwhile(f, func() { ours.kf("bind-service", "shop", "db", "-b", "primary") })
	kf("vcap-services shop", `"binding_name":"primary"`)
	kf("unbind-service shop db")
	kf("delete-service db")
	if s, err := client.Find(ctx, k.Kf.Services(k.space), k.space, "db"); s != nil || err != nil {
		t.Errorf("the service is still there: %v", err)
	}
	if printed, code := k.KfsOwn(t, k.space, "create-service", "mysql", "small", "db"); code == 0 {
		t.Errorf("a broker's service is made:\n%s", printed)
	}
}

// TestAServiceStaysWhileItIsBound: whoever deletes it, and goes when the last App is unbound, or gone.
func TestAServiceStaysWhileItIsBound(t *testing.T) {
	c := harness.New(t)
	space, f := c.Namespace(t, "stays"), c.Function(t, "bind")
	maySecrets(t, c, space)
	s := aService(t, c, space, "db", `{}`)
	b := aBinding(t, c, c.App(t, space, "shop"), "db")
	f.Deliver(harness.Added("ServiceInstance", s))
	f.Deliver(harness.Added("ServiceInstanceBinding", b))
	if err := c.Kf.Services(space).Delete(ctx, "db", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync"))
	s, err := c.Kf.Services(space).Get(ctx, "db", metav1.GetOptions{})
	if err != nil || v1alpha1.Reason(s.Status.Conditions, v1alpha1.ConditionReady) != v1alpha1.ReasonDeletionBlocked {
		t.Fatalf("%+v %v", s, err)
	}
	if err := c.Kf.Apps(space).Delete(ctx, "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Kf.Bindings(space).Delete(ctx, b.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Deliver(harness.Ping("resync")) // bindings first, then services
	if s, err := client.Find(ctx, c.Kf.Services(space), space, "db"); s != nil || err != nil {
		t.Errorf("the service is still there: %v", err)
	}
}

// TestKfTakesOverServicesThatItKeptInSecrets before there were ServiceInstances.
func TestKfTakesOverServicesThatItKeptInSecrets(t *testing.T) {
	c := newCLI(t)
	maySecrets(t, c.Cluster, c.space)
	f, app := c.Function(t, "bind"), c.App(t, c.space, "shop")
	for _, secret := range []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "kf-service-db", Labels: map[string]string{"kf.dev/service-instance": "db"}, Annotations: map[string]string{"kf.dev/service-tags": "sql"}},
			Data: map[string][]byte{"params": []byte(`{"uri":"postgres://new"}`)}},
		{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.InjectedEnvSecret("shop"), OwnerReferences: []metav1.OwnerReference{v1alpha1.OwnedBy(app, "App")}},
			Data: map[string][]byte{"VCAP_SERVICES": []byte(`{"user-provided":[{"instance_name":"db","name":"db","label":"user-provided","tags":[],"credentials":{"uri":"postgres://old"}},` +
				`{"instance_name":"mail","name":"mail","label":"user-provided","tags":[],"credentials":{"user":"u"}}]}`)}},
	} {
		if _, err := c.Kube.CoreV1().Secrets(c.space).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.has(c.kf("services"), "db user-provided sql Secret only")
	c.has(c.refused("create-user-provided-service", "db"), "already")
	meanwhile(f, func() { c.kf("bind-service", "shop", "db") })
	c.has(c.kf("vcap-services", "shop"), "postgres://new", `"instance_name": "mail"`)
	if old := secretData(t, c.Cluster, c.space, "kf-service-db"); old != nil {
		t.Error("the Secret that it was kept in is still there")
	}
	c.has(c.kf("unbind-service", "shop", "mail"), "lacks the credentials")
	if got := c.kf("vcap-services", "shop"); strings.Contains(got, "mail") || !strings.Contains(got, "postgres://new") {
		t.Error(got)
	}
}
