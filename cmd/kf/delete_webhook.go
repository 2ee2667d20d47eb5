package main

import (
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

func newDeleteWebhook(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "delete-webhook WEBHOOK_NAME",
		Short:   "Delete a Webhook, and the secret that was made for it; Tasks that it ran stay",
		Example: `  kf delete-webhook push`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hook, err := t.webhook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			this := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &hook.UID}}
			err = t.kf.Webhooks(t.space).Delete(cmd.Context(), hook.Name, this)
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete Webhook %s: %w", hook.Name, err)
			}
			t.printf("Webhook %s is deleted. What is posted to it from now on is answered with 404, within seconds.\n", hook.Name)
			return nil
		},
	}
}
