package main

import (
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTasks(t *target) *cobra.Command {
	var output output
	var all bool
	c := &cobra.Command{
		Use:   "tasks APP_NAME",
		Short: "List the Tasks of an App, newest first",
		Long: `tasks lists the Tasks of an App. One that waits for others to end shows its place in the queue, which
kf queue tells more of. An array (run-task --count) is one line; --all has one for each of its Tasks as well.`,
		Example: `  kf tasks shop
  kf tasks shop --all
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
			which := client.OfApp(app.Name) // not by Kf's labels, which may be Helm's
			if !all {
				which.LabelSelector = "!" + v1alpha1.IndexLabel
			}
			return t.list(cmd.Context(), listing{
				what: "Tasks of App " + app.Name, resource: "tasks", which: which, output: output,
				change: func(table *metav1.Table) {
					withPlaces(table, func() map[string]int { return t.places(cmd.Context(), app.Name) })
				},
			})
		},
	}
	output.flag(c)
	c.Flags().BoolVarP(&all, "all", "a", false, "also the Tasks of arrays, one by one")
	return c
}
