package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
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
	for _, flag := range [][2]string{{"--cpu-cores", r.cpu}, {"--memory-limit", r.memory}, {"--disk-quota", r.disk}} {
		if flag[1] == "" {
			continue
		}
		if _, err := resource.ParseQuantity(flag[1]); err != nil {
			return fmt.Errorf("%s %s is not a quantity: write, for example, 512M, 1G or 500m", flag[0], flag[1])
		}
	}
	return nil
}

// override puts what is given in place of a Task's own.
func (r *resources) override(spec *v1alpha1.TaskSpec) {
	if r.cpu != "" {
		spec.CPU = r.cpu
	}
	if r.memory != "" {
		spec.Memory = r.memory
	}
	if r.disk != "" {
		spec.Disk = r.disk
	}
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

// waitFlag is the flag of commands that start a Task.
func waitFlag(c *cobra.Command, wait *bool) {
	c.Flags().BoolVarP(wait, "wait", "w", false, "show the Task's log until it has ended, and exit with its exit code")
}

// asyncFlag is the flag of commands that wait unless they are told not to.
func asyncFlag(c *cobra.Command, async *bool, until string) {
	c.Flags().BoolVar(async, "async", false, "do not wait until "+until)
}

// given is the value of a flag, nil if the flag was left out: a timeout of 0 is none, and none given is the cluster's.
func given(c *cobra.Command, flag string, value time.Duration) *metav1.Duration {
	if !c.Flags().Changed(flag) {
		return nil
	}
	return &metav1.Duration{Duration: value}
}
