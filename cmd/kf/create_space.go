package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type createSpace struct {
	*target
	registry, account string
	runEnv, stageEnv  map[string]string
	defaults          resources
	timeout           time.Duration
	allowed           []string
	async             bool
}

func newCreateSpace(t *target) *cobra.Command {
	o := &createSpace{target: t}
	c := &cobra.Command{
		Use:   "create-space SPACE",
		Short: "Create a Space: a namespace, and what holds for all Apps in it",
		Long: `create-space makes a Space and its namespace, which goes with it. A namespace of the name that is there
already is used as it is, and stays when the Space is deleted. It takes a right that is not a developer's: to create spaces.kf.dev.

Tasks inherit what the flags set, where neither they nor their App says otherwise (docs/spaces.md).`,
		Example: `  kf create-space shop-production --container-registry registry.example/shop
  kf create-space shop-test --run-env STAGE=test -m 256M --task-timeout 1h --allowed-registry registry.example/shop`,
		Args: cobra.ExactArgs(1),
		RunE: o.run,
	}
	f := c.Flags()
	f.StringVar(&o.registry, "container-registry", "", "where source and images of Apps are pushed to; the cluster's when left out")
	f.StringVar(&o.account, "build-service-account", "", "service account that builds use")
	f.StringToStringVar(&o.runEnv, "run-env", nil, "NAME=VALUE, a variable of all Apps; may be given several times")
	f.StringToStringVar(&o.stageEnv, "stage-env", nil, "NAME=VALUE, a variable of all builds; may be given several times")
	f.StringArrayVar(&o.allowed, "allowed-registry", nil,
		"registry that images may come from, with its path; all may when left out; several may be given")
	f.DurationVar(&o.timeout, "task-timeout", 0, "how long a Task may run that names no time limit; 0 is no limit")
	o.defaults.flags(c)
	asyncFlag(c, &o.async, "its namespace is there")
	return c
}

func (o *createSpace) run(cmd *cobra.Command, args []string) error {
	if err := o.defaults.check(); err != nil {
		return err
	}
	if err := checkLimits("", 0, o.timeout); err != nil {
		return err
	}
	if err := o.connect(); err != nil {
		return err
	}
	space := o.described(args[0])
	space.Spec.Defaults.TaskTimeout = given(cmd, "task-timeout", o.timeout)
	space, err := o.kf.Spaces().Create(cmd.Context(), space, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("there is a Space %[1]q already: `kf space %[1]s` shows it", args[0])
	case apierrors.IsForbidden(err):
		return coded{exitForbidden, fmt.Errorf("create Space %s: %w: ask who administers the cluster for the Space", args[0], err)}
	case err != nil:
		return fmt.Errorf("create Space %s: %w", args[0], err)
	}
	if !o.async {
		if err := o.spaceReady(cmd.Context(), space); err != nil {
			return err
		}
	}
	o.printf("Space %[1]s created.\n\nWork in it:\n  kf target %[1]s\nLet others do so:\n"+
		"  kubectl -n %[1]s create rolebinding developers --clusterrole=edit --group=GROUP\n", space.Name)
	return nil
}

// described is the Space of the command line.
func (o *createSpace) described(name string) *v1alpha1.Space {
	space := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: name}}
	space.Spec.BuildConfig = v1alpha1.SpaceBuildConfig{ContainerRegistry: o.registry, ServiceAccount: o.account, Env: variables(o.stageEnv)}
	space.Spec.RuntimeConfig.Env = variables(o.runEnv)
	space.Spec.Defaults = v1alpha1.SpaceDefaults{CPU: o.defaults.cpu, Memory: o.defaults.memory, Disk: o.defaults.disk}
	space.Spec.Build.AllowedRegistries = o.allowed
	return space
}

func variables(all map[string]string) (env []v1alpha1.SpaceEnvVar) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, v1alpha1.SpaceEnvVar{EnvVar: v1alpha1.EnvVar{Name: name, Value: all[name]}})
	}
	return env
}

// spaceReady returns when the function space has made what the Space asks for, with an error if it can't.
func (t *target) spaceReady(ctx context.Context, space *v1alpha1.Space) error {
	s := subject{what: "Space", name: space.Name, generation: space.Generation, function: "space", unfit: "can't be used"}
	return t.ready(ctx, s, func(ctx context.Context) (standing, error) {
		now, err := t.kf.Spaces().Get(ctx, space.Name, metav1.GetOptions{})
		if err != nil {
			return standing{}, fmt.Errorf("get Space %s: %w", space.Name, err)
		}
		return standing{now.Status.ObservedGeneration, now.Status.Conditions}, nil
	})
}
