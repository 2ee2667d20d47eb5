package events

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/quantity"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// RunTask is the data of dev.kf.task.run.v1.
type RunTask struct {
	// Namespace and App name the App to run; both are required.
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	// Name is shown in lists.
	Name string `json:"name,omitempty"`
	// Command replaces the App's start command: one string with shell semantics.
	Command string `json:"command,omitempty"`
	// CPU, Memory and Disk override the App's, in Cloud Foundry's units: "512M" and "1.5G" are powers of 1024, as "512Mi" is.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	Disk   string `json:"disk,omitempty"`
	// Timeout ends the Task, e.g. "10m"; Retries is how often it is tried again.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	Retries int32            `json:"retries,omitempty"`
	// Env is added to the App's environment, and wins over it. Values are plain.
	Env []v1alpha1.EnvVar `json:"env,omitempty"`
}

// TerminateTask is the data of dev.kf.task.terminate.v1: a Task by its name, or by its App and ID.
type TerminateTask struct {
	Namespace string `json:"namespace"`
	Task      string `json:"task,omitempty"`
	App       string `json:"app,omitempty"`
	ID        int    `json:"id,omitempty"`
}

// RunJob is the data of dev.kf.job.run.v1: one run of a Job, now. What is given overrides the Job's template.
type RunJob struct {
	Namespace string `json:"namespace"`
	Job       string `json:"job"`
	Command   string `json:"command,omitempty"`
	CPU       string `json:"cpu,omitempty"`
	Memory    string `json:"memory,omitempty"`
	Disk      string `json:"disk,omitempty"`
	// Env is added to the environment of the Job's Tasks, and wins over it.
	Env []v1alpha1.EnvVar `json:"env,omitempty"`
}

// Read is what an event commands: a RunTask, RunJob or TerminateTask with all that it needs.
func Read(e cloudevents.Event) (any, error) {
	switch e.Type() {
	case TaskRun:
		return read(e, "namespace and app", func(c RunTask) bool { return c.Namespace != "" && c.App != "" })
	case JobRun:
		return read(e, "namespace and job", func(c RunJob) bool { return c.Namespace != "" && c.Job != "" })
	case TaskTerminate:
		return read(e, "a namespace and a task, or an app and an id", func(c TerminateTask) bool {
			return c.Namespace != "" && (c.Task != "" || c.App != "" && c.ID != 0)
		})
	}
	return nil, fmt.Errorf("%q is no type of command", e.Type())
}

func read[T any](e cloudevents.Event, needs string, complete func(T) bool) (any, error) {
	var cmd T
	if err := Command(e, &cmd); err != nil {
		return nil, err
	}
	if !complete(cmd) {
		return nil, fmt.Errorf("%s needs %s in its data", e.Type(), needs)
	}
	return cmd, nil
}

// TaskName is the name of the one Task of a command: that of the App or Job, cut to fit, and 20 hexadecimal digits of a
// hash of the event's source and id, which identify it (CloudEvents 1.0.2, 3.1). The zero byte between them keeps
// ("a","bc") and ("ab","c") apart. No dot may come before the hyphen: it would not be a name (RFC 1123).
func TaskName(of, source, id string) string {
	sum := sha256.Sum256([]byte(source + "\x00" + id))
	const room = 63 - 1 - 20
	return strings.TrimRight(of[:min(len(of), room)], ".-") + "-" + hex.EncodeToString(sum[:10])
}

// fits says what a command asks for that no Task can have, and writes its amounts as Kubernetes reads them.
func (c *RunTask) fits() error { return fits(c.Command, &c.CPU, &c.Memory, &c.Disk) }

func (c *RunJob) fits() error { return fits(c.Command, &c.CPU, &c.Memory, &c.Disk) }

func fits(command string, cpu, memory, disk *string) (err error) {
	if unfit := verbatim.Unfit(command); unfit != "" {
		return fmt.Errorf("command: %s", unfit)
	}
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
