package main

import (
	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTasks(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "tasks APP_NAME",
		Short:   "List the Tasks of an App, newest first",
		Example: `  kf tasks shop`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			app, err := t.app(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.list(cmd.Context(), listing{
				what: "Tasks of App " + app.Name, resource: "tasks",
				selector: v1alpha1.NameLabel + "=" + app.Name + "," + v1alpha1.ComponentLabel + "=" + v1alpha1.TaskComponent,
			})
		},
	}
}
