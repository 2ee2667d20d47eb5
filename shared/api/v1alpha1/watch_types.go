package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Watch is what is kept of a Job that has expectSuccessWithin or pauseAfterFailures.
type Watch struct {
	// Since is when the watch began: the Job's creation, the latest time that it was resumed or rescheduled, or when the first of
	// the two fields was set. There is none while the Job is suspended or paused.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`

	// SuccessDueBy is when the Job is overdue if no Task of it succeeds before.
	// +optional
	SuccessDueBy *metav1.Time `json:"successDueBy,omitempty"`

	// OverdueSince is when the Job became overdue. It stays until a Task succeeds, a pause notwithstanding.
	// +optional
	OverdueSince *metav1.Time `json:"overdueSince,omitempty"`

	// FailuresInRow is how many Tasks of its schedule have failed since one succeeded, or since the watch began.
	// +optional
	FailuresInRow int32 `json:"failuresInRow,omitempty"`

	// Notices are what was told of the Job, newest first.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Notices []Notice `json:"notices,omitempty"`
}

// Notice is one thing that a Job's Tasks, taken together, have shown.
type Notice struct {
	// At is when the Job became overdue, when the Task ended that it recovered by, or when the Task ended that it was paused for.
	At metav1.Time `json:"at"`

	// What is Overdue, Recovered or Paused.
	// +kubebuilder:validation:Enum=Overdue;Recovered;Paused
	What NoticeKind `json:"what"`

	// Task is the one that succeeded, or the last that failed.
	// +optional
	Task string `json:"task,omitempty"`

	// OverdueSince is when the Job became overdue, of Overdue and Recovered.
	// +optional
	OverdueSince *metav1.Time `json:"overdueSince,omitempty"`

	// Message says it to people.
	Message string `json:"message"`
}

// NoticeKind is what a Notice is about.
type NoticeKind string

// Kinds of Notices.
const (
	// NoticeOverdue: no Task has succeeded within expectSuccessWithin.
	NoticeOverdue NoticeKind = "Overdue"
	// NoticeRecovered: one has, after that.
	NoticeRecovered NoticeKind = "Recovered"
	// NoticePaused: pauseAfterFailures Tasks have failed in a row, and the Job was paused.
	NoticePaused NoticeKind = "Paused"
)
