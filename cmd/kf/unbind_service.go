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
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			err = t.bindings(cmd.Context(), secrets, args[0], func(v vcapServices) error {
				if !v.unbind(args[1]) {
					return notFound("App %s is not bound to %s; `kf services` shows what is", args[0], args[1])
				}
				return nil
			})
			if err != nil {
				return err
			}
			t.printf("App %s is no longer bound to %s: its next Task lacks the credentials.\n", args[0], args[1])
			return nil
		},
	}
}
