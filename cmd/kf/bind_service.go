package main

import (
	"github.com/spf13/cobra"
)

func newBindService(t *target) *cobra.Command {
	binding := ""
	c := &cobra.Command{
		Use:   "bind-service APP_NAME SERVICE",
		Short: "Let an App's Tasks have a service's credentials",
		Long: `bind-service puts a service's credentials into the App's VCAP_SERVICES. Tasks that start from now on have them; those that
run go on with what they have. Bound again, the App gets the credentials that the service has now.`,
		Example: `  kf bind-service shop db
  kf bind-service shop db --binding-name primary`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			service, err := t.service(ctx, secrets, args[1], binding)
			if err != nil {
				return err
			}
			if err := t.bindings(ctx, secrets, args[0], func(v vcapServices) error { v.bind(service); return nil }); err != nil {
				return err
			}
			t.printf("App %s is bound to %s: its next Task has the credentials.\n", args[0], args[1])
			return nil
		},
	}
	c.Flags().StringVar(&binding, "binding-name", "", "name by which the App finds it; the service's own when left out")
	return c
}
