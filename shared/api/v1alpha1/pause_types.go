package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Pause stops the schedules of a Job, or of all Jobs of an App or a Space, until it is lifted: instants within it are recorded as
// Paused and are not run later. Those that have started go on, and kf run-job runs a Job all the same. Unlike suspend it says why
// and ends by itself.
type Pause struct {
	// Note says why, such as "the database moves": the history and kf why show it to whoever asks. None when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Note string `json:"note,omitempty"`

	// Until is when it ends by itself, such as 2026-12-01T06:00:00Z; the first instant that runs again is this one or one after it. One
	// that is over holds nothing back. When left out, it lasts until somebody lifts it.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
}
