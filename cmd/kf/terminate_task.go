package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTerminateTask(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "terminate-task TASK_NAME | APP_NAME TASK_ID",
		Short: "Stop a Task that runs, or that has yet to start",
		Example: `  kf terminate-task shop-x7k2p
  kf terminate-task shop 7`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, kf, err := t.connect()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			task, err := findTask(ctx, kf, t.space, args)
			if err != nil {
				return err
			}
			// Kf's words, and like Kf no error: what was asked for is so.
			if task.Final() {
				fmt.Fprintln(cmd.OutOrStdout(), "Can't terminate completed Task")
				return nil
			}
			if task.Spec.Terminated {
				fmt.Fprintln(cmd.OutOrStdout(), "Can't terminate terminated Task")
				return nil
			}
			patch := fmt.Sprintf(`{"metadata":{"uid":%q},"spec":{"terminated":true}}`, task.UID)
			if _, err := kf.Tasks(t.space).Patch(ctx, task.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("terminate Task %s: %w", task.Name, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Task %q is successfully submitted for termination\n", task.Name)
			return nil
		},
	}
}

// findTask finds a Task by its name, or by its App and ID.
func findTask(ctx context.Context, kf *client.Client, space string, args []string) (*v1alpha1.Task, error) {
	if len(args) == 1 {
		task, err := kf.Tasks(space).Get(ctx, args[0], metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no Task %q in Space %q; `kf tasks APP` lists an App's", args[0], space)
		}
		return task, err
	}
	if _, err := strconv.Atoi(args[1]); err != nil {
		return nil, fmt.Errorf("%q is not a Task's ID: give the number that `kf tasks %s` shows", args[1], args[0])
	}
	list, err := kf.Tasks(space).List(ctx, metav1.ListOptions{
		LabelSelector: v1alpha1.NameLabel + "=" + args[0] + "," + v1alpha1.VersionLabel + "=" + args[1],
	})
	if err != nil {
		return nil, fmt.Errorf("find Task %s of App %s: %w", args[1], args[0], err)
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("No Task found for App %q and Task ID %q", args[0], args[1])
	}
	return &list.Items[0], nil
}
