package main

import (
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newJobSchedules(t *target) *cobra.Command {
	return newList(t, "job-schedules", "List the Jobs that run on a schedule, with their next instant",
		listing{what: "job schedules", resource: "taskschedules", wide: true,
			which: metav1.ListOptions{LabelSelector: v1alpha1.SuspendLabel + "=false"}})
}
