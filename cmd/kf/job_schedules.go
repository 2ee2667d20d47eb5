package main

import (
	"github.com/spf13/cobra"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newJobSchedules(t *target) *cobra.Command {
	return newList(t, "job-schedules", "List the Jobs that run on a schedule, with their next instant",
		listing{what: "job schedules", resource: "taskschedules", selector: v1alpha1.SuspendLabel + "=false", wide: true})
}
