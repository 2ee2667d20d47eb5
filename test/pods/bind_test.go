package pods

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// bound makes the service "db" with a password, and binds an App to it.
func (w *writers) bound(app *v1alpha1.App, password string) {
	w.t.Helper()
	params := func(name, text string, owner metav1.OwnerReference) error {
		return second(w.c.Kube.CoreV1().Secrets(w.ns).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name,
			OwnerReferences: []metav1.OwnerReference{owner}}, Data: map[string][]byte{v1alpha1.ServiceParams: []byte(text)}}, metav1.CreateOptions{}))
	}
	s := &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: "db"}}
	s.Spec.UserProvided, s.Spec.ParametersFrom.Name = &v1alpha1.UserProvidedService{}, v1alpha1.ServiceParamsSecret("db")
	s, err := w.c.Kf.Services(w.ns).Create(ctx, s, metav1.CreateOptions{})
	if err == nil {
		err = params(s.Spec.ParametersFrom.Name, fmt.Sprintf(`{"password":%q,"type":"postgresql"}`, password), v1alpha1.OwnedBy(s, "ServiceInstance"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	b := &v1alpha1.ServiceInstanceBinding{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.BindingName(app.Name, "db")}}
	b.Spec.App, b.Spec.InstanceRef.Name = &v1alpha1.BoundApp{Name: app.Name}, "db"
	b.Spec.ParametersFrom.Name = v1alpha1.BindingParamsSecret(app.Name, "db")
	if b, err = w.c.Kf.Bindings(w.ns).Create(ctx, b, metav1.CreateOptions{}); err == nil {
		err = params(b.Spec.ParametersFrom.Name, `{}`, v1alpha1.OwnedBy(b, "ServiceInstanceBinding"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	harness.Eventually(w.t, 3*time.Minute, func() error {
		now, err := w.c.Kf.Bindings(w.ns).Get(ctx, b.Name, metav1.GetOptions{})
		if err == nil && v1alpha1.Reason(now.Status.Conditions, v1alpha1.ConditionReady) != v1alpha1.ReasonServiceReady {
			err = fmt.Errorf("not bound yet: %+v", now.Status.Conditions)
		}
		return err
	})
}

// unbound deletes both, and returns when they are gone.
func (w *writers) unbound(app string) {
	w.t.Helper()
	name := v1alpha1.BindingName(app, "db")
	if err := w.c.Kf.Bindings(w.ns).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.c.Kf.Services(w.ns).Delete(ctx, "db", metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
	harness.Eventually(w.t, 3*time.Minute, func() error {
		b, err := client.Find(ctx, w.c.Kf.Bindings(w.ns), w.ns, name)
		s, missing := client.Find(ctx, w.c.Kf.Services(w.ns), w.ns, "db")
		for _, secret := range []string{v1alpha1.BindingFilesSecret(name), v1alpha1.ServiceParamsSecret("db"), v1alpha1.BindingParamsSecret(app, "db")} {
			if there, _ := client.Find(ctx, w.c.Kube.CoreV1().Secrets(w.ns), w.ns, secret); there != nil {
				return fmt.Errorf("the Secret %s is still there", secret)
			}
		}
		if b != nil || s != nil {
			return fmt.Errorf("still there: %v %v", err, missing)
		}
		return nil
	})
}

// TestATaskReadsItsBindings, as files and in its environment. New credentials reach the next Task and not one that runs: it goes on
// with what it has when the kubelet has long brought a volume of the same Secret up to date.
func TestATaskReadsItsBindings(t *testing.T) {
	w := newWriters(t)
	if _, err := w.c.Kube.RbacV1().RoleBindings(w.ns).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "kf-bind"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kf-tasks-bind-secrets"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "bind", Namespace: harness.SystemNamespace}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.pinged("bind")
	app := harness.NewApp(w.ns, "reader", registry(t)+"/base/busybox:latest")
	pod := &app.Spec.Template.Spec
	pod.Volumes = []corev1.Volume{{Name: "live", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
		SecretName: v1alpha1.BindingFilesSecret(v1alpha1.BindingName("reader", "db"))}}}}
	pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "live", MountPath: "/live"}}
	app = w.shell(app)
	w.bound(app, "first")
	w.runs("long", `cd "$SERVICE_BINDING_ROOT"; echo "$(ls -d *) $(cat db/type) $(cat db/provider) $(cat db/password) $(echo "$VCAP_SERVICES" | grep -c '"password":"first"')"
		until [ "$(cat /live/password)" = second ]; do sleep 1; done; echo "live, and mine is $(cat db/password)"`)
	w.wrote("long", "db postgresql user-provided first 1")
	w.unbound("reader")
	w.bound(app, "second")
	w.runs("next", `echo "next: $(cat /bindings/db/password) $(echo "$VCAP_SERVICES" | grep -c '"password":"second"')"`)
	w.wrote("next", "next: second 1")
	harness.Eventually(t, 3*time.Minute, func() error { return w.said("long", "live, and mine is first") })
}

// runs runs a command of the App reader.
func (w *writers) runs(name, command string) {
	w.t.Helper()
	w.add(name, v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "reader"}, Command: command})
}
