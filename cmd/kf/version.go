package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

// ofRelease is which one: make release sets it by the linker.
var ofRelease = "from source, of no release"

func newVersion(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show which release this program is of",
		Long:    `version shows which release this program is of, by which Go it was built, and for what. It asks no cluster.`,
		Example: `  kf version`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t.printf("kf %s (%s, %s/%s)\n", ofRelease, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
