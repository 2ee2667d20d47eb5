package main

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/logging"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// secret reads a Secret; refused says why it is not to be had, and what to do.
func (h *Handler) secret(ctx context.Context, namespace, name string) (found *corev1.Secret, refused string, err error) {
	found, err = client.Find(ctx, h.Core.Secrets(namespace), namespace, name)
	if apierrors.IsForbidden(err) {
		return nil, mayNot(namespace, err), nil
	}
	return found, "", err
}

// give writes what an App has of a binding: the credentials in Kf's form, the files, the environment, and on the App the names of
// the files.
func (h *Handler) give(ctx context.Context, b *v1alpha1.ServiceInstanceBinding, app *v1alpha1.App, given Bound) (v verdict, err error) {
	own := v1alpha1.OwnedBy(b, "ServiceInstanceBinding")
	for _, secret := range []corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.CredentialsSecret(b.Name)}, Data: given.Credentials.KfForm()},
		{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.BindingFilesSecret(b.Name)}, Data: given.Files},
	} {
		v, err = h.write(ctx, b.Namespace, secret.Name, own, func(map[string][]byte) (map[string][]byte, error) { return secret.Data, nil })
		if err != nil || v.status != "" {
			return v, err
		}
	}
	v, err = h.write(ctx, b.Namespace, v1alpha1.InjectedEnvSecret(app.Name), v1alpha1.OwnedBy(app, "App"),
		func(data map[string][]byte) (map[string][]byte, error) {
			return environment(data, b.Spec.InstanceRef.Name, &given.Entry)
		})
	if err != nil || v.status != "" {
		return v, err
	}
	return verdict{}, h.place(ctx, b, app, given.Files)
}

// place says on an App which files its next Task finds of a binding.
func (h *Handler) place(ctx context.Context, b *v1alpha1.ServiceInstanceBinding, app *v1alpha1.App, files map[string][]byte) error {
	_, err := client.PatchStatus(ctx, h.Kf.Apps(app.Namespace), app, func(a *v1alpha1.App) {
		a.Status.Bindings = placed(a.Status.Bindings, b, files)
	})
	return client.IgnoreNotFound(err)
}

// unbind takes from an App what a binding has given it. Where it may not use the namespace's Secrets it has given nothing, or is no longer
// to touch it; a namespace that goes has no RoleBinding any more.
func (h *Handler) unbind(ctx context.Context, b *v1alpha1.ServiceInstanceBinding) error {
	app, err := client.Find(ctx, h.Kf.Apps(b.Namespace), b.Namespace, b.Spec.App.Name)
	if err != nil || app == nil {
		return err // its Secret goes with it
	}
	if err := h.place(ctx, b, app, nil); err != nil {
		return err
	}
	secret, refused, err := h.secret(ctx, b.Namespace, v1alpha1.InjectedEnvSecret(app.Name))
	if err != nil || secret == nil {
		if refused != "" {
			logging.FromContext(ctx).Warnw("VCAP_SERVICES was left as it is", "binding", b.Namespace+"/"+b.Name, "why", refused)
		}
		return err
	}
	v, err := h.write(ctx, b.Namespace, secret.Name, v1alpha1.OwnedBy(app, "App"), func(data map[string][]byte) (map[string][]byte, error) {
		return environment(data, b.Spec.InstanceRef.Name, nil)
	})
	if err == nil && v.status != "" {
		logging.FromContext(ctx).Warnw("VCAP_SERVICES was left as it is", "binding", b.Namespace+"/"+b.Name, "reason", v.reason)
	}
	return err
}

// write gives a Secret the data that is made of what it has, and makes it if there is none. One that belongs to somebody else is left
// alone. When somebody else writes it meanwhile that is an error, a conflict: all is read again.
func (h *Handler) write(
	ctx context.Context, namespace, name string, owner metav1.OwnerReference, change func(map[string][]byte) (map[string][]byte, error),
) (verdict, error) {
	is, refused, err := h.secret(ctx, namespace, name)
	if err != nil || refused != "" {
		return wrong(v1alpha1.ReasonSecretsRefused, "%s", refused), err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: namespace, OwnerReferences: []metav1.OwnerReference{owner},
		Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedByKf},
	}}
	if is != nil {
		if of := metav1.GetControllerOf(is); of == nil && owner.Kind != "App" || of != nil && of.UID != owner.UID {
			return wrong(v1alpha1.ReasonSecretTaken, "the Secret %s is somebody else's: delete it, or unbind and bind anew", name), nil
		}
		secret = is.DeepCopy()
	}
	if secret.Data, err = change(maps.Clone(secret.Data)); err != nil {
		return wrong(v1alpha1.ReasonCredentialsUnfit, "%v", err), nil
	}
	if is != nil && equality.Semantic.DeepEqual(is.Data, secret.Data) {
		return verdict{}, nil
	}
	if is == nil {
		_, err = h.Core.Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	} else {
		_, err = h.Core.Secrets(namespace).Update(ctx, secret, metav1.UpdateOptions{})
	}
	switch {
	case err == nil:
		return verdict{}, nil
	case apierrors.IsForbidden(err):
		return wrong(v1alpha1.ReasonSecretsRefused, "%s", mayNot(namespace, err)), nil
	case apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err): // its words might hold a value
		return wrong(v1alpha1.ReasonCredentialsUnfit, "the API server does not take the Secret %s: is it more than a MiB?", name), nil
	}
	return verdict{}, fmt.Errorf("write Secret %s/%s: %w", namespace, name, err)
}
