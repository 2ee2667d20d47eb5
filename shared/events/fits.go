package events

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/quantity"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// MaxWait is how far ahead the time may be before which a Task must not start.
const MaxWait = 30 * 24 * time.Hour

// fits says what a command asks for that no Task can have, and writes its amounts as Kubernetes reads them.
func (c *RunTask) fits() error {
	return errors.Join(
		oneWay(c.Command, c.Args, c.Process), amounts(&c.CPU, &c.Memory, &c.Disk), labels(c.Labels), period(c.NotBefore, c.Expires))
}

func (c *RunJob) fits() error {
	return errors.Join(
		oneWay(c.Command, c.Args, c.Process), amounts(&c.CPU, &c.Memory, &c.Disk), labels(c.Labels), period(c.NotBefore, c.Expires))
}

// oneWay: what is run is said in one way, and can be run as it is said.
func oneWay(command string, args []string, process string) error {
	for _, word := range append([]string{command}, args...) {
		if unfit := verbatim.Unfit(word); unfit != "" {
			return fmt.Errorf("command or args: %s", unfit)
		}
	}
	if command != "" && (len(args) > 0 || process != "") {
		return errors.New("a command stands alone: give command, or args, or process")
	}
	return nil
}

func amounts(cpu, memory, disk *string) (err error) {
	if *cpu, err = quantity.Cores(*cpu); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	if *memory, err = quantity.Bytes(*memory); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if *disk, err = quantity.Bytes(*disk); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	return nil
}

// maxLabels is how many labels a command may give its Task.
const maxLabels = 32

// reserved are the domains of labels by which programs find what is theirs.
var reserved = []string{"kf.dev", "kubernetes.io", "k8s.io", "tekton.dev", "knative.dev"}

func labels(given map[string]string) error {
	if len(given) > maxLabels {
		return fmt.Errorf("labels: there are %d, and may be %d", len(given), maxLabels)
	}
	for key, value := range given {
		if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); wrong != nil {
			return fmt.Errorf("labels: %.80q=%.80q: %s", key, value, strings.Join(wrong, ", "))
		}
		domain, _, _ := strings.Cut(key, "/")
		for _, theirs := range reserved {
			if domain != key && (domain == theirs || strings.HasSuffix(domain, "."+theirs)) {
				return fmt.Errorf("labels: %q is not for a command to set: labels of %s are that system's own", key, theirs)
			}
		}
	}
	return nil
}

// period: what starts no earlier than it may not start any more never starts. The API server keeps whole seconds: the Task
// must not start a part of one too early.
func period(notBefore, expires *metav1.Time) error {
	if notBefore != nil {
		if whole := notBefore.Truncate(time.Second); whole.Before(notBefore.Time) {
			notBefore.Time = whole.Add(time.Second)
		}
	}
	if notBefore != nil && expires != nil && !notBefore.Before(expires) {
		return fmt.Errorf("notBefore (%s) must be before expires (%s): such a Task could never start",
			notBefore.Format(time.RFC3339), expires.Format(time.RFC3339))
	}
	return nil
}

// Timely says why a Task is not made now, though it would have been at another time.
func Timely(t *v1alpha1.Task, now time.Time) error {
	switch {
	case t.Expired(now):
		return fmt.Errorf("the command has expired at %s, and it is %s",
			t.Spec.Expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case t.Spec.NotBefore != nil && t.Spec.NotBefore.Sub(now) > MaxWait:
		return fmt.Errorf("notBefore is %s, more than 30 days ahead: make a Job with a schedule",
			t.Spec.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}
