// Package image finds out how an image runs a command string: its ENTRYPOINT and CMD, its shell, where it has the App. It asks
// a registry and nobody else; with which credentials, and what becomes of the answer, is for who calls to say.
package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/registry"
)

// ErrRefused is a registry's answer that the credentials that the image was asked for with, or none, do not do.
var ErrRefused = errors.New("the registry refuses the credentials of the Space")

var errNoLinux = errors.New("the image is for no system that Tasks run on: it has none for Linux")

// Inspection is what was found in an image; Err says why nothing was, or no shell.
type Inspection struct {
	Entrypoint, Cmd []string
	Shell           v1alpha1.Shell
	ShellPath       string
	Digest          string // of what its name means: of an index the index's
	Hidden          string // the App's directory, if Tekton's lies over it
	Processes       []v1alpha1.Process
	Err             error
}

// Reason is why an image could not be inspected, for an App's status: nothing that a registry says reaches that.
func Reason(err error) string {
	for _, ours := range []error{ErrRefused, ErrTooLarge, errNoLinux} {
		if errors.Is(err, ours) {
			return ours.Error()
		}
	}
	return registry.Reason(err)
}

// Inspect reads from its registry what ref means, and finds out how it would run a command string.
func Inspect(ctx context.Context, ref name.Reference, keys authn.Keychain, reach http.RoundTripper) Inspection {
	there, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(keys), remote.WithTransport(reach))
	var answer *transport.Error
	switch {
	case err == nil:
		return inspectAny(ref, there)
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return Inspection{Err: ErrRefused}
	}
	return Inspection{Err: fmt.Errorf("read image %s: %w", ref, err)}
}

// inspectAny inspects what a tag means: an image, or of an index one of its images.
func inspectAny(ref name.Reference, there *remote.Descriptor) Inspection {
	img, err := anyImage(there)
	if err != nil {
		return Inspection{Err: fmt.Errorf("read image %s: %w", ref, err)}
	}
	found := inspect(img)
	found.Digest = there.Digest.String()
	return found
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

// inspect decides how an image runs a command string. A launcher is known by what buildpacks write into the image: the
// label of Cloud Native Buildpacks, or Kf's v2 entrypoint.
func inspect(img v1.Image) Inspection {
	if err := registry.CheckConfig(img); err != nil {
		return Inspection{Err: err}
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return Inspection{Err: fmt.Errorf("read the image's configuration: %w", err)}
	}
	found := Inspection{Entrypoint: cf.Config.Entrypoint, Cmd: cf.Config.Cmd}
	metadata, cnb := cf.Config.Labels[buildMetadata]
	found.Processes = processes(metadata)
	found.Hidden = hidden(cf.Config, cnb)
	v2 := len(found.Entrypoint) > 0 && strings.HasPrefix(found.Entrypoint[0], "/lifecycle/")
	if v2 {
		found.Shell, found.ShellPath = v1alpha1.ShellLauncher, "/bin/bash" // entrypoint.bash
		return found
	}
	found.ShellPath, err = findShell(img)
	switch {
	case cnb && (err == nil || errors.Is(err, ErrTooLarge)):
		found.Shell = v1alpha1.ShellLauncher // it runs words where it finds no bash
	case err != nil:
		found.Err = err
	case found.ShellPath != "":
		found.Shell = v1alpha1.ShellPOSIX
	default:
		found.Shell = v1alpha1.ShellNone
	}
	return found
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
		dir = path.Clean(dir)
		if dir == "/workspace" || strings.HasPrefix(dir, "/workspace/") {
			return dir
		}
	}
	return ""
}
