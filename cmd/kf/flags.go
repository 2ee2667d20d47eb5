package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/quantity"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// resources are the flags of a Task's requests, as Kf's CLI has them.
type resources struct{ cpu, memory, disk string }

func (r *resources) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.cpu, "cpu-cores", "", "CPU to request: cores or millicores, e.g. 1, 500m or 0.5")
	c.Flags().StringVarP(&r.memory, "memory-limit", "m", "", "memory to request, and to be limited to, e.g. 1G or 512M")
	c.Flags().StringVarP(&r.disk, "disk-quota", "k", "", "ephemeral storage to request, and to be limited to, e.g. 1G or 512M")
}

// check turns Cloud Foundry's units into Kubernetes' and refuses what is no amount.
func (r *resources) check() error {
	for _, flag := range []struct {
		name  string
		value *string
		read  func(string) (string, error)
	}{
		{"--cpu-cores", &r.cpu, quantity.Cores}, {"--memory-limit", &r.memory, quantity.Bytes}, {"--disk-quota", &r.disk, quantity.Bytes},
	} {
		read, err := flag.read(*flag.value)
		if err != nil {
			return fmt.Errorf("%s %w", flag.name, err)
		}
		*flag.value = read
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

// checkCommand refuses a command that would not reach its process as it is.
func checkCommand(command string) error {
	if unfit := verbatim.Unfit(command); unfit != "" {
		return fmt.Errorf("the command can't be run: %s", unfit)
	}
	if command != "" && strings.TrimSpace(command) == "" {
		return errors.New("the command is blank")
	}
	return nil
}

// What a Task may have at most, as its schema says (config/crd): refused here, nothing has been asked of the cluster.
const (
	maxRetries  = 100
	maxName     = 253 // characters of a display name
	maxTimeout  = 87600 * time.Hour
	maxJitter   = 3600 // seconds
	maxFailures = 1000

	maxEnv      = 64 // variables
	maxEnvName  = 128
	maxEnvValue = 32768
)

// variable is a name that a Task's own variable can have.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkLimits refuses what no Task can have.
func checkLimits(name string, retries int32, timeout time.Duration) error {
	switch {
	case retries < 0 || timeout < 0:
		return errors.New("--retries and --timeout can't be negative")
	case retries > maxRetries:
		return fmt.Errorf("--retries can be at most %d", maxRetries)
	case timeout > maxTimeout:
		return fmt.Errorf("--timeout can be at most %s, which is ten years; 0 is no limit", maxTimeout)
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("--name can have at most %d characters", maxName)
	}
	return nil
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

// period reads the times between which a Task may start.
func period(notBefore, expires string, now time.Time) (from, to *metav1.Time, err error) {
	if from, err = moment("--not-before", notBefore, now); err != nil {
		return nil, nil, err
	}
	if to, err = moment("--expires", expires, now); err != nil {
		return nil, nil, err
	}
	switch {
	case from != nil && to != nil && !from.Before(to):
		return nil, nil, errors.New("--not-before must be before --expires: such a Task could never start")
	case to != nil && !now.Before(to.Time):
		return nil, nil, errors.New("--expires is over: such a Task could never start")
	}
	return from, to, nil
}

// moment reads a time, or a duration from now, up to a whole second: the API server keeps no parts.
func moment(flag, value string, now time.Time) (*metav1.Time, error) {
	if value == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if d, isDuration := time.ParseDuration(value); isDuration == nil {
		at, err = now.Add(d), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q is neither a time, such as 2026-12-01T01:00:00Z, nor a duration, such as 90m", flag, value)
	}
	return &metav1.Time{Time: at.Add(time.Second - 1).Truncate(time.Second)}, nil
}
