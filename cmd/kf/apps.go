package main

import "github.com/spf13/cobra"

func newApps(t *target) *cobra.Command {
	return newList(t, "apps", "List the Apps of the Space", listing{what: "Apps", resource: "apps"})
}
