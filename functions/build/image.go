package main

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	k8s "k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// maxLook bounds how much of an image is read for its shell: bytes, uncompressed. A shell lies in the base layers, and
// those come first.
const maxLook = 1 << 30

// look reads an image's configuration and finds out how it would run a command string. An error is the API server's, and
// says nothing about the image.
func look(ctx context.Context, kube k8s.Interface, reach http.RoundTripper, app *v1alpha1.App) (Looked, error) {
	ref, err := name.ParseReference(Image(app), name.WeakValidation)
	if err != nil {
		return Looked{Err: fmt.Errorf("%w: %w", errNoName, err)}, nil
	}
	secrets, whole, err := pullSecrets(ctx, kube, app)
	if err != nil {
		return Looked{}, err
	}
	keys, err := kubernetes.NewFromPullSecrets(ctx, secrets)
	if err != nil {
		return Looked{Err: err}, nil
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithTransport(reach))
	var answer *transport.Error
	switch {
	case err == nil:
		return inspect(img), nil
	case !errors.As(err, &answer) || answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusForbidden:
		return Looked{Err: fmt.Errorf("read image %s: %w", ref, err)}, nil
	case whole:
		return Looked{Err: errRefused}, nil
	}
	return Looked{Err: errNotGranted}, nil
}

// pullSecrets are those that the App's Pods would be pulled with, as far as the Space lets them be read; whole says whether
// that is all of them.
func pullSecrets(ctx context.Context, kube k8s.Interface, app *v1alpha1.App) (secrets []corev1.Secret, whole bool, err error) {
	pod := app.Spec.Template.Spec
	whole = true
	unlessDenied := func(err error) error { // nor is one that is not there an error: a Pod goes on without, too
		if apierrors.IsForbidden(err) {
			whole = false
			return nil
		}
		return err
	}
	names := pod.ImagePullSecrets
	accounts := kube.CoreV1().ServiceAccounts(app.Namespace)
	account, err := client.Find(ctx, accounts, app.Namespace, cmp.Or(pod.ServiceAccountName, "default"))
	if err := unlessDenied(err); err != nil {
		return nil, false, fmt.Errorf("the App's service account: %w", err)
	}
	if account != nil {
		names = slices.Concat(names, account.ImagePullSecrets)
	}
	for _, name := range names {
		secret, err := client.Find(ctx, kube.CoreV1().Secrets(app.Namespace), app.Namespace, name.Name)
		if err := unlessDenied(err); err != nil {
			return nil, false, fmt.Errorf("a pull secret: %w", err)
		}
		if secret != nil {
			secrets = append(secrets, *secret)
		}
	}
	return secrets, whole, nil
}

// inspect decides how an image runs a command string. A launcher is known by what buildpacks write into the image: the
// label of Cloud Native Buildpacks, or Kf's v2 entrypoint.
func inspect(img v1.Image) Looked {
	if err := registry.CheckConfig(img); err != nil {
		return Looked{Err: err}
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return Looked{Err: fmt.Errorf("read the image's configuration: %w", err)}
	}
	l := Looked{Entrypoint: cf.Config.Entrypoint}
	_, cnb := cf.Config.Labels["io.buildpacks.build.metadata"]
	v2 := len(l.Entrypoint) > 0 && strings.HasPrefix(l.Entrypoint[0], "/lifecycle/")
	if (cnb || v2) && len(l.Entrypoint) > 0 {
		l.Shell = v1alpha1.ShellLauncher
		return l
	}
	found, err := hasShell(img)
	switch {
	case err != nil:
		l.Err = err
	case found:
		l.Shell = v1alpha1.ShellPOSIX
	default:
		l.Shell = v1alpha1.ShellNone
	}
	return l
}

var errTooLarge = errors.New("the image is too large to look for a shell in it")

// hasShell looks for /bin/sh in the layers' tables of contents.
func hasShell(img v1.Image) (bool, error) {
	layers, err := img.Layers()
	if err != nil {
		return false, err
	}
	budget := int64(maxLook)
	for _, l := range layers {
		r, err := registry.Open(l)
		if err != nil {
			return false, fmt.Errorf("read a layer: %w", err)
		}
		limited := &io.LimitedReader{R: r, N: budget}
		found, err := layerHasShell(tar.NewReader(limited))
		r.Close()
		budget = limited.N
		if found || err != nil && budget > 0 {
			return found, err
		}
		if budget <= 0 {
			return false, errTooLarge
		}
	}
	return false, nil
}

func layerHasShell(t *tar.Reader) (bool, error) {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read a layer: %w", err)
		}
		switch path.Clean("/" + h.Name) {
		case "/bin/sh", "/usr/bin/sh": // /bin is often a link to /usr/bin
			return true, nil
		}
	}
}
