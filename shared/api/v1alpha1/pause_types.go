package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Pause stops the schedules of a Job, or of all Jobs of an App or a Space, until it is lifted: instants within it are recorded as
// Paused and are not run later. Those that have started go on, and kf run-job runs a Job all the same. Unlike suspend it says why
// and ends by itself.
type Pause struct {
	// Note says why, for whoever asks: shown in the history and by kf why. Such as "the database moves"; none when left out.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Note string `json:"note,omitempty"`

	// Until is when it ends by itself; the first instant that runs again is this one or one after it. Left out, it lasts until
	// somebody lifts it. One that is over holds nothing back. Such as 2026-12-01T06:00:00Z.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
}
