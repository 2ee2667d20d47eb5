package main

import (
	"cmp"
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newSpaces(t *target) *cobra.Command {
	return newList(t, "spaces", "List the Spaces of the cluster; a namespace without one can be used, too",
		listing{what: "Spaces", resource: "spaces", everywhere: true})
}

func newSpace(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "space SPACE",
		Short:   "Show a Space, and what its Apps and Tasks inherit",
		Example: `  kf space shop-production`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			space, err := t.spaceObject(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.table(spaceRows(space))
		},
	}
}

// spaceObject connects and finds the object of a Space.
func (t *target) spaceObject(ctx context.Context, name string) (*v1alpha1.Space, error) {
	if err := t.connect(); err != nil {
		return nil, err
	}
	t.space = name // for what is said of an error
	space, err := client.Find(ctx, t.kf.Spaces(), "", name)
	if space != nil || err != nil {
		return space, err
	}
	if err := t.spaceIsThere(ctx); err != nil {
		return nil, err
	}
	return nil, notFound("%[1]q is a namespace without a Space: it can be used as it is; `kf create-space %[1]s` makes a Space of it", name)
}

// spaceRows are what a Space says; what it leaves open is not shown.
func spaceRows(s *v1alpha1.Space) [][]string {
	rows := [][]string{{"Setting", "Value"}}
	add := func(setting, value string) {
		if value != "" {
			rows = append(rows, []string{setting, value})
		}
	}
	state := "Unknown, the function space has not looked at it"
	if c := meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		state = strings.Join([]string{string(c.Status), c.Reason + ":", c.Message}, " ")
	}
	add("Name", s.Name)
	add("Ready", state)
	add("Namespace", string(s.Status.Namespace))
	add("Container registry", cmp.Or(s.Status.BuildConfig.ContainerRegistry, s.Spec.BuildConfig.ContainerRegistry))
	for _, stack := range s.Status.BuildConfig.StacksV3 {
		add("Builder", stack.BuildImage)
		add("Run image", stack.RunImage)
	}
	add("Allowed registries", strings.Join(s.Spec.Build.AllowedRegistries, ", "))
	add("Environment of Apps", variableNames(s.Spec.RuntimeConfig.Env))
	add("Environment of builds", variableNames(s.Spec.BuildConfig.Env))
	add("CPU of a Task", s.Spec.Defaults.CPU)
	add("Memory of a Task", s.Spec.Defaults.Memory)
	add("Disk of a Task", s.Spec.Defaults.Disk)
	if limit := s.Spec.Defaults.TaskTimeout; limit != nil {
		add("Time limit of a Task", limit.Duration.String())
	}
	if most := s.Spec.Limits.MaxRunningTasks; most != nil {
		add("Tasks that run at a time", strconv.Itoa(int(*most)))
	}
	if keep := s.Spec.Retention.Tasks; keep != nil {
		add("Tasks that an App keeps", keep.String())
	}
	var commanders []string
	for _, c := range s.Spec.Commanders {
		commanders = append(commanders, c.Kind+" "+path.Join(c.Namespace, c.Name))
	}
	add("Commanders", strings.Join(commanders, ", "))
	return rows
}

// variableNames are the names alone: a value may be what is not for every screen.
func variableNames(env []v1alpha1.SpaceEnvVar) string {
	var names []string
	for _, v := range env {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}
