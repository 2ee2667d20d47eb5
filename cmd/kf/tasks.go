package main

import (
	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

func newTasks(t *target) *cobra.Command {
	var output output
	c := &cobra.Command{
		Use:   "tasks APP_NAME",
		Short: "List the Tasks of an App, newest first",
		Example: `  kf tasks shop
  kf tasks shop -o wide`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
				return err
			}
			app, err := t.app(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.list(cmd.Context(), listing{
				what: "Tasks of App " + app.Name, resource: "tasks",
				which:  client.OfApp(app.Name), // not by Kf's labels, which may be Helm's
				output: output,
			})
		},
	}
	output.flag(c)
	return c
}
