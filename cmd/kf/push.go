package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/manifest"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

type push struct {
	*target
	resources
	image   string
	command *string // nil if it is not named; "" is the image's own
	env     []string
	task    bool
	name    string
	source  source
	async   bool

	// of the manifest alone
	services []manifest.Service
}

func newPush(t *target) *cobra.Command {
	o := &push{target: t}
	command, from := "", manifestFlags{}
	c := &cobra.Command{
		Use:   "push [APP_NAME] --task",
		Short: "Create or update an App that is there for its Tasks and Jobs",
		Long: `push makes an App from an image, or from the source in a folder, which the cluster builds an image of by buildpacks. It runs
nothing by itself (--task): its Tasks and Jobs do.

The folder is the current one or that of --path; what .cfignore (or .kfignore) names in it, by the rules of .gitignore, is left
out. It goes to the registry of --container-registry, else $KF_CONTAINER_REGISTRY, else the Space's, else the cluster's, with the
credentials of docker. The build's log is shown to its end. A source that was built already is not built again.

A manifest.yml in the current folder, or that of --manifest, says of one App or several what the flags say; flags count for more.

Pushed again, it gets what is given; what is not given stays as it is, and an App that serves goes on serving. The image of
--docker-image is looked at again, for a tag may have moved.`,
		Example: `  # build this folder
  kf push shop --task

  # another folder, with one buildpack, in the background
  kf push shop --task -p ../shop -b paketo-buildpacks/ruby --async

  # all Apps of a manifest
  kf push --task -f ci/manifest.yml --var version=7 --vars-file prod.yml

  # an image that is there
  kf push shop --docker-image registry.example/shop:7 --task -e GREETING=hello -m 256M`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("command") {
				o.command = &command
			}
			return o.run(cmd, args, from)
		},
	}
	f := c.Flags()
	f.StringVar(&o.image, "docker-image", "", "image of the App, instead of source")
	f.BoolVar(&o.task, "task", false, "the App is there for its Tasks and Jobs, and serves nothing")
	f.StringVarP(&command, "command", "c", "", "start command, which Tasks without a command run; \"\" is the image's own again")
	f.StringArrayVarP(&o.env, "env", "e", nil, "environment variable NAME=VALUE; may be given several times")
	o.resources.flags(c)
	o.source.flags(f)
	from.flags(f)
	asyncFlag(c, &o.async, "the App is built, and ready")
	return c
}

func (o *push) run(cmd *cobra.Command, args []string, from manifestFlags) error {
	if !o.task {
		return errors.New("say --task: this system runs Tasks and Jobs of Apps, not servers")
	}
	apps, err := o.apps(cmd.Flags(), args, from)
	if err != nil {
		return err
	}
	for _, app := range apps {
		if err := app.check(); err != nil {
			return err
		}
	}
	if err := o.connect(); err != nil {
		return err
	}
	for _, app := range apps {
		app.target = o.target
		if err := app.push(cmd.Context()); err != nil {
			if len(apps) > 1 {
				return fmt.Errorf("App %s: %w", app.name, err)
			}
			return err
		}
	}
	return nil
}

// check refuses what is wrong whatever the cluster says.
func (o *push) check() error {
	if err := o.resources.check(); err != nil {
		return err
	}
	if wrong := validation.IsDNS1123Subdomain(o.name); len(wrong) > 0 {
		return fmt.Errorf("%.300q is no name of an App: %s", o.name, wrong[0])
	}
	if o.command != nil {
		if err := checkCommand(*o.command); err != nil {
			return err
		}
	}
	if err := checkEnv("--env", o.env); err != nil {
		return err
	}
	if o.image != "" && o.source.given() {
		return errors.New("--docker-image says that the App has an image, and --path, --buildpack, --stack, --builder, --run-image and " +
			"--build-env say how to build one: leave out one of them")
	}
	return o.source.check()
}

// checkEnv refuses what is no variable, or would not reach a process as it is.
func checkEnv(flag string, env []string) error {
	for _, e := range env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return fmt.Errorf("%s %s: write NAME=VALUE", flag, e)
		}
		if unfit := verbatim.UnfitVariable(name, value); unfit != "" {
			return fmt.Errorf("%s %.80s: %s", flag, name, unfit)
		}
	}
	return nil
}

// push makes one App what it is to be: what could be refused is looked at before anything is uploaded, and all of that before the App
// is written.
func (o *push) push(ctx context.Context) error {
	if err := o.findServices(ctx); err != nil {
		return err
	}
	present, err := client.Find(ctx, o.kf.Apps(o.space), o.space, o.name)
	if err != nil {
		return err
	}
	if o.image == "" {
		if err := o.upload(ctx, present); err != nil {
			return err
		}
	}
	app, err := o.write(ctx, o.name)
	if err != nil {
		return fmt.Errorf("push App %s: %w", o.name, err)
	}
	if err := o.bind(ctx, app); err != nil {
		return err
	}
	image, err := o.settled(ctx, app)
	if err != nil || o.async {
		return err
	}
	if image != "" {
		o.printf("The image is %s.\n", image)
	}
	o.printf("App %[1]s is ready.\n\nRun a Task on it:\n  kf run-task %[1]s --command \"...\" --space %[2]s\n", o.name, o.space)
	return nil
}

