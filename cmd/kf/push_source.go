package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	appbuild "github.com/kf-tasks/kf-tasks/shared/build"
	sourceimage "github.com/kf-tasks/kf-tasks/shared/source"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// source is how an App's image is built from a folder. What is "" is not said, and stays as it is.
type source struct {
	dir               string
	buildpacks        []string
	stack, wished     string // by the flag, which must be there, and by the manifest, which may come from elsewhere
	builder, runImage string
	registry          string
	env               []string

	image  string // of the uploaded source, by digest
	failed bool   // the App's last build has
	same   bool   // it is built already as it is to be
}

func (s *source) flags(f *pflag.FlagSet) {
	f.StringVarP(&s.dir, "path", "p", "", "folder of the source; the current one when left out")
	f.StringSliceVarP(&s.buildpacks, "buildpack", "b", nil,
		"buildpack by its id; may be given several times; \"default\" is the builder's choice again")
	f.StringVarP(&s.stack, "stack", "s", "", "stack of the Space: its builder and run image")
	f.StringVar(&s.builder, "builder", "", "builder image, instead of the stack's")
	f.StringVar(&s.runImage, "run-image", "", "image that the App is put on, instead of the stack's")
	f.StringVar(&s.registry, "container-registry", "", "where the source is uploaded to, e.g. registry.example/kf")
	f.StringArrayVar(&s.env, "build-env", nil, "environment variable NAME=VALUE of the build; may be given several times")
}

// given says whether it is said how to build an image.
func (s *source) given() bool {
	return s.dir != "" || len(s.buildpacks)+len(s.env) > 0 || s.stack != "" || s.builder != "" || s.runImage != ""
}

func (s *source) check() error {
	for flag, image := range map[string]string{"--builder": s.builder, "--run-image": s.runImage} {
		if _, err := name.ParseReference(image); image != "" && err != nil {
			return fmt.Errorf("%s %.200s is no name of an image: write, for example, registry.example/builder:1", flag, image)
		}
	}
	return checkEnv("--build-env", s.env)
}

// upload packs the App's folder and uploads it, if it is to be built from one: an App that was given an image keeps it, until it is
// said from where to build one.
func (o *push) upload(ctx context.Context, present *v1alpha1.App) error {
	if present != nil && present.Spec.Build.Image != nil && *present.Spec.Build.Image != "" && !o.source.given() {
		o.progress("App %s keeps its image %s; `--path .` would build one from this folder.", o.name, *present.Spec.Build.Image)
		return nil
	}
	s, err := o.buildSettings(ctx)
	if err != nil {
		return err
	}
	if err := o.chooseStack(s.stacks); err != nil {
		return err
	}
	dir := cmp.Or(o.source.dir, ".")
	registry := cmp.Or(o.source.registry, os.Getenv("KF_CONTAINER_REGISTRY"), s.registry)
	if registry == "" {
		why := "there is no registry for the source"
		if present == nil {
			why = "a new App needs --docker-image, or a registry for the source in " + dir
		}
		return fmt.Errorf("%s: say --container-registry registry.example/kf, or set KF_CONTAINER_REGISTRY, or have containerRegistry "+
			"set in the ConfigMap build of namespace %s for all", why, settingsNamespace)
	}
	repo, err := sourceimage.Repository(strings.TrimRight(registry, "/"), o.space, o.name, s.insecure)
	if err != nil {
		return err
	}
	packed, err := sourceimage.Pack(ctx, dir)
	if ctx.Err() != nil {
		return errors.New("no longer packing; nothing was changed")
	}
	if err != nil {
		return err
	}
	defer packed.Close()
	o.progress("Packed %d files, %s, compressed %s.", packed.Files, size(packed.Bytes), size(packed.Size))
	said := time.Now()
	image, err := packed.Upload(ctx, repo, func(done, of int64) {
		if time.Since(said) >= sayEvery {
			said = time.Now()
			o.progress("Uploaded %s of %s.", size(done), size(of))
		}
	})
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("no longer uploading; nothing was changed")
		}
		var answer *transport.Error
		if errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden) {
			err = fmt.Errorf("%w; docker login, or podman login, gives kf the credentials", err)
		}
		return err
	}
	o.source.image = image.String()
	o.source.failed, err = o.lastBuildFailed(ctx, present)
	return err
}

// lastBuildFailed asks the build itself: the App's condition may be that of a rebase since, of the image before. One that is gone, or not
// for the user, says nothing.
func (o *push) lastBuildFailed(ctx context.Context, present *v1alpha1.App) (bool, error) {
	if present == nil || present.Status.BuildName == "" {
		return false, nil
	}
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return false, err
	}
	found, err := d.Resource(pipelineRuns).Namespace(o.space).Get(ctx, present.Status.BuildName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get the last build of App %s: %w", o.name, err)
	}
	run, err := runOf(found)
	if err != nil {
		return false, err
	}
	return run.succeeded().Status == metav1.ConditionFalse, nil
}

// size is a number of bytes, for people.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	amount, unit := float64(n)/1000, 0
	for amount >= 1000 && unit < 3 {
		amount, unit = amount/1000, unit+1
	}
	return fmt.Sprintf("%.1f %s", amount, []string{"kB", "MB", "GB", "TB"}[unit])
}

// settingsNamespace is where an installation's settings of builds are (config/knative).
const settingsNamespace = "kf-tasks"

// stack is a builder with its run image.
type stack struct{ name, builder, run string }

// buildSettings are what a push has to know of a Space's builds.
type buildSettings struct {
	registry string
	insecure []string // hosts that are spoken to by plain HTTP
	stacks   []stack
}

