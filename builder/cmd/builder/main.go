// builder makes the builder image and the run image of builds from source, and pushes them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kf-tasks/kf-tasks/builder/internal/cnb"
)

// settings are the command line's.
type settings struct {
	module, bin, repository string
	insecure, compile       bool
}

func main() {
	var s settings
	flag.StringVar(&s.module, "module", "builder", "folder of the sources: this module's")
	flag.StringVar(&s.bin, "bin", "bin", "folder that the lifecycle's programs are compiled into")
	flag.StringVar(&s.repository, "repository", "", "where the images go: REPOSITORY/builder and REPOSITORY/builder-run")
	flag.BoolVar(&s.insecure, "insecure", false, "speak plain HTTP with the registry")
	flag.BoolVar(&s.compile, "compile", false, "only compile the programs, for a later run to find them")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), "builder makes the builder image and the run image of builds from source, pushes them\n"+
			"unless the registry has them, and prints their names, as YAML for the ConfigMap build.\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "builder:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.compile {
		_, err := cnb.Compile(ctx, s.module, s.bin)
		return err
	}
	if s.repository == "" {
		return errors.New("say where the images go: -repository registry.example/kf")
	}
	debian, err := cnb.FindDebian()
	if err != nil {
		return err
	}
	key, err := cnb.Key(s.module, debian)
	if err != nil {
		return err
	}
	r := registry{s, key, []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}}
	runImage, err := r.runImage(debian)
	if err != nil {
		return err
	}
	builder, err := r.find("builder")
	if err == nil && builder == "" {
		builder, err = r.push("builder", func() (v1.Image, error) { return build(ctx, s, debian, runImage) })
	}
	if err != nil {
		return err
	}
	fmt.Printf("builderImage: %q\nrunImage: %q\n", builder, runImage)
	return nil
}

func build(ctx context.Context, s settings, debian cnb.Debian, runImage string) (v1.Image, error) {
	packs, err := cnb.Buildpacks(filepath.Join(s.module, "buildpacks"))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "compiling the lifecycle of Cloud Native Buildpacks %s, which takes minutes the first time\n", cnb.Version)
	programs, err := cnb.Compile(ctx, s.module, s.bin)
	if err != nil {
		return nil, err
	}
	return cnb.Builder(cnb.Parts{Debian: debian, Programs: programs, Buildpacks: packs, RunImage: runImage})
}

// registry has each image under the tag of what it is made from.
type registry struct {
	settings
	key     string
	options []remote.Option
}

func (r registry) tag(image string) (name.Tag, error) {
	var options []name.Option
	if r.insecure {
		options = append(options, name.Insecure)
	}
	return name.NewTag(r.repository+"/"+image+":"+r.key, options...)
}

// find returns the image's reference by digest, "" if it is not there.
func (r registry) find(image string) (string, error) {
	tag, err := r.tag(image)
	if err != nil {
		return "", err
	}
	found, err := remote.Head(tag, r.options...)
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look for %s: %w", tag, err)
	}
	return tag.Digest(found.Digest.String()).Name(), nil
}

// runImage returns the tag that the newest run image has, whichever that is: an App is rebased on a run image of the same name only.
func (r registry) runImage(debian cnb.Debian) (string, error) {
	const image = "builder-run"
	digest, err := r.find(image)
	if err == nil && digest == "" {
		digest, err = r.push(image, func() (v1.Image, error) { return cnb.RunImage(debian) })
	}
	if err != nil {
		return "", err
	}
	newest := r
	newest.key = "latest"
	if now, err := newest.find(image); err != nil || now == digest {
		return newest.repository + "/" + image + ":" + newest.key, err
	}
	_, err = newest.push(image, func() (v1.Image, error) { return cnb.RunImage(debian) })
	return newest.repository + "/" + image + ":" + newest.key, err
}

func (r registry) push(image string, make func() (v1.Image, error)) (string, error) {
	tag, err := r.tag(image)
	if err != nil {
		return "", err
	}
	img, err := make()
	if err != nil {
		return "", err
	}
	digest, err := img.Digest()
	if err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "pushing", tag)
	if err := remote.Write(tag, img, r.options...); err != nil {
		return "", fmt.Errorf("push %s: %w", tag, err)
	}
	return tag.Digest(digest.String()).Name(), nil
}
