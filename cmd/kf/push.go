package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

type push struct {
	*target
	resources
	image   string
	command *string // nil if it is not named; "" is the image's own
	env     []string
	task    bool
}

func newPush(t *target) *cobra.Command {
	o := &push{target: t}
	command := ""
	c := &cobra.Command{
		Use:   "push APP_NAME --docker-image IMAGE --task",
		Short: "Create or update an App that is there for its Tasks and Jobs",
		Long: `push makes an App from an image. It runs nothing by itself (--task): its Tasks and Jobs do.

Pushed again, it gets what is given; what is not given stays as it is, and an App that serves goes on serving. Its image is looked at
again, for a tag may have moved.`,
		Example: `  kf push shop --docker-image registry.example/shop:7 --task -e GREETING=hello -m 256M`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("command") {
				o.command = &command
			}
			return o.run(cmd, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.image, "docker-image", "", "image of the App")
	f.BoolVar(&o.task, "task", false, "the App is there for its Tasks and Jobs, and serves nothing")
	f.StringVarP(&command, "command", "c", "", "start command, which Tasks without a command run; \"\" is the image's own again")
	f.StringArrayVarP(&o.env, "env", "e", nil, "environment variable NAME=VALUE; may be given several times")
	o.resources.flags(c)
	return c
}

func (o *push) run(cmd *cobra.Command, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if !o.task {
		return errors.New("say --task: this system runs Tasks and Jobs of Apps, not servers")
	}
	if o.command != nil {
		if err := checkCommand(*o.command); err != nil {
			return err
		}
	}
	for _, e := range o.env {
		name, value, ok := strings.Cut(e, "=")
		if !ok || name == "" {
			return fmt.Errorf("--env %s: write NAME=VALUE", e)
		}
		if unfit := verbatim.UnfitVariable(name, value); unfit != "" {
			return fmt.Errorf("--env %.80s: %s", name, unfit)
		}
	}
	if err := o.connect(); err != nil {
		return err
	}
	ctx := cmd.Context()
	app, err := o.write(ctx, args[0])
	if err != nil {
		return fmt.Errorf("push App %s: %w", args[0], err)
	}
	if err := o.appReady(ctx, app); err != nil {
		return err
	}
	o.printf("App %[1]s is ready.\n\nRun a Task on it:\n  kf run-task %[1]s --command \"...\" --space %[2]s\n", app.GetName(), o.space)
	return nil
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
	if o.image == "" {
		return nil, errors.New("a new App needs --docker-image")
	}
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
	updates, _, err := unstructured.NestedInt64(present, "spec", "build", "updateRequests")
	if err != nil {
		return nil, err
	}
	build := map[string]any{"updateRequests": updates + 1} // a tag may mean another image than before
	if o.image != "" {
		build["image"] = o.image
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

// container changes what the flags name of the App's container, and says whether they name anything of it.
func (o *push) container(c map[string]any) (changed bool, err error) {
	switch {
	case o.command == nil:
	case *o.command == "":
		delete(c, "args")
		changed = true
	default:
		c["args"], changed = []any{verbatim.Literal(*o.command)}, true
	}
	env, _, err := unstructured.NestedSlice(c, "env")
	if err != nil {
		return false, err
	}
	for _, e := range o.env {
		name, value, _ := strings.Cut(e, "=")
		env = setEnv(env, name, verbatim.Literal(value))
		c["env"], changed = env, true
	}
	for name, quantity := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: o.cpu, corev1.ResourceMemory: o.memory, corev1.ResourceEphemeralStorage: o.disk,
	} {
		if quantity == "" {
			continue
		}
		q := resource.MustParse(quantity) // check has parsed it
		for _, kind := range []string{"requests", "limits"} {
			if kind == "limits" && name == corev1.ResourceCPU && !limitBelow(c, q) {
				continue // there is no limit of CPU in Cloud Foundry
			}
			if err := unstructured.SetNestedField(c, q.String(), "resources", kind, string(name)); err != nil {
				return false, err
			}
		}
		changed = true
	}
	return changed, nil
}

// limitBelow says whether a container has a limit of CPU below a request, which Kubernetes refuses.
func limitBelow(container map[string]any, request resource.Quantity) bool {
	limit, there, _ := unstructured.NestedFieldNoCopy(container, "resources", "limits", string(corev1.ResourceCPU))
	q, err := resource.ParseQuantity(fmt.Sprint(limit))
	return there && err == nil && q.Cmp(request) < 0
}

// setEnv gives the variable of a name a value, or adds it last.
func setEnv(env []any, name, value string) []any {
	for i := range env {
		if v, ok := env[i].(map[string]any); ok && v["name"] == name {
			v["value"] = value
			delete(v, "valueFrom") // no variable has both
			return env
		}
	}
	return append(env, map[string]any{"name": name, "value": value})
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
