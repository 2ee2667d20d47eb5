package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/space"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

func newEnv(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "env APP_NAME",
		Short: "Show the environment of an App's next Task, credentials of its services included",
		Long: `env shows the variables that the App sets or inherits from its Space, and VCAP_SERVICES. Cloud Foundry's own
(VCAP_APPLICATION, CF_INSTANCE_...) are made when a Task starts.`,
		Example: `  kf env shop`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			app, err := t.app(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			secrets, err := t.secrets()
			if err != nil {
				return err
			}
			of, err := client.Find(cmd.Context(), t.kf.Spaces(), "", t.space)
			if err != nil {
				t.progress("What the App inherits from its Space can't be read (%v).", err)
			}
			app = space.Inherit(app, of)
			table := [][]string{{"Name", "Value"}}
			if cs := app.Spec.Template.Spec.Containers; len(cs) > 0 {
				for _, v := range cs[0].Env {
					table = append(table, []string{v.Name, shown(v)})
				}
			}
			services, err := t.vcap(cmd.Context(), secrets, app.Name)
			if apierrors.IsForbidden(err) {
				table = append(table, []string{"VCAP_SERVICES", "(your rights do not show it)"})
				return t.table(table)
			}
			if err != nil {
				return err
			}
			if err := t.table(table); err != nil {
				return err
			}
			b, err := json.MarshalIndent(services, "", "  ")
			if err != nil {
				return err
			}
			t.document("\nVCAP_SERVICES\n" + escaped(string(b)) + "\n")
			return nil
		},
	}
}

// shown is a variable's value, or where it comes from.
func shown(v corev1.EnvVar) string {
	switch from := v.ValueFrom; {
	case from == nil:
		return verbatim.Meant(v.Value)
	case from.SecretKeyRef != nil:
		return fmt.Sprintf("(of Secret %s, %s)", from.SecretKeyRef.Name, from.SecretKeyRef.Key)
	case from.ConfigMapKeyRef != nil:
		return fmt.Sprintf("(of ConfigMap %s, %s)", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
	case from.FieldRef != nil:
		return fmt.Sprintf("(of its Pod, %s)", from.FieldRef.FieldPath)
	}
	return "(set when the Task starts)"
}
