package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func newVcapServices(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "vcap-services APP_NAME",
		Short:   "Print the VCAP_SERVICES that an App's next Task has, credentials included",
		Example: `  kf vcap-services shop`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := t.app(cmd.Context(), args[0]); err != nil {
				return err
			}
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			services, err := t.vcap(cmd.Context(), secrets, args[0])
			if err != nil {
				return err
			}
			b, err := json.MarshalIndent(services, "", "  ")
			if err != nil {
				return err
			}
			t.document(escaped(string(b)) + "\n")
			return nil
		},
	}
}
