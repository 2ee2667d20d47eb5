package events

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RunTask is the data of dev.kf.task.run.v1.
type RunTask struct {
	// Namespace and App name the App to run; both are required.
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	// Name is shown in lists.
	Name string `json:"name,omitempty"`
	// Command replaces the App's start command: one string with shell semantics.
	Command string `json:"command,omitempty"`
	// CPU, Memory and Disk override the App's requests; Kubernetes quantities.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	Disk   string `json:"disk,omitempty"`
	// Timeout ends the Task, e.g. "10m"; Retries is how often it is tried again.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	Retries int32            `json:"retries,omitempty"`
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
}
