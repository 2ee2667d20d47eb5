package main

import (
	"github.com/spf13/cobra"
)

func newUnbindService(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "unbind-service APP_NAME SERVICE",
		Short:   "Take a service's credentials from an App's Tasks; those that run go on",
		Example: `  kf unbind-service shop db`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if _, err := t.app(ctx, args[0]); err != nil {
				return err
			}
			found, err := t.unbindObject(ctx, args[0], args[1])
			if err == nil && !found {
				found, err = t.unbindOld(ctx, args[0], args[1])
			}
			if err != nil {
				return err
			}
			if !found {
				return notFound("App %s is not bound to %s; `kf services` shows what is", args[0], args[1])
			}
			t.printf("App %s is no longer bound to %s: its next Task lacks the credentials.\n", args[0], args[1])
			return nil
		},
	}
}
