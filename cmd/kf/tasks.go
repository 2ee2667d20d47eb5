package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTasks(t *target) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "tasks APP_NAME",
		Short: "List the Tasks of an App, newest first",
		Example: `  kf tasks shop
  kf tasks shop -o wide`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "wide" {
				return fmt.Errorf("--output can be wide, not %q", output)
			}
			app, err := t.app(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.list(cmd.Context(), listing{
				what: "Tasks of App " + app.Name, resource: "tasks",
				selector: v1alpha1.NameLabel + "=" + app.Name + "," + v1alpha1.ComponentLabel + "=" + v1alpha1.TaskComponent,
				wide:     output == "wide",
			})
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "wide: also who asked for each, where it was asked for by a command event")
	return c
}
