package events

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
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
	// Count makes an array of so many Tasks, of which Parallelism are under way at a time, all if that is left out.
	Count       int32 `json:"count,omitempty"`
	Parallelism int32 `json:"parallelism,omitempty"`
	// Env is added to the App's environment, and wins over it. Values are plain.
	Env []v1alpha1.EnvVar `json:"env,omitempty"`
	// Args are words that are run without a shell, in place of a command.
	Args []string `json:"args,omitempty"`
	// Process is a process type of the App's image, where that was built by buildpacks, in place of a command.
	Process string `json:"process,omitempty"`
	// Labels are the Task's, beside those of this system.
	Labels map[string]string `json:"labels,omitempty"`
	// NotBefore is when the Task may start, at most 30 days ahead. Expires is when it may not start any more.
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	Expires   *metav1.Time `json:"expires,omitempty"`

	after string // the chain of what has led to it
}

// TerminateTask is the data of dev.kf.task.terminate.v1: a Task by its name, by its App and ID, or by its App or Job and the event
// that asked for it.
type TerminateTask struct {
	Namespace string    `json:"namespace"`
	Task      string    `json:"task,omitempty"`
	App       string    `json:"app,omitempty"`
	ID        int       `json:"id,omitempty"`
	Job       string    `json:"job,omitempty"`
	Run       *EventRef `json:"run,omitempty"`
}

// names says whether the command names one Task, in one way.
func (c TerminateTask) names() bool {
	switch {
	case c.Run != nil:
		return c.Task == "" && c.ID == 0 && (c.App == "") != (c.Job == "") && c.Run.Source != "" && c.Run.ID != ""
	case c.Task != "":
		return c.Job == ""
	}
	return c.App != "" && c.ID != 0 && c.Job == ""
}

// SuspendJob is the data of dev.kf.job.suspend.v1, ResumeJob that of dev.kf.job.resume.v1.
type SuspendJob struct {
	Namespace string `json:"namespace"`
	Job       string `json:"job"`
}

// ResumeJob is the data of dev.kf.job.resume.v1.
type ResumeJob struct {
	Namespace string `json:"namespace"`
	Job       string `json:"job"`
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
	// Args and Process are what else can be run in place of the Job's command; the rest is as of RunTask.
	Args      []string          `json:"args,omitempty"`
	Process   string            `json:"process,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	NotBefore *metav1.Time      `json:"notBefore,omitempty"`
	Expires   *metav1.Time      `json:"expires,omitempty"`
}

// Read is what an event commands: a RunTask, RunJob, TerminateTask, SuspendJob or ResumeJob with all that it needs.
func Read(e cloudevents.Event) (any, error) {
	cmd, err := readData(e)
	if err != nil {
		return nil, err
	}
	if err := checkAttributes(e); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Type(), err)
	}
	return cmd, nil
}

func readData(e cloudevents.Event) (any, error) {
	switch e.Type() {
	case TaskRun:
		return read(e, "namespace and app", func(c RunTask) bool { return c.Namespace != "" && c.App != "" })
	case JobRun:
		return read(e, "namespace and job", func(c RunJob) bool { return c.Namespace != "" && c.Job != "" })
	case TaskTerminate:
		const needs = "a namespace, and a task, or an app and an id, or an app or a job and its run's source and id; one of these,"
		return read(e, needs, func(c TerminateTask) bool { return c.Namespace != "" && c.names() })
	case JobSuspend:
		return read(e, "namespace and job", func(c SuspendJob) bool { return c.Namespace != "" && c.Job != "" })
	case JobResume:
		return read(e, "namespace and job", func(c ResumeJob) bool { return c.Namespace != "" && c.Job != "" })
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

// checkAttributes says what an event's attributes say that its data does not: a reader who filters by them would take it for
// another command than this one.
func checkAttributes(e cloudevents.Event) error {
	t, err := TargetOf(e)
	if err != nil {
		return err
	}
	about := []string{"", t.Namespace}
	for _, name := range []string{t.App, t.Task, t.Job} {
		if name != "" {
			about = append(about, t.Namespace+"/"+name)
		}
	}
	if !slices.Contains(about, e.Subject()) {
		return fmt.Errorf("its subject is %.100q, and its data is about %s: leave the subject out", e.Subject(), about[len(about)-1])
	}
	if s := e.DataSchema(); s != "" && path.Base(s) != e.Type()+".json" {
		return fmt.Errorf("its dataschema is %.100q, and the type's is shared/events/schemas/%s.json: leave it out", s, e.Type())
	}
	return checkCause(e)
}
