package main

import (
	"github.com/spf13/cobra"
)

func newBindService(t *target) *cobra.Command {
	var binding, parameters string
	var async bool
	c := &cobra.Command{
		Use:   "bind-service APP_NAME SERVICE",
		Short: "Let an App's Tasks have a service's credentials",
		Long: `bind-service gives an App's Tasks a service's credentials: in VCAP_SERVICES, and as files in a directory of
SERVICE_BINDING_ROOT (/bindings). Tasks that start from now on have them; those that run go on with what they have. Bound again, the
App gets the credentials that the service has now.`,
		Example: `  kf bind-service shop db
  kf bind-service shop db --binding-name primary`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			params, err := t.parametersOf(parameters, cmd.InOrStdin())
			if err != nil {
				return err
			}
			app, err := t.app(ctx, args[0])
			if err != nil {
				return err
			}
			if _, err := t.findService(ctx, args[1]); err != nil {
				return err
			}
			if err := t.bindTo(ctx, wish{app: app, service: args[1], name: binding, params: params, async: async}); err != nil {
				return err
			}
			if async {
				t.printf("App %s is being bound to %s.\n", args[0], args[1])
			} else {
				t.printf("App %s is bound to %s: its next Task has the credentials.\n", args[0], args[1])
			}
			return nil
		},
	}
	c.Flags().StringVarP(&binding, "binding-name", "b", "", "name by which the App finds it; the service's own when left out")
	parametersFlag(c, &parameters, "c", "what is added to the credentials, and wins")
	asyncFlag(c, &async, "the App has the credentials")
	return c
}
