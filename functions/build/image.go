package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	there, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithTransport(reach))
	var answer *transport.Error
	switch {
	case err == nil:
		return inspectAny(ref, there), nil
	case !errors.As(err, &answer) || answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusForbidden:
		return Looked{Err: fmt.Errorf("read image %s: %w", ref, err)}, nil
	case whole:
		return Looked{Err: errRefused}, nil
	}
	return Looked{Err: errNotGranted}, nil
}

// inspectAny inspects what a tag means: an image, or of an index one of its images.
func inspectAny(ref name.Reference, there *remote.Descriptor) Looked {
	img, err := anyImage(there)
	if err != nil {
		return Looked{Err: fmt.Errorf("read image %s: %w", ref, err)}
	}
	l := inspect(img)
	l.Digest = there.Digest.String()
	return l
}

// anyImage is an image that nodes may run. An index has one for each architecture, from the same sources: which nodes there are
// is not known here, so it is amd64's, else arm64's, else the first for Linux.
func anyImage(there *remote.Descriptor) (v1.Image, error) {
	if !there.MediaType.IsIndex() {
		return there.Image()
	}
	index, err := there.ImageIndex()
	if err != nil {
		return nil, err
	}
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	best, rank := v1.Hash{}, 0
	for _, d := range m.Manifests {
		if p := d.Platform; d.MediaType.IsImage() && (p == nil || p.OS == "linux" || p.OS == "") {
			r := 1
			if p != nil {
				r = cmp.Or(map[string]int{"amd64": 3, "arm64": 2}[p.Architecture], 1)
			}
			if r > rank {
				best, rank = d.Digest, r
			}
		}
	}
	if rank == 0 {
		return nil, errNoLinux
	}
	return index.Image(best)
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
	account, err := client.Find(ctx, accounts, app.Namespace, cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount, "default"))
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
	l := Looked{Entrypoint: cf.Config.Entrypoint, Cmd: cf.Config.Cmd}
	_, cnb := cf.Config.Labels["io.buildpacks.build.metadata"]
	l.Hidden = hidden(cf.Config, cnb)
	v2 := len(l.Entrypoint) > 0 && strings.HasPrefix(l.Entrypoint[0], "/lifecycle/")
	if v2 {
		l.Shell, l.ShellPath = v1alpha1.ShellLauncher, "/bin/bash" // entrypoint.bash
		return l
	}
	l.ShellPath, err = findShell(img)
	switch {
	case cnb && (err == nil || errors.Is(err, errTooLarge)):
		l.Shell = v1alpha1.ShellLauncher // it runs words where it finds no bash
	case err != nil:
		l.Err = err
	case l.ShellPath != "":
		l.Shell = v1alpha1.ShellPOSIX
	default:
		l.Shell = v1alpha1.ShellNone
	}
	return l
}

// hidden is the directory that an image works in, if it is one over which Tekton mounts a directory of its own in each step
// (implicitVolumeMounts in its pkg/pod): /workspace, which is where buildpacks put an App unless they are told otherwise.
func hidden(config v1.Config, cnb bool) string {
	dirs := []string{config.WorkingDir}
	if cnb {
		dir := "/workspace" // buildpacks/spec, platform.md, CNB_APP_DIR
		for _, e := range config.Env {
			if value, is := strings.CutPrefix(e, "CNB_APP_DIR="); is {
				dir = value
			}
		}
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		if dir = path.Clean(dir); dir == "/workspace" || strings.HasPrefix(dir, "/workspace/") {
			return dir
		}
	}
	return ""
}
