// Package cnb makes a small builder image and a run image after the Cloud Native Buildpacks' platform specification: the lifecycle
// and buildpacks for shell scripts, on busybox and bash of Debian's. Any other builder could stand in its place.
package cnb

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/buildpacks/lifecycle/api"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User and Group are who builds, and who Apps run as.
const (
	User  = 1000
	Group = 1000
)

// What a buildpack's targets may name, and what a run image must have the same of.
const (
	distro        = "busybox"
	distroVersion = "1"
)

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// RunImage is what Apps run on.
func RunImage(d Debian) (v1.Image, error) {
	base, err := d.base()
	if err != nil {
		return nil, err
	}
	return image("Apps of shell scripts run on this", nil, nil, base)
}

// Parts are what a builder is made of.
type Parts struct {
	Debian
	Programs
	Buildpacks []Buildpack
	RunImage   string // reference that Apps are built on, unless a build names another
}

// Builder is the image that builds are run in.
func Builder(p Parts) (v1.Image, error) {
	base, err := p.base()
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"/workspace", "/layers", "/platform"} {
		base.home(dir)
	}
	lifecycle, err := p.lifecycle()
	if err != nil {
		return nil, err
	}
	packs, conf := tree{}, tree{}
	for _, b := range p.Buildpacks {
		if err := packs.copyFolder(b.folder(), b.dir); err != nil {
			return nil, err
		}
	}
	conf.text("/cnb/order.toml", order(p.Buildpacks))
	conf.text("/cnb/run.toml", fmt.Sprintf("[[images]]\nimage = %q\n", p.RunImage))
	labels, err := labels(p)
	if err != nil {
		return nil, err
	}
	env := []string{fmt.Sprint("CNB_USER_ID=", User), fmt.Sprint("CNB_GROUP_ID=", Group)}
	return image("Builds Apps of shell scripts and a Procfile", labels, env, base, lifecycle, packs, conf)
}

// image has a layer for each tree. The same trees give the same digest.
func image(description string, labels map[string]string, env []string, trees ...tree) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, t := range trees {
		layer, err := t.layer()
		if err != nil {
			return nil, err
		}
		if img, err = mutate.Append(img, mutate.Addendum{Layer: layer, MediaType: types.OCILayer}); err != nil {
			return nil, err
		}
	}
	read, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf := read.DeepCopy()
	cf.OS, cf.Architecture = "linux", runtime.GOARCH
	cf.Config.User = fmt.Sprintf("%d:%d", User, Group) // by number: Kubernetes can't tell whether a name is root's
	cf.Config.Env = append([]string{searchPath, "HOME=/home/cnb"}, env...)
	cf.Config.Labels = map[string]string{
		"io.buildpacks.base.distro.name":       distro,
		"io.buildpacks.base.distro.version":    distroVersion,
		"io.buildpacks.base.id":                "dev.kf.busybox",
		"org.opencontainers.image.description": description,
	}
	for name, value := range labels {
		cf.Config.Labels[name] = value
	}
	return mutate.ConfigFile(img, cf)
}

// order is one group: each buildpack takes part where it finds something to do, and one of them must.
func order(packs []Buildpack) string {
	var b strings.Builder
	b.WriteString("[[order]]\n")
	for _, p := range packs {
		fmt.Fprintf(&b, "\n[[order.group]]\nid = %q\nversion = %q\noptional = true\n", p.ID, p.Version)
	}
	return b.String()
}

// labels are those by which a platform knows a builder, in the words of `pack builder inspect`.
func labels(p Parts) (map[string]string, error) {
	type object = map[string]any
	packs, group := []object{}, []object{}
	for _, b := range p.Buildpacks {
		packs = append(packs, object{"id": b.ID, "version": b.Version, "name": b.Name})
		group = append(group, object{"id": b.ID, "version": b.Version, "optional": true})
	}
	apis := func(v api.APIs) object {
		return object{"deprecated": words(v.Deprecated), "supported": words(v.Supported)}
	}
	all := map[string]any{
		"io.buildpacks.builder.metadata": object{
			"description": "kf-tasks: shell scripts and a Procfile",
			"buildpacks":  packs,
			"images":      []object{{"image": p.RunImage}},
			"stack":       object{"runImage": object{"image": p.RunImage}},
			"lifecycle": object{
				"version": Version,
				"api":     object{"buildpack": words(api.Buildpack.Supported)[0], "platform": words(api.Platform.Supported)[0]},
				"apis":    object{"buildpack": apis(api.Buildpack), "platform": apis(api.Platform)},
			},
			"createdBy": object{"name": "kf-tasks"},
		},
		"io.buildpacks.buildpack.order": []object{{"group": group}},
	}
	labels := map[string]string{}
	for name, value := range all {
		b, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		labels[name] = string(b)
	}
	return labels, nil
}

func words(versions api.List) []string {
	words := []string{}
	for _, v := range versions {
		words = append(words, v.String())
	}
	return words
}
