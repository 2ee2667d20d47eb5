package main

import (
	"slices"

	"github.com/spf13/cobra"
)

func newUnsetEnv(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "unset-env APP_NAME NAME",
		Short:   "Take an environment variable from an App's next Tasks",
		Example: `  kf unset-env shop GREETING`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := t.changeEnv(cmd, args[0], func(env []any) ([]any, error) {
				left := slices.DeleteFunc(slices.Clone(env), func(v any) bool {
					variable, _ := v.(map[string]any)
					return variable["name"] == args[1]
				})
				if len(left) == len(env) {
					return nil, notFound("App %s has no variable %s; `kf env %[1]s` shows what it has", args[0], args[1])
				}
				return left, nil
			})
			if err != nil {
				return err
			}
			t.printf("%s is unset: the next Task of App %s lacks it.\n", args[1], args[0])
			return nil
		},
	}
}