// buildSettings reads them from the Space, where there is one, and the ConfigMap. What is not there, or not for the user, says nothing.
func (o *push) buildSettings(ctx context.Context) (s buildSettings, err error) {
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return s, err
	}
	silent := func(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) }
	settings, err := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(settingsNamespace).
		Get(ctx, appbuild.ConfigMap, metav1.GetOptions{})
	if err != nil && !silent(err) {
		return s, fmt.Errorf("read the settings of builds: %w", err)
	}
	space, err := d.Resource(v1alpha1.GroupVersion.WithResource("spaces")).Get(ctx, o.space, metav1.GetOptions{})
	if err != nil && !silent(err) {
		return s, fmt.Errorf("read the Space: %w", err)
	}
	return readBuildSettings(settings, space), nil
}

// readBuildSettings: the Space's count for more. Either may be nil.
func readBuildSettings(settings, space *unstructured.Unstructured) (s buildSettings) {
	if settings != nil {
		data, _, _ := unstructured.NestedStringMap(settings.Object, "data")
		s.registry = strings.TrimSpace(data[appbuild.KeyContainerRegistry])
		for host := range strings.SplitSeq(data[appbuild.KeyInsecureRegistries], ",") {
			if host = strings.TrimSpace(host); host != "" {
				s.insecure = append(s.insecure, host)
			}
		}
	}
	if space != nil {
		own, _, _ := unstructured.NestedString(space.Object, "status", "buildConfig", "containerRegistry")
		s.registry = cmp.Or(own, s.registry)
		stacks, _, _ := unstructured.NestedSlice(space.Object, "status", "buildConfig", "stacksV3")
		for _, one := range stacks {
			if m, ok := one.(map[string]any); ok {
				text := func(key string) string { v, _ := m[key].(string); return v }
				s.stacks = append(s.stacks, stack{text("name"), text("buildImage"), text("runImage")})
			}
		}
	}
	return s
}

// chooseStack takes the images of the stack that is named. That of a manifest, which may have been written for another installation, is
// one to warn of where there is none of the name.
func (o *push) chooseStack(stacks []stack) error {
	wanted := cmp.Or(o.source.stack, o.source.wished)
	if wanted == "" {
		return nil
	}
	var others []string
	for _, s := range stacks {
		if s.name == wanted {
			o.source.builder, o.source.runImage = cmp.Or(o.source.builder, s.builder), cmp.Or(o.source.runImage, s.run)
			return nil
		}
		others = append(others, s.name)
	}
	what := fmt.Sprintf("there is no stack %q in Space %q", wanted, o.space)
	if len(others) > 0 {
		what += ", but " + strings.Join(others, ", ")
	}
	if o.source.stack != "" {
		return fmt.Errorf("%s: leave it out for the installation's builder, or name images by --builder and --run-image", what)
	}
	o.progress("Warning: %s: the manifest's stack is not heeded.", what)
	return nil
}

// build is what is written of an App's build, as a merge patch, and whether that changes what is built. A build that failed is asked for
// again; one that is there, or under way, is not.
func (s *source) build(present map[string]any) (patch map[string]any, changed bool, err error) {
	spec, _, err := unstructured.NestedMap(present, "spec", "build", "spec")
	if err != nil {
		return nil, false, err
	}
	image, _, err := unstructured.NestedString(present, "spec", "build", "image")
	if err != nil {
		return nil, false, err
	}
	next, err := s.next(spec)
	if err != nil {
		return nil, false, err
	}
	build := maps.Clone(next)
	for key := range spec {
		if _, stays := next[key]; !stays {
			build[key] = nil // a merge patch takes it away
		}
	}
	patch = map[string]any{"spec": build}
	if image != "" {
		patch["image"] = nil // it would count for more
	}
	failed := s.failed || standingOf(present, 0).state == buildFailed
	return patch, failed || image != "" || !reflect.DeepEqual(spec, next), nil
}

// next is the build as it is to be. What is not said stays, but of another way that is built in, which takes other parameters; a Tekton
// Task of the operator's goes on building, of the new source.
func (s *source) next(spec map[string]any) (map[string]any, error) {
	next := map[string]any{}
	builtIn := spec["kind"] == nil || spec["kind"] == v1alpha1.BuiltinTaskKind
	if !builtIn || spec["name"] == v1alpha1.BuildpackV3Task {
		maps.Copy(next, spec)
	}
	delete(next, "sourcePackage") // an upload by Kf's CLI, of another source
	if builtIn {
		next["name"], next["kind"], next["apiVersion"] = v1alpha1.BuildpackV3Task, v1alpha1.BuiltinTaskKind, v1alpha1.BuiltinTaskAPIVersion
	}
	params, _, err := unstructured.NestedSlice(next, "params")
	if err != nil {
		return nil, err
	}
	params = setEnv(params, v1alpha1.ParamSourceImage, s.image)
	for _, p := range []struct{ name, value string }{
		{v1alpha1.ParamBuildpack, strings.Join(s.buildpacks, ",")},
		{v1alpha1.ParamBuilderImage, s.builder}, {v1alpha1.ParamRunImage, s.runImage},
	} {
		switch {
		case p.name == v1alpha1.ParamBuildpack && (p.value == "default" || p.value == "null"): // as of Cloud Foundry's CLI
			params = slices.DeleteFunc(params, func(v any) bool { m, ok := v.(map[string]any); return ok && m["name"] == p.name })
		case p.value != "":
			params = setEnv(params, p.name, p.value)
		}
	}
	next["params"] = params
	env, _, err := unstructured.NestedSlice(next, "env")
	if err != nil {
		return nil, err
	}
	for _, e := range s.env {
		name, value, _ := strings.Cut(e, "=")
		env = setEnv(env, name, verbatim.Literal(value))
		next["env"] = env
	}
	return next, nil
}
