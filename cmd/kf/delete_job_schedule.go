package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newDeleteJobSchedule(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "delete-job-schedule JOB_NAME",
		Short:   "Stop running a Job on its schedule; what runs goes on",
		Example: `  kf delete-job-schedule nightly`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			job, err := t.job(ctx, args[0])
			if err != nil {
				return err
			}
			if job.Spec.Suspend {
				return fmt.Errorf("Job %s has no schedule: it is suspended", job.Name)
			}
			_, err = client.Merge(ctx, t.kf.TaskSchedules(t.space), job, client.Change{
				Labels: map[string]string{v1alpha1.SuspendLabel: "true"}, Spec: map[string]any{"suspend": true},
			})
			if err != nil {
				return fmt.Errorf("suspend Job %s: %w", job.Name, err)
			}
			t.printf("The schedule of Job %s is deleted. run-job still runs it; schedule-job schedules it again.\n", job.Name)
			return nil
		},
	}
}