// settled waits until the App can be used, and returns the image that was built for it, if one was.
func (o *push) settled(ctx context.Context, app metav1.Object) (image string, err error) {
	switch {
	case o.async:
		o.printf("App %[1]s is written. `kf apps --space %[2]s` shows when it is ready.\n", o.name, o.space)
		return "", nil
	case o.source.image != "":
		if o.source.same {
			o.progress("Nothing to build: this source was built, or is being built, as it is to be built now.")
		}
		if image, err = o.built(ctx, app); err != nil {
			return "", err
		}
	}
	return image, o.appReady(ctx, app)
}

// write creates the App, or changes what the flags name of it.
func (o *push) write(ctx context.Context, name string) (app metav1.Object, err error) {
	d, err := dynamic.NewForConfig(o.cfg)
	if err != nil {
		return nil, err
	}
	apps := d.Resource(v1alpha1.GroupVersion.WithResource("apps")).Namespace(o.space)
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		present, err := apps.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			app, err = o.create(ctx, apps, name)
			return err
		}
		if err != nil {
			return err
		}
		spec, err := o.spec(present.Object)
		if err != nil {
			return err
		}
		app, err = client.Merge(ctx, o.kf.Apps(o.space), present, client.Change{Spec: spec, IfUnchanged: true})
		return err
	})
	return app, err
}

func (o *push) create(ctx context.Context, apps dynamic.ResourceInterface, name string) (metav1.Object, error) {
	spec, err := o.spec(nil)
	if err != nil {
		return nil, err
	}
	app := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	app.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("App"))
	app.SetName(name)
	return apps.Create(ctx, app, metav1.CreateOptions{})
}

// spec is what the flags name of an App's spec: a merge patch of the App that is there, or all of a new one. Lists have
// no merge patch but the whole list, so the App is read as it is: fields that this program has never heard of stay.
func (o *push) spec(present map[string]any) (map[string]any, error) {
	build, err := o.build(present)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{"build": build}
	if present == nil {
		spec["instances"] = map[string]any{"stopped": true}
	}
	containers, _, err := unstructured.NestedSlice(present, "spec", "template", "spec", "containers")
	if err != nil {
		return nil, err
	}
	if len(containers) == 0 {
		containers = []any{map[string]any{"name": v1alpha1.UserContainer}}
	}
	container, ok := containers[0].(map[string]any)
	if !ok {
		return nil, errors.New("its container is no object")
	}
	changed, err := o.container(container)
	if changed || present == nil {
		template := map[string]any{"spec": map[string]any{"containers": containers}}
		switch {
		case o.command == nil:
		case *o.command != "":
			template["startCommand"] = *o.command
		case present != nil:
			template["startCommand"] = nil // a merge patch takes it away
		}
		spec["template"] = template
	}
	return spec, err
}

// build is what is said of where the image comes from.
func (o *push) build(present map[string]any) (map[string]any, error) {
	updates, _, err := unstructured.NestedInt64(present, "spec", "build", "updateRequests")
	if err != nil {
		return nil, err
	}
	again := updates + 1 // a tag may mean another image than before
	if o.source.image != "" {
		build, changed, err := o.source.build(present)
		if o.source.same = !changed; changed && err == nil {
			build["updateRequests"] = again
		}
		return build, err
	}
	build := map[string]any{"updateRequests": again}
	if o.image != "" {
		build["image"] = o.image
	}
	return build, nil
}

// appReady returns when the function build has settled the App's image.
func (t *target) appReady(ctx context.Context, app metav1.Object) error {
	s := subject{what: "App", name: app.GetName(), generation: app.GetGeneration(), function: "build", unfit: "can't be used"}
	unread, said := "", ""
	err := t.ready(ctx, s, func(ctx context.Context) (standing, error) {
		now, err := t.kf.Apps(t.space).Get(ctx, s.name, metav1.GetOptions{})
		if err != nil {
			return standing{}, fmt.Errorf("get App %s: %w", s.name, err)
		}
		unread = now.Status.StartCommands.Error
		ready := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady)
		if ready != nil && ready.Reason == v1alpha1.ReasonImageReady {
			said = ready.Message
		}
		return standing{now.Status.ObservedGeneration, now.Status.Conditions}, nil
	})
	if err == nil && unread != "" {
		t.progress("The image could not be looked into (%s): its Tasks are started by /bin/sh.", unread)
	}
	if err == nil && said != "" {
		t.progress("%s.", said)
	}
	return err
}
