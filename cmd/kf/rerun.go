package main

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func newRerun(t *target) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use:   "rerun TASK_NAME | APP_NAME TASK_ID",
		Short: "Run a Task once more, as a new Task",
		Long: `rerun makes a new Task of the same App, with the same command, arguments or process, variables, resources, timeout and
retries. It starts now, and is asked for by you: it has no --not-before and --expires of the first, and is not its Job's (run-job runs
a Job). The image and the environment are those that the App has now. The first Task, running or not, stays as it is.`,
		Example: `  kf rerun shop-x7k2p
  kf rerun shop 7 --wait`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			was, err := t.task(ctx, args)
			if err != nil {
				return err
			}
			app, err := t.app(ctx, was.Spec.AppRef.Name)
			if err != nil {
				return fmt.Errorf("rerun Task %s: %w", was.Name, err)
			}
			task, err := was.Again(app)
			if err != nil {
				return fmt.Errorf("rerun Task %s: %w", was.Name, err)
			}
			if task, err = t.kf.Tasks(t.space).Create(ctx, task, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("rerun Task %s: %w", was.Name, err)
			}
			return t.submitted(ctx, task, wait)
		},
	}
	waitFlag(c, &wait)
	return c
}
