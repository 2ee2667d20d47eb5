package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/service"
)

func (t *target) secrets() (corev1client.SecretInterface, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	c, err := corev1client.NewForConfig(t.cfg)
	if err != nil {
		return nil, err
	}
	return c.Secrets(t.space), nil
}

// findService finds a service; one that this CLI has kept in a Secret only, as it once did, becomes one first.
func (t *target) findService(ctx context.Context, name string) (*v1alpha1.ServiceInstance, error) {
	secrets, err := t.secrets()
	if err != nil {
		return nil, err
	}
	s, err := client.Find(ctx, t.kf.Services(t.space), t.space, name)
	if s != nil || err != nil {
		return s, err
	}
	old, err := client.Find(ctx, secrets, t.space, oldService(name))
	if err != nil {
		return nil, err
	}
	if old == nil {
		return nil, notFound("there is no service %q in Space %q; `kf services` lists them", name, t.space)
	}
	s = newService(name, old.Annotations[oldTags])
	if err := t.makeService(ctx, s, old.Data[v1alpha1.ServiceParams]); err != nil {
		return nil, err
	}
	t.progress("Service %s was kept as a Secret only; it is a ServiceInstance now.", name)
	return s, client.IgnoreNotFound(secrets.Delete(ctx, old.Name, client.Exactly(old)))
}

// newService is a service whose credentials the user brings.
func newService(name, tags string) *v1alpha1.ServiceInstance {
	s := &v1alpha1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Name: name}}
	s.Spec.UserProvided = &v1alpha1.UserProvidedService{}
	s.Spec.Tags = []string{}
	for tag := range strings.SplitSeq(tags, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			s.Spec.Tags = append(s.Spec.Tags, tag)
		}
	}
	s.Spec.ParametersFrom.Name = v1alpha1.ServiceParamsSecret(name)
	return s
}

// makeService makes a service and the Secret with its credentials, both or neither.
func (t *target) makeService(ctx context.Context, s *v1alpha1.ServiceInstance, credentials []byte) error {
	made, err := t.kf.Services(t.space).Create(ctx, s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("there is a service %q in Space %q already", s.Name, t.space)
	}
	if err != nil {
		return fmt.Errorf("create service %s: %w", s.Name, err)
	}
	s.UID, s.Generation = made.UID, made.Generation
	err = t.makeParams(ctx, s.Spec.ParametersFrom.Name, v1alpha1.OwnedBy(made, "ServiceInstance"), credentials)
	if err != nil {
		_ = t.kf.Services(t.space).Delete(ctx, s.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &made.UID}})
	}
	return err
}

// makeParams makes the Secret of a service or a binding, as Kf's CLI does. Of an error of the API server only the kind is said: its words
// could repeat a value.
func (t *target) makeParams(ctx context.Context, name string, owner metav1.OwnerReference, params []byte) error {
	secrets, err := t.secrets()
	if err != nil {
		return err
	}
	_, err = secrets.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{owner}},
		Data:       map[string][]byte{v1alpha1.ServiceParams: params},
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("there is a Secret %[1]s, of something else: kubectl -n %[2]s delete secret %[1]s", name, t.space)
	case apierrors.IsForbidden(err):
		return coded{exitForbidden, fmt.Errorf("you may not make the Secret %s in %s: ask for the role edit there", name, t.space)}
	case err != nil:
		return fmt.Errorf("make the Secret %s: %s", name, apierrors.ReasonForError(err))
	}
	return nil
}

// wish is what a binding is to be.
type wish struct {
	app           metav1.Object
	service, name string // name by which the App finds it, "" for the service's own
	params        []byte // one JSON object, added to the service's credentials
	async         bool
}

// bindTo binds an App to a service. Bound already, it is bound anew, for then it has what the service has now.
func (t *target) bindTo(ctx context.Context, w wish) error {
	b := &v1alpha1.ServiceInstanceBinding{ObjectMeta: metav1.ObjectMeta{
		Name:            v1alpha1.BindingName(w.app.GetName(), w.service),
		OwnerReferences: []metav1.OwnerReference{v1alpha1.OwnedBy(w.app, "App")},
	}}
	b.Spec.App = &v1alpha1.BoundApp{Name: w.app.GetName()}
	b.Spec.InstanceRef.Name, b.Spec.BindingNameOverride = w.service, w.name
	b.Spec.ParametersFrom.Name = v1alpha1.BindingParamsSecret(w.app.GetName(), w.service)
	if _, err := t.unbindObject(ctx, w.app.GetName(), w.service); err != nil {
		return err
	}
	made, err := t.kf.Bindings(t.space).Create(ctx, b, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("bind App %s to %s: %w", w.app.GetName(), w.service, err)
	}
	err = t.makeParams(ctx, b.Spec.ParametersFrom.Name, v1alpha1.OwnedBy(made, "ServiceInstanceBinding"), w.params)
	if err != nil {
		_ = t.kf.Bindings(t.space).Delete(ctx, made.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &made.UID}})
		return err
	}
	if w.async {
		return nil
	}
	s := subject{what: "the binding to", name: w.service, generation: made.Generation, function: "bind", unfit: "can't be used"}
	return t.ready(ctx, s, func(ctx context.Context) (standing, error) {
		now, err := t.kf.Bindings(t.space).Get(ctx, made.Name, metav1.GetOptions{})
		if err != nil {
			return standing{}, fmt.Errorf("get binding %s: %w", made.Name, err)
		}
		return standing{now.Status.ObservedGeneration, now.Status.Conditions}, nil
	})
}

