package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
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
			ctx := cmd.Context()
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			bound, err := t.boundApps(ctx)
			if err != nil {
				return fmt.Errorf("list bindings: %w", err)
			}
			t.progress("Listing services in Space: %s", t.space)
			table := [][]string{{"Name", "Type", "Tags", "Bound Apps", "Ready", "Reason"}}
			for s, err := range client.All[*v1alpha1.ServiceInstance](ctx, t.kf.Services(t.space), metav1.ListOptions{}) {
				if err != nil {
					return fmt.Errorf("list services: %w", err)
				}
				ready := cmp.Or(meta.FindStatusCondition(s.Status.Conditions, v1alpha1.ConditionReady), &metav1.Condition{})
				class, tags := cmp.Or(s.Status.ClassName, v1alpha1.UserProvidedClass), strings.Join(s.Spec.Tags, ",")
				table = append(table, []string{s.Name, class, tags, strings.Join(bound[s.Name], ", "), string(ready.Status), ready.Reason})
			}
			old, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: oldLabel})
			if err != nil && !apierrors.IsForbidden(err) {
				return fmt.Errorf("list services: %w", err)
			}
			for _, s := range old.Items {
				name, tags := s.Labels[oldLabel], s.Annotations[oldTags]
				table = append(table, []string{name, v1alpha1.UserProvidedClass, tags, "", "", "Secret only"})
			}
			return t.present(output, "Service", table)
		},
	}
	output.flag(c)
	return c
}
