package main

import "github.com/spf13/cobra"

func newJobs(t *target) *cobra.Command {
	return newList(t, "jobs", "List the Jobs of the Space", listing{what: "Jobs", resource: "taskschedules"})
}