// unbindObject deletes the binding of an App to a service, and returns when the App no longer has the credentials. It says whether there
// was one.
func (t *target) unbindObject(ctx context.Context, app, instance string) (bool, error) {
	name := v1alpha1.BindingName(app, instance)
	b, err := client.Find(ctx, t.kf.Bindings(t.space), t.space, name)
	if err != nil || b == nil {
		return false, err
	}
	err = t.kf.Bindings(t.space).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &b.UID}})
	if client.IgnoreNotFound(err) != nil {
		return true, fmt.Errorf("unbind App %s from %s: %w", app, instance, err)
	}
	return true, t.waitGone(ctx, "the binding to "+instance, func(ctx context.Context) (bool, error) {
		now, err := client.FindAgain(ctx, t.kf.Bindings(t.space), b)
		return now == nil, err
	})
}

// waitGone waits until what was deleted is gone, which the function bind has to agree to.
func (t *target) waitGone(ctx context.Context, what string, gone func(context.Context) (bool, error)) error {
	return t.await(ctx, patience{
		every: lookEvery, limit: readyWithin, say: func() { t.progress("waiting for %s to go", what) },
		stopped: "no longer waiting; " + what + " is being deleted all the same",
		late: fmt.Sprintf("%s is still there after %s: is the function bind deployed? (kubectl -n kf-tasks get ksvc bind)",
			what, readyWithin),
	}, gone)
}

// boundApps are the Apps that are bound to a service, by its name.
func (t *target) boundApps(ctx context.Context) (map[string][]string, error) {
	bound := map[string][]string{}
	for b, err := range client.All[*v1alpha1.ServiceInstanceBinding](ctx, t.kf.Bindings(t.space), metav1.ListOptions{}) {
		if err != nil {
			return nil, err
		}
		if b.Spec.App != nil {
			bound[b.Spec.InstanceRef.Name] = append(bound[b.Spec.InstanceRef.Name], b.Spec.App.Name)
		}
	}
	for _, apps := range bound {
		slices.Sort(apps)
	}
	return bound, nil
}

// vcap is what an App's next Task has as VCAP_SERVICES; nothing if it was never bound.
func (t *target) vcap(ctx context.Context, secrets corev1client.SecretInterface, app string) (service.VCAP, error) {
	secret, err := secrets.Get(ctx, v1alpha1.InjectedEnvSecret(app), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return service.VCAP{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the bindings of App %s: %w", app, err)
	}
	return service.ReadVCAP(secret.Data[service.VCAPServices])
}

// Before there were ServiceInstances this CLI kept services in Secrets, and wrote VCAP_SERVICES itself. What it has left is still shown,
// bound and unbound.
const (
	oldLabel = "kf.dev/service-instance" // the service's name
	oldTags  = "kf.dev/service-tags"     // annotation: its tags, with commas between
)

func oldService(name string) string { return "kf-service-" + name }

// unbindOld takes a service out of VCAP_SERVICES that is there without a binding, and says whether it was there.
func (t *target) unbindOld(ctx context.Context, app, instance string) (bool, error) {
	secrets, err := t.secrets()
	if err != nil {
		return false, err
	}
	secret, err := client.Find(ctx, secrets, t.space, v1alpha1.InjectedEnvSecret(app))
	if err != nil || secret == nil {
		return false, err
	}
	v, err := service.ReadVCAP(secret.Data[service.VCAPServices])
	if err != nil || !v.Unbind(instance) {
		return false, err
	}
	env, err := v.Environment()
	if err != nil {
		return false, err
	}
	delete(secret.Data, service.DatabaseURL)
	for name, value := range env {
		secret.Data[name] = value
	}
	_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
	return true, err
}

// jsonObject is one JSON object as it is kept, nil if it is none.
func jsonObject(text []byte) []byte {
	c, err := service.ReadCredentials(text)
	if err != nil {
		return nil
	}
	b, _ := json.Marshal(c) // raw JSON, which was just read
	return b
}
