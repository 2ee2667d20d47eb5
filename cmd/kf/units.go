package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
)

// resources are the flags of a Task's requests, as Kf's CLI has them.
type resources struct{ cpu, memory, disk string }

func (r *resources) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.cpu, "cpu-cores", "", "CPU to request: cores or millicores, e.g. 1, 500m or 0.5")
	c.Flags().StringVarP(&r.memory, "memory-limit", "m", "", "memory to request, e.g. 1G or 512M")
	c.Flags().StringVarP(&r.disk, "disk-quota", "k", "", "ephemeral storage to request, e.g. 1G or 512M")
}

// check turns Cloud Foundry's units into Kubernetes' and refuses what is no quantity.
func (r *resources) check() error {
	r.memory, r.disk = fromCF(r.memory), fromCF(r.disk)
	for flag, v := range map[string]string{"--cpu-cores": r.cpu, "--memory-limit": r.memory, "--disk-quota": r.disk} {
		if v == "" {
			continue
		}
		if _, err := resource.ParseQuantity(v); err != nil {
			return fmt.Errorf("%s %s is not a quantity: write, for example, 512M, 1G or 500m", flag, v)
		}
	}
	return nil
}

var cfUnit = regexp.MustCompile(`^([0-9]+)([KMGTkmgt])[Bb]?$`)

// fromCF turns Cloud Foundry's units, which are powers of 1024, into Kubernetes'. Anything else is left as it is.
func fromCF(s string) string {
	m := cfUnit.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	return m[1] + strings.ToUpper(m[2]) + "i"
}
