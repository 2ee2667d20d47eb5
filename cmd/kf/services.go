package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func newServices(t *target) *cobra.Command {
	var output output
	c := &cobra.Command{
		Use:     "services",
		Short:   "List the services of the Space, and the Apps that are bound to them",
		Example: `  kf services`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.check(); err != nil {
				return err
			}
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			services, err := secrets.List(cmd.Context(), metav1.ListOptions{LabelSelector: serviceLabel})
			if err != nil {
				return fmt.Errorf("list services: %w", err)
			}
			bound, err := t.boundApps(cmd.Context(), secrets)
			if err != nil {
				return err
			}
			t.progress("Listing services in Space: %s", t.space)
			table := [][]string{{"Name", "Type", "Tags", "Bound Apps"}}
			for _, s := range services.Items {
				name := s.Labels[serviceLabel]
				table = append(table, []string{name, userProvided, s.Annotations[serviceTags], strings.Join(bound[name], ", ")})
			}
			return t.present(output, "Service", table)
		},
	}
	output.flag(c)
	return c
}
