package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

func newDeleteService(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "delete-service SERVICE",
		Short:   "Delete a service that no App is bound to, with its credentials",
		Example: `  kf delete-service db`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name := cmd.Context(), args[0]
			s, err := t.findService(ctx, name)
			if err != nil {
				return err
			}
			bound, err := t.boundApps(ctx)
			if err != nil {
				return err
			}
			if apps := bound[name]; len(apps) > 0 {
				return fmt.Errorf("Apps are bound to %[1]s (%[2]s): `kf unbind-service %[3]s %[1]s`; nothing was deleted",
					name, strings.Join(apps, ", "), apps[0])
			}
			err = t.kf.Services(t.space).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &s.UID}})
			if client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("delete service %s: %w", name, err)
			}
			err = t.waitGone(ctx, "service "+name, func(ctx context.Context) (bool, error) {
				now, err := client.FindAgain(ctx, t.kf.Services(t.space), s)
				return now == nil, err
			})
			if err != nil {
				return err
			}
			t.printf("Service %s is deleted.\n", name)
			return nil
		},
	}
}
