package main

import "github.com/spf13/cobra"

func newWebhooks(t *target) *cobra.Command {
	return newList(t, "webhooks", "List the Webhooks of the Space", listing{what: "Webhooks", resource: "webhooks"})
}
