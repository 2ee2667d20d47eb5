package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/retry"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

func newSetEnv(t *target) *cobra.Command {
	stdin := false
	c := &cobra.Command{
		Use:   "set-env APP_NAME NAME [VALUE]",
		Short: "Set an environment variable of an App's next Tasks",
		Long: `set-env sets a variable of an App. Tasks that start from now on have it; those that run go on with what they have.

The value stands in the App, for everybody who may look at it, and on a command line it can be seen by everybody on the
machine. --stdin keeps it from the latter. Credentials belong into a service: kf create-user-provided-service.`,
		Example: `  kf set-env shop GREETING hello
  kf set-env shop MOTD --stdin`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if stdin == (len(args) == 3) {
				return errors.New("say the value, or --stdin to read it from there")
			}
			value := strings.Join(args[2:], "")
			if stdin {
				b, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxCredentials))
				if err != nil {
					return err
				}
				value = strings.TrimSuffix(string(b), "\n")
			}
			if unfit := verbatim.UnfitVariable(args[1], value); unfit != "" {
				return fmt.Errorf("%s: %s", args[1], unfit)
			}
			set := func(env []any) ([]any, error) { return setEnv(env, args[1], verbatim.Literal(value)), nil }
			if err := t.changeEnv(cmd, args[0], set); err != nil {
				return err
			}
			t.printf("%s is set: the next Task of App %s has it.\n", args[1], args[0])
			return nil
		},
	}
	c.Flags().BoolVar(&stdin, "stdin", false, "read the value from standard input; a line end at its end is left out")
	return c
}

// changeEnv changes the variables of an App's container, and nothing else of it: lists have no patch but the whole list, so
// the patch holds only for the App that was read.
func (t *target) changeEnv(cmd *cobra.Command, name string, change func([]any) ([]any, error)) error {
	if _, err := t.app(cmd.Context(), name); err != nil {
		return err
	}
	d, err := dynamic.NewForConfig(t.cfg)
	if err != nil {
		return err
	}
	apps := d.Resource(v1alpha1.GroupVersion.WithResource("apps")).Namespace(t.space)
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		app, err := apps.Get(cmd.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		containers, _, err := unstructured.NestedSlice(app.Object, "spec", "template", "spec", "containers")
		if err != nil {
			return err
		}
		if len(containers) == 0 {
			containers = []any{map[string]any{"name": v1alpha1.UserContainer}}
		}
		container, ok := containers[0].(map[string]any)
		if !ok {
			return errors.New("its container is no object")
		}
		env, _, err := unstructured.NestedSlice(container, "env")
		if err != nil {
			return err
		}
		if env, err = change(env); err != nil {
			return err
		}
		container["env"] = env
		_, err = client.Merge(cmd.Context(), t.kf.Apps(t.space), app, client.Change{
			Spec:        map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}},
			IfUnchanged: true,
		})
		return err
	})
}
