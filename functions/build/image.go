package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	k8s "k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// maxLook bounds how much of an image is read for its shell: bytes, uncompressed. A shell lies in the base layers, and
// those come first.
const maxLook = 1 << 30

// look reads an image's configuration and finds out how it would run a command string.
func look(ctx context.Context, client k8s.Interface, registries http.RoundTripper, app *v1alpha1.App) Looked {
	ref, err := name.ParseReference(Image(app), name.WeakValidation)
	if err != nil {
		return Looked{Err: err}
	}
	pod := app.Spec.Template.Spec
	account := pod.ServiceAccountName
	if account == "" {
		account = "default"
	}
	var secrets []string
	for _, s := range pod.ImagePullSecrets {
		secrets = append(secrets, s.Name)
	}
	var keys authn.Keychain = authn.DefaultKeychain
	if k, err := kubernetes.New(ctx, client, kubernetes.Options{
		Namespace: app.Namespace, ServiceAccountName: account, ImagePullSecrets: secrets,
	}); err == nil {
		keys = k
	}
	img, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithTransport(registries))
	if err != nil {
		return Looked{Err: fmt.Errorf("read image %s: %w", ref, err)}
	}
	return inspect(img)
}

// inspect decides how an image runs a command string. A launcher is known by what buildpacks write into the image: the
// label of Cloud Native Buildpacks, or Kf's v2 entrypoint.
func inspect(img v1.Image) Looked {
	if err := checkConfig(img); err != nil {
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
		r, err := open(l)
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
