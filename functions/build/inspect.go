package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	keychain "github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/build"
	"github.com/kf-tasks/kf-tasks/shared/image"
)

// inspect inspects an App's image with the credentials that its Pods would be pulled with. An error is the API server's, and says
// nothing about the image.
func inspect(
	ctx context.Context, kube kubernetes.Interface, reach http.RoundTripper, settings build.Settings, app *v1alpha1.App,
) (image.Inspection, error) {
	options := []name.Option{name.WeakValidation}
	if settings.Insecure(Image(app)) {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(Image(app), options...)
	if err != nil {
		return image.Inspection{Err: fmt.Errorf("%w: %w", errNoName, err)}, nil
	}
	secrets, whole, err := pullSecrets(ctx, kube, app)
	if err != nil {
		return image.Inspection{}, err
	}
	keys, err := keychain.NewFromPullSecrets(ctx, secrets)
	if err != nil {
		return image.Inspection{Err: err}, nil
	}
	found := image.Inspect(ctx, ref, keys, reach)
	if !whole && errors.Is(found.Err, image.ErrRefused) {
		found.Err = errNotGranted
	}
	return found, nil
}

// pullSecrets are those that the App's Pods would be pulled with, as far as the Space lets them be read; whole says whether
// that is all of them. What is not there is no error: a Pod goes on without it, too.
func pullSecrets(ctx context.Context, kube kubernetes.Interface, app *v1alpha1.App) (secrets []corev1.Secret, whole bool, err error) {
	pod := app.Spec.Template.Spec
	whole, names := true, pod.ImagePullSecrets
	accounts := kube.CoreV1().ServiceAccounts(app.Namespace)
	account, err := client.Find(ctx, accounts, app.Namespace, cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount, "default"))
	switch {
	case apierrors.IsForbidden(err):
		whole = false
	case err != nil:
		return nil, false, fmt.Errorf("the App's service account: %w", err)
	case account != nil:
		names = slices.Concat(names, account.ImagePullSecrets)
	}
	for _, name := range names {
		secret, err := client.Find(ctx, kube.CoreV1().Secrets(app.Namespace), app.Namespace, name.Name)
		switch {
		case apierrors.IsForbidden(err):
			whole = false
		case err != nil:
			return nil, false, fmt.Errorf("a pull secret: %w", err)
		case secret != nil:
			secrets = append(secrets, *secret)
		}
	}
	return secrets, whole, nil
}
