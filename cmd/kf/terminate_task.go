package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

func newTerminateTask(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "terminate-task TASK_NAME | APP_NAME TASK_ID",
		Short: "Stop a Task that runs, or that has yet to start",
		Example: `  kf terminate-task shop-x7k2p
  kf terminate-task shop 7`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			task, err := t.task(cmd.Context(), args)
			if err != nil {
				return err
			}
			// Kf's words, and like Kf no error: what was asked for is so.
			if task.Final() {
				t.printf("Can't terminate completed Task\n")
				return nil
			}
			if task.Spec.Terminated {
				t.printf("Can't terminate terminated Task\n")
				return nil
			}
			_, err = client.Merge(cmd.Context(), t.kf.Tasks(t.space), task, client.Change{Spec: map[string]any{"terminated": true}})
			if err != nil {
				return fmt.Errorf("terminate Task %s: %w", task.Name, err)
			}
			t.printf("Task %q is successfully submitted for termination\n", task.Name)
			return nil
		},
	}
}
